/**
 * Weights in float16. A record is one column of 8 rows. Activations are rounded to float16 as
 * llama.cpp does and stay in float32; both layouts are otherwise those of `f32.ts`.
 */
import { addProducts, chunkCols, chunkTokens, prepareTilesF32, storeSums, sumBytes } from "./f32";
import { multiplyTilesF16 } from "./few-f16";
import { allBits, madd, storeUpTo8 } from "./simd";

/** Sign, exponent and fraction of a float16 in float32's places; see `simd.ts` for why so. */
export const halfBits: i32 = allBits & 0x8fffe000;

/** 2^56. */
export const weightScale: f32 = 72057594037927936;

/** The most tokens for which weights are converted for each tile; measured. */
const mostConverted: i32 = 64;

/** 2^-14, the least normal float16. */
const halfLeast: f32 = 0.00006103515625;

export function packF16(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const rowBytes = <usize>numCols << 1;
  for (let r = 0; r < 8; r++) {
    const row = src + <usize>r * rowBytes;
    let to = dst + (<usize>r << 1);
    for (let at = row, end = row + rowBytes; at < end; at += 2, to += 16) {
      store<u16>(to, r < numRows ? load<u16>(at) : 0);
    }
  }
}

export function unpackF16(W: usize, row: i32, dst: usize, numCols: i32): void {
  let from = W + (<usize>(row >> 3) * numCols << 4) + ((row & 7) << 1);
  for (let end = dst + (<usize>numCols << 1); dst < end; dst += 2, from += 16) {
    store<u16>(dst, load<u16>(from));
  }
}

/** The bits of float16 moved to float32's places are values over 2^112; x and the sums make up for it. */
export function matvecF16(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const mask = i32x4.splat(halfBits);
  const scale = f32x4.splat(weightScale);
  const paired = x + (<usize>(numCols & ~1) << 2);
  let w = W + (<usize>(firstRow >> 3) * numCols << 4);
  for (let r = firstRow; r < endRow; r += 8) {
    let low = f32x4.splat(0);
    let high = low;
    let otherLow = low;
    let otherHigh = low;
    let at = x;
    for (; at < paired; at += 8, w += 32) {
      const one = v128.load32_splat(at);
      low = madd(v128.and(i32x4.shl(v128.load_ext<i16>(w), 13), mask), one, low);
      high = madd(v128.and(i32x4.shl(v128.load_ext<i16>(w, 8), 13), mask), one, high);
      const other = v128.load32_splat(at, 4);
      otherLow = madd(v128.and(i32x4.shl(v128.load_ext<i16>(w, 16), 13), mask), other, otherLow);
      otherHigh = madd(v128.and(i32x4.shl(v128.load_ext<i16>(w, 24), 13), mask), other, otherHigh);
    }
    if (numCols & 1) {
      const one = v128.load32_splat(at);
      low = madd(v128.and(i32x4.shl(v128.load_ext<i16>(w), 13), mask), one, low);
      high = madd(v128.and(i32x4.shl(v128.load_ext<i16>(w, 8), 13), mask), one, high);
      w += 16;
    }
    low = f32x4.mul(f32x4.add(low, otherLow), scale);
    high = f32x4.mul(f32x4.add(high, otherHigh), scale);
    storeUpTo8(out + (<usize>r << 2), low, high, endRow - r);
  }
}

export function gemmF16(
  W: usize,
  x: usize,
  out: usize,
  numTokens: i32,
  outStride: i32,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
  work: usize,
): void {
  if (numTokens <= mostConverted) {
    return multiplyTilesF16(W, x, out, numTokens, outStride, numCols, firstRow, endRow);
  }
  const groupBytes = <usize>numCols << 4;
  const weights = work + sumBytes(chunkTokens);
  for (let t = 0; t < numTokens; t += chunkTokens) {
    const count = min(chunkTokens, numTokens - t);
    const tiles = x + (<usize>t * numCols << 2);
    for (let r = firstRow; r < endRow; r += 8) {
      const w = W + <usize>(r >> 3) * groupBytes;
      memory.fill(work, 0, sumBytes(count));
      for (let c = 0; c < numCols; c += chunkCols) {
        widen(w + (<usize>c << 4), weights, min(chunkCols, numCols - c));
        addProducts(weights, tiles, work, count, numCols, c);
      }
      storeSums(work, out + ((<usize>t * outStride + r) << 2), count, outStride, endRow - r);
    }
  }
}

/** Columns of 8 rows to float32, over 2^56. */
function widen(from: usize, to: usize, numCols: i32): void {
  const mask = i32x4.splat(halfBits);
  const scale = f32x4.splat(weightScale);
  for (const end = to + (<usize>numCols << 5); to < end; to += 32, from += 16) {
    const low = v128.and(i32x4.shl(v128.load_ext<i16>(from), 13), mask);
    const high = v128.and(i32x4.shl(v128.load_ext<i16>(from, 8), 13), mask);
    v128.store(to, f32x4.mul(low, scale));
    v128.store(to, f32x4.mul(high, scale), 16);
  }
}

/** Scaled by 2^56, half of what the weights' bits lack; the sums, or the weights, by the other half. */
export function prepareVectorF16(x: usize, X: usize, numCols: i32): void {
  const end = x + (<usize>numCols << 2);
  for (; x + 12 < end; x += 16, X += 16) v128.store(X, scaledHalf(v128.load(x)));
  for (; x < end; x += 4, X += 4) v128.store32_lane(X, scaledHalf(v128.load32_zero(x)), 0);
}

export function prepareTilesF16(
  x: usize,
  X: usize,
  numTokens: i32,
  numCols: i32,
  firstTile: i32,
  endTile: i32,
): void {
  prepareTilesF32(x, X, numTokens, numCols, firstTile, endTile);
  const tileBytes = <usize>numCols << 4;
  const end = X + <usize>endTile * tileBytes;
  for (let at = X + <usize>firstTile * tileBytes; at < end; at += 16) {
    v128.store(at, scaledHalf(v128.load(at)));
  }
}

/**
 * The nearest float16, halves to even, times 2^56. Adding a power of two that is 2^13 times the value's
 * own, or that of the least normal float16, leaves no room for the bits that float16 lacks.
 */
@inline
function scaledHalf(values: v128): v128 {
  const signs = v128.and(values, i32x4.splat(0x80000000));
  const magnitudes = v128.xor(values, signs);
  const known = f32x4.max(magnitudes, f32x4.splat(halfLeast));
  const bias = f32x4.mul(v128.and(known, i32x4.splat(0x7f800000)), f32x4.splat(8192));
  const rounded = f32x4.sub(f32x4.add(magnitudes, bias), bias);
  const isFinite = f32x4.lt(magnitudes, f32x4.splat(65520));
  // Infinity and NaN times infinity are what they were.
  const beyond = f32x4.mul(magnitudes, f32x4.splat(Infinity));
  const halves = v128.or(v128.bitselect(rounded, beyond, isFinite), signs);
  return f32x4.mul(halves, f32x4.splat(weightScale));
}
