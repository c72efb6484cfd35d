/**
 * TQ2_0: x = d · (q − 1), with q of 2 bits and float16 d for every 256 columns, times the activations
 * of `activations-256.ts`.
 *
 * A record of 8 rows × 256 columns has 528 bytes, as in GGUF:
 *   8 d | 16 quads × (rows 0–3, rows 4–7): a lane's 4 bytes have a row's four steps of the quad in two
 *   bits each, the first lowest.
 *
 * Unpacked for GEMM: 8 d float32 | 64 steps × 8 rows × 4 codes.
 */
import { activationBytes, codesAt, totalsAt } from "./activations-256";
import { codeMask2, dot7, half4, madd, storeUpTo8 } from "./simd";
import { addScaled, gemm256, sumsBytes } from "./tiles-256";

const blockBytes: usize = 66;
const blockScaleAt: usize = 64;
const recordBytes: usize = 528;
const quadsAt: usize = 16;
const unpackedCodesAt: usize = 32;

/** Interleaves `numRows` rows as GGUF has them at `src` into the records of a group at `dst`. */
export function packTQ2_0(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const numBlocks = (<usize>numCols) >> 8;
  memory.fill(dst, 0, numBlocks * recordBytes);
  for (let r: usize = 0; r < <usize>numRows; r++) {
    for (let b: usize = 0; b < numBlocks; b++) {
      const block = src + (r * numBlocks + b) * blockBytes;
      const record = dst + b * recordBytes;
      store<u16>(record + 2 * r, load<u16>(block + blockScaleAt));
      for (let half: usize = 0; half < 8; half++) {
        packHalf(codesOf(block, half), shiftOf(half), record + quadsAt + (half << 6) + (r << 2));
      }
    }
  }
}

/** Writes row `row` of the matrix at `W` to `dst` as GGUF has it. */
export function unpackTQ2_0(W: usize, row: i32, dst: usize, numCols: i32): void {
  const numBlocks = (<usize>numCols) >> 8;
  const r = (<usize>row) & 7;
  memory.fill(dst, 0, numBlocks * blockBytes);
  for (let b: usize = 0; b < numBlocks; b++) {
    const record = W + (((<usize>row) >> 3) * numBlocks + b) * recordBytes;
    const block = dst + b * blockBytes;
    store<u16>(block + blockScaleAt, load<u16>(record + 2 * r));
    for (let half: usize = 0; half < 8; half++) {
      unpackHalf(record + quadsAt + (half << 6) + (r << 2), shiftOf(half), codesOf(block, half));
    }
  }
}

/** out[r] = W[r] · x for the rows from `firstRow`, a multiple of 8, to `endRow`. */
export function matvecTQ2_0(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const numBlocks = (<usize>numCols) >> 8;
  const mask = i8x16.splat(<i8>codeMask2);
  const ones = i16x8.splat(1);
  for (let r = firstRow; r < endRow; r += 8) {
    let w = W + ((<usize>r) >> 3) * numBlocks * recordBytes;
    let sum0 = f32x4.splat(0);
    let sum1 = sum0;
    for (let X = x; X < x + numBlocks * activationBytes; X += activationBytes) {
      const record = w;
      const total = v128.load32_splat(X + totalsAt);
      let a0 = i32x4.neg(total);
      let a1 = a0;
      let u = X + codesAt;
      w += quadsAt;
      // Half of a block's products, 32 steps below 2 · 127 · 3, stay in int16.
      for (const end = w + 512; w < end;) {
        let d0 = i16x8.splat(0);
        let d1 = d0;
        const stop = w + 256;
        do {
          const c = v128.load(w);
          const e = v128.load(w, 16);
          const x0 = v128.load32_splat(u);
          const x1 = v128.load32_splat(u, 4);
          const x2 = v128.load32_splat(u, 8);
          const x3 = v128.load32_splat(u, 12);
          d0 = i16x8.add(d0, quadProducts(c, x0, x1, x2, x3, mask));
          d1 = i16x8.add(d1, quadProducts(e, x0, x1, x2, x3, mask));
          w += 32;
          u += 16;
        } while (w < stop);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(d0, ones));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(d1, ones));
      }
      const scale = v128.load32_splat(X);
      sum0 = madd(f32x4.convert_i32x4_s(a0), f32x4.mul(half4(record), scale), sum0);
      sum1 = madd(f32x4.convert_i32x4_s(a1), f32x4.mul(half4(record + 8), scale), sum1);
    }
    storeUpTo8(out + ((<usize>r) << 2), sum0, sum1, endRow - r);
  }
}

@inline
function quadProducts(c: v128, x0: v128, x1: v128, x2: v128, x3: v128, mask: v128): v128 {
  return i16x8.add(
    i16x8.add(dot7(x0, v128.and(c, mask)), dot7(x1, v128.and(i16x8.shr_u(c, 2), mask))),
    i16x8.add(
      dot7(x2, v128.and(i16x8.shr_u(c, 4), mask)),
      dot7(x3, v128.and(i16x8.shr_u(c, 6), mask)),
    ),
  );
}

/** out[t, r] = W[r] · x[t] for the same rows and all tokens; `outStride` in float32. */
export function gemmTQ2_0(
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
  gemm256(
    unpackRecord,
    addTiles,
    recordBytes,
    W,
    x,
    out,
    numTokens,
    outStride,
    numCols,
    firstRow,
    endRow,
    work,
  );
}

function unpackRecord(record: usize, work: usize): void {
  const mask = i8x16.splat(<i8>codeMask2);
  v128.store(work, half4(record));
  v128.store(work, half4(record + 8), 16);
  let to = work + unpackedCodesAt;
  for (let from = record + quadsAt; from < record + recordBytes; from += 32, to += 128) {
    for (let rows: usize = 0; rows < 32; rows += 16) {
      const c = v128.load(from + rows);
      v128.store(to + rows, v128.and(c, mask));
      v128.store(to + rows, v128.and(i16x8.shr_u(c, 2), mask), 32);
      v128.store(to + rows, v128.and(i16x8.shr_u(c, 4), mask), 64);
      v128.store(to + rows, v128.and(i16x8.shr_u(c, 6), mask), 96);
    }
  }
}

/** A loop here, and the tile inline: a call for each tile takes a twentieth of the time. */
function addTiles(work: usize, X: usize, sums: usize, count: i32): void {
  for (; count > 0; count--) {
    addTile(work, X, sums);
    X += 4 * activationBytes;
    sums += sumsBytes;
  }
}

/** Adds the products of a tile and the unpacked block to `sums`. */
@inline
function addTile(work: usize, X: usize, sums: usize): void {
  const ones = i16x8.splat(1);
  let x = X + 4 * codesAt;
  let w = work + unpackedCodesAt;
  let a00 = i32x4.neg(v128.load32_splat(X + 4 * totalsAt));
  let a10 = i32x4.neg(v128.load32_splat(X + 4 * totalsAt, 4));
  let a20 = i32x4.neg(v128.load32_splat(X + 4 * totalsAt, 8));
  let a30 = i32x4.neg(v128.load32_splat(X + 4 * totalsAt, 12));
  let a01 = a00;
  let a11 = a10;
  let a21 = a20;
  let a31 = a30;
  // Half of a block's products, 32 steps below 2 · 127 · 3, stay in int16.
  for (const end = X + 4 * activationBytes; x < end;) {
    let d00 = i16x8.splat(0);
    let d01 = d00;
    let d10 = d00;
    let d11 = d00;
    let d20 = d00;
    let d21 = d00;
    let d30 = d00;
    let d31 = d00;
    const stop = x + 512;
    do {
      const w0 = v128.load(w);
      const w1 = v128.load(w, 16);
      let u = v128.load32_splat(x);
      d00 = i16x8.add(d00, dot7(u, w0));
      d01 = i16x8.add(d01, dot7(u, w1));
      u = v128.load32_splat(x, 4);
      d10 = i16x8.add(d10, dot7(u, w0));
      d11 = i16x8.add(d11, dot7(u, w1));
      u = v128.load32_splat(x, 8);
      d20 = i16x8.add(d20, dot7(u, w0));
      d21 = i16x8.add(d21, dot7(u, w1));
      u = v128.load32_splat(x, 12);
      d30 = i16x8.add(d30, dot7(u, w0));
      d31 = i16x8.add(d31, dot7(u, w1));
      x += 16;
      w += 32;
    } while (x < stop);
    a00 = i32x4.add(a00, i32x4.dot_i16x8_s(d00, ones));
    a01 = i32x4.add(a01, i32x4.dot_i16x8_s(d01, ones));
    a10 = i32x4.add(a10, i32x4.dot_i16x8_s(d10, ones));
    a11 = i32x4.add(a11, i32x4.dot_i16x8_s(d11, ones));
    a20 = i32x4.add(a20, i32x4.dot_i16x8_s(d20, ones));
    a21 = i32x4.add(a21, i32x4.dot_i16x8_s(d21, ones));
    a30 = i32x4.add(a30, i32x4.dot_i16x8_s(d30, ones));
    a31 = i32x4.add(a31, i32x4.dot_i16x8_s(d31, ones));
  }
  addScaled(work, X, sums, a00, a01);
  addScaled(work, X + 4, sums + 32, a10, a11);
  addScaled(work, X + 8, sums + 64, a20, a21);
  addScaled(work, X + 12, sums + 96, a30, a31);
}

/** Where 16 bytes of a block begin that have a half's columns A, and B two bits higher. */
@inline
function codesOf(block: usize, half: usize): usize {
  return block + ((half >> 2) << 5) + ((half & 1) << 4);
}

/** The bit where a half's columns A begin in those bytes. */
@inline
function shiftOf(half: usize): i32 {
  return <i32>((half & 2) << 1);
}

function packHalf(from: usize, shift: i32, to: usize): void {
  const mask = i8x16.splat(3);
  const bits = i8x16.shr_u(v128.load(from), shift);
  const A = v128.and(bits, mask);
  const B = v128.and(i8x16.shr_u(bits, 2), mask);
  packQuad(i16x8.shuffle(A, B, 0, 8, 1, 9, 2, 10, 3, 11), to);
  packQuad(i16x8.shuffle(A, B, 4, 12, 5, 13, 6, 14, 7, 15), to + 32);
}

function packQuad(steps: v128, to: usize): void {
  const low = i32x4.extract_lane(steps, 0) | (i32x4.extract_lane(steps, 1) << 2);
  const high = i32x4.extract_lane(steps, 2) | (i32x4.extract_lane(steps, 3) << 2);
  store<i32>(to, low | (high << 4));
}

/** The reverse of `packHalf`, for bytes that are zero where no half was unpacked to. */
function unpackHalf(from: usize, shift: i32, to: usize): void {
  const first = unpackQuad(from);
  const last = unpackQuad(from + 32);
  const A = i16x8.shuffle(first, last, 0, 2, 4, 6, 8, 10, 12, 14);
  const B = i16x8.shuffle(first, last, 1, 3, 5, 7, 9, 11, 13, 15);
  const bits = i8x16.shl(v128.or(A, i8x16.shl(B, 2)), shift);
  v128.store(to, v128.or(v128.load(to), bits));
}

function unpackQuad(from: usize): v128 {
  const codes = v128.load32_splat(from);
  const mask = i8x16.splat(3);
  const low = i32x4.shuffle(
    v128.and(codes, mask),
    v128.and(i16x8.shr_u(codes, 2), mask),
    0,
    4,
    0,
    4,
  );
  const upper = i16x8.shr_u(codes, 4);
  const high = i32x4.shuffle(
    v128.and(upper, mask),
    v128.and(i16x8.shr_u(upper, 2), mask),
    0,
    4,
    0,
    4,
  );
  return i64x2.shuffle(low, high, 0, 2);
}
