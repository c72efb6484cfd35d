/**
 * Q4_K, the affine format (`affine-256.ts`) with codes of 4 bits, times the activations of
 * `activations-256.ts`.
 *
 * A record of 8 rows × 256 columns has 1184 bytes, where GGUF has 1152. A pair's codes are
 * 8 × (rows 0–3, rows 4–7): a lane's 4 bytes have a row's step of the first half in their low nibbles,
 * and of the second half in their high ones.
 */
import { activationBytes, codesAt, pairSumsAt } from "./activations-256";
import {
  addAffineTile,
  packScales,
  pairsAt,
  unpackScales,
  unpackedCodesAt,
  widenScales,
} from "./affine-256";
import { dot7, half4, madd, nibbleMask, storeUpTo8 } from "./simd";
import { gemm256, sumsBytes } from "./tiles-256";

const blockBytes: usize = 144;
const blockCodesAt: usize = 16;
const recordBytes: usize = 1184;
const pairBytes: usize = 288;

/** Interleaves `numRows` rows as GGUF has them at `src` into the records of a group at `dst`. */
export function packQ4_K(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const numBlocks = (<usize>numCols) >> 8;
  memory.fill(dst, 0, numBlocks * recordBytes);
  for (let r: usize = 0; r < <usize>numRows; r++) {
    for (let b: usize = 0; b < numBlocks; b++) {
      const block = src + (r * numBlocks + b) * blockBytes;
      const record = dst + b * recordBytes;
      packScales(block, record, r, pairBytes);
      for (let pair: usize = 0; pair < 4; pair++) {
        packPair(block + blockCodesAt + (pair << 5), codesOf(record, r, pair));
      }
    }
  }
}

/** Writes row `row` of the matrix at `W` to `dst` as GGUF has it. */
export function unpackQ4_K(W: usize, row: i32, dst: usize, numCols: i32): void {
  const numBlocks = (<usize>numCols) >> 8;
  const r = (<usize>row) & 7;
  for (let b: usize = 0; b < numBlocks; b++) {
    const record = W + (((<usize>row) >> 3) * numBlocks + b) * recordBytes;
    const block = dst + b * blockBytes;
    unpackScales(record, r, pairBytes, block);
    for (let pair: usize = 0; pair < 4; pair++) {
      unpackPair(codesOf(record, r, pair), block + blockCodesAt + (pair << 5));
    }
  }
}

/** out[r] = W[r] · x for the rows from `firstRow`, a multiple of 8, to `endRow`. */
export function matvecQ4_K(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const numBlocks = (<usize>numCols) >> 8;
  const mask = i8x16.splat(<i8>nibbleMask);
  for (let r = firstRow; r < endRow; r += 8) {
    let w = W + ((<usize>r) >> 3) * numBlocks * recordBytes;
    let sum0 = f32x4.splat(0);
    let sum1 = sum0;
    for (let X = x; X < x + numBlocks * activationBytes; X += activationBytes) {
      const record = w;
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let m0 = a0;
      let m1 = a0;
      let u = X + codesAt;
      let pairSum = X + pairSumsAt;
      w += pairsAt;
      for (const end = w + 4 * pairBytes; w < end; pairSum += 4) {
        const s0 = v128.load_ext<u8>(w);
        const s1 = v128.load_ext<u8>(w, 8);
        const sums = v128.load32_splat(pairSum);
        m0 = i32x4.add(m0, i32x4.dot_i16x8_s(sums, v128.load_ext<u8>(w, 16)));
        m1 = i32x4.add(m1, i32x4.dot_i16x8_s(sums, v128.load_ext<u8>(w, 24)));
        w += 32;
        // Eight steps of products below 2 · 127 · 15 stay in int16.
        let d0 = i16x8.splat(0);
        let d1 = d0;
        let e0 = d0;
        let e1 = d0;
        const stop = w + 256;
        do {
          const first = v128.load32_splat(u);
          const second = v128.load32_splat(u, 32);
          const c0 = v128.load(w);
          const c1 = v128.load(w, 16);
          d0 = i16x8.add(d0, dot7(first, v128.and(c0, mask)));
          d1 = i16x8.add(d1, dot7(first, v128.and(c1, mask)));
          e0 = i16x8.add(e0, dot7(second, v128.and(i16x8.shr_u(c0, 4), mask)));
          e1 = i16x8.add(e1, dot7(second, v128.and(i16x8.shr_u(c1, 4), mask)));
          u += 4;
          w += 32;
        } while (w < stop);
        u += 32;
        a0 = i32x4.add(a0, i32x4.add(i32x4.dot_i16x8_s(d0, s0), i32x4.dot_i16x8_s(e0, s0)));
        a1 = i32x4.add(a1, i32x4.add(i32x4.dot_i16x8_s(d1, s1), i32x4.dot_i16x8_s(e1, s1)));
      }
      const scale = v128.load32_splat(X);
      sum0 = madd(f32x4.convert_i32x4_s(a0), f32x4.mul(half4(record), scale), sum0);
      sum1 = madd(f32x4.convert_i32x4_s(a1), f32x4.mul(half4(record + 8), scale), sum1);
      // The pairs' sums are times −8.
      const eighth = f32x4.mul(scale, f32x4.splat(0.125));
      sum0 = madd(f32x4.convert_i32x4_s(m0), f32x4.mul(half4(record + 16), eighth), sum0);
      sum1 = madd(f32x4.convert_i32x4_s(m1), f32x4.mul(half4(record + 24), eighth), sum1);
    }
    storeUpTo8(out + ((<usize>r) << 2), sum0, sum1, endRow - r);
  }
}

/** out[t, r] = W[r] · x[t] for the same rows and all tokens; `outStride` in float32. */
export function gemmQ4_K(
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
  const mask = i8x16.splat(<i8>nibbleMask);
  widenScales(record, work, pairBytes, 8);
  let to = work + unpackedCodesAt;
  for (let pair: usize = 0; pair < 4; pair++, to += 512) {
    const from = codesOf(record, 0, pair);
    for (let at: usize = 0; at < 256; at += 16) {
      const codes = v128.load(from + at);
      v128.store(to + at, v128.and(codes, mask));
      v128.store(to + at, v128.and(i16x8.shr_u(codes, 4), mask), 256);
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

/** Sixteen steps of products within 2 · 127 · 8 stay in int16. */
@inline
function addTile(work: usize, X: usize, sums: usize): void {
  addAffineTile(work, X, sums, pairSumsAt, 16);
}

/** Where a pair's codes of row `r` begin in a record; the next step's are 32 bytes further on. */
@inline
function codesOf(record: usize, r: usize, pair: usize): usize {
  return record + pairsAt + pair * pairBytes + 32 + (r << 2);
}

/** 32 bytes of a block have columns A of both halves in their low nibbles, B in their high ones. */
function packPair(from: usize, to: usize): void {
  const first = v128.load(from);
  const second = v128.load(from, 16);
  // The nibbles of A, those of the second half above those of the first; and so for B.
  const A = v128.or(v128.and(first, i8x16.splat(15)), i8x16.shl(second, 4));
  const B = v128.or(i8x16.shr_u(first, 4), v128.and(second, i8x16.splat(<i8>0xf0)));
  storeSteps(i16x8.shuffle(A, B, 0, 8, 1, 9, 2, 10, 3, 11), to);
  storeSteps(i16x8.shuffle(A, B, 4, 12, 5, 13, 6, 14, 7, 15), to + 128);
}

function storeSteps(steps: v128, to: usize): void {
  v128.store32_lane(to, steps, 0);
  v128.store32_lane(to, steps, 1, 32);
  v128.store32_lane(to, steps, 2, 64);
  v128.store32_lane(to, steps, 3, 96);
}

/** The reverse of `packPair`. */
function unpackPair(from: usize, to: usize): void {
  const low = loadSteps(from);
  const high = loadSteps(from + 128);
  const A = i16x8.shuffle(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
  const B = i16x8.shuffle(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
  v128.store(to, v128.or(v128.and(A, i8x16.splat(15)), i8x16.shl(B, 4)));
  v128.store(to, v128.or(i8x16.shr_u(A, 4), v128.and(B, i8x16.splat(<i8>0xf0))), 16);
}

function loadSteps(from: usize): v128 {
  let steps = v128.load32_zero(from);
  steps = v128.load32_lane(from, steps, 1, 32);
  steps = v128.load32_lane(from, steps, 2, 64);
  return v128.load32_lane(from, steps, 3, 96);
}
