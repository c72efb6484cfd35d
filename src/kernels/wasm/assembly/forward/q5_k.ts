/**
 * Q5_K, the affine format (`affine-256.ts`) with codes of 5 bits, times the activations of
 * `activations-256.ts`.
 *
 * A record of 8 rows × 256 columns has 1440 bytes, where GGUF has 1408. A pair's codes are
 * 2 halves × 5 × (rows 0–3, rows 4–7): a lane's 4 bytes of vector i have a row's step i of the half in
 * their low 5 bits, and above them bits of steps 5 to 7. Of step 5 the lower three bits lie in vector 0
 * and the upper two in the uppermost of vector 1, of step 6 likewise in vectors 2 and 3; of step 7 the
 * lower three lie in vector 4, and one each in bit 5 of vectors 1 and 3.
 */
import { activationBytes, codesAt, halfSumsAt, pairSumsAt } from "./activations-256";
import {
  addAffineTile,
  packScales,
  pairsAt,
  unpackScales,
  unpackedCodesAt,
  widenScales,
} from "./affine-256";
import { codeMask5, dot7, half4, madd, storeUpTo8 } from "./simd";
import { gemm256, sumsBytes } from "./tiles-256";

const blockBytes: usize = 176;
const blockHighAt: usize = 16;
const blockCodesAt: usize = 48;
const recordBytes: usize = 1440;
const pairBytes: usize = 352;

/** Interleaves `numRows` rows as GGUF has them at `src` into the records of a group at `dst`. */
export function packQ5_K(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const numBlocks = (<usize>numCols) >> 8;
  memory.fill(dst, 0, numBlocks * recordBytes);
  for (let r: usize = 0; r < <usize>numRows; r++) {
    for (let b: usize = 0; b < numBlocks; b++) {
      const block = src + (r * numBlocks + b) * blockBytes;
      const record = dst + b * recordBytes;
      packScales(block, record, r, pairBytes);
      for (let half: usize = 0; half < 8; half++) packHalf(block, half, codesOf(record, r, half));
    }
  }
}

/** Writes row `row` of the matrix at `W` to `dst` as GGUF has it. */
export function unpackQ5_K(W: usize, row: i32, dst: usize, numCols: i32): void {
  const numBlocks = (<usize>numCols) >> 8;
  const r = (<usize>row) & 7;
  memory.fill(dst, 0, numBlocks * blockBytes);
  for (let b: usize = 0; b < numBlocks; b++) {
    const record = W + (((<usize>row) >> 3) * numBlocks + b) * recordBytes;
    const block = dst + b * blockBytes;
    unpackScales(record, r, pairBytes, block);
    for (let half: usize = 0; half < 8; half++) unpackHalf(codesOf(record, r, half), half, block);
  }
}

/** out[r] = W[r] · x for the rows from `firstRow`, a multiple of 8, to `endRow`. */
export function matvecQ5_K(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const numBlocks = (<usize>numCols) >> 8;
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
        const pairEnd = w + 320;
        do {
          a0 = i32x4.add(a0, halfProducts(w, u, s0));
          a1 = i32x4.add(a1, halfProducts(w + 16, u, s1));
          w += 160;
          u += 32;
        } while (w < pairEnd);
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

/** 4 rows of a half times the steps at `u`; four steps of products below 2 · 127 · 31 fit int16. */
@inline
function halfProducts(w: usize, u: usize, s: v128): v128 {
  const low = i8x16.splat(<i8>codeMask5);
  const c0 = v128.load(w);
  const c1 = v128.load(w, 32);
  const c2 = v128.load(w, 64);
  const c3 = v128.load(w, 96);
  const c4 = v128.load(w, 128);
  const d = i16x8.add(
    i16x8.add(
      dot7(v128.load32_splat(u), v128.and(c0, low)),
      dot7(v128.load32_splat(u, 4), v128.and(c1, low)),
    ),
    i16x8.add(
      dot7(v128.load32_splat(u, 8), v128.and(c2, low)),
      dot7(v128.load32_splat(u, 12), v128.and(c3, low)),
    ),
  );
  const e = i16x8.add(
    i16x8.add(
      dot7(v128.load32_splat(u, 16), v128.and(c4, low)),
      dot7(v128.load32_splat(u, 20), split(c0, c1)),
    ),
    i16x8.add(
      dot7(v128.load32_splat(u, 24), split(c2, c3)),
      dot7(v128.load32_splat(u, 28), scattered(c1, c3, c4)),
    ),
  );
  return i32x4.add(i32x4.dot_i16x8_s(d, s), i32x4.dot_i16x8_s(e, s));
}

/** A step of whose bits the upper three of `a` are the lower, the upper two of `b` the upper. */
@inline
function split(a: v128, b: v128): v128 {
  const lower = v128.and(i16x8.shr_u(a, 5), i8x16.splat(7));
  return v128.or(lower, v128.and(i16x8.shr_u(b, 3), i8x16.splat(0x18)));
}

/** A step whose lower three bits are the upper of `c`, and the others bit 5 of `a` and of `b`. */
@inline
function scattered(a: v128, b: v128, c: v128): v128 {
  const lower = v128.and(i16x8.shr_u(c, 5), i8x16.splat(7));
  const fourth = v128.and(i16x8.shr_u(a, 2), i8x16.splat(8));
  return v128.or(lower, v128.or(fourth, v128.and(i16x8.shr_u(b, 1), i8x16.splat(16))));
}

/** out[t, r] = W[r] · x[t] for the same rows and all tokens; `outStride` in float32. */
export function gemmQ5_K(
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
  const low = i8x16.splat(<i8>codeMask5);
  widenScales(record, work, pairBytes, 16);
  let to = work + unpackedCodesAt;
  for (let half: usize = 0; half < 8; half++, to += 256) {
    const from = codesOf(record, 0, half);
    for (let rows: usize = 0; rows < 32; rows += 16) {
      const c0 = v128.load(from + rows);
      const c1 = v128.load(from + rows, 32);
      const c2 = v128.load(from + rows, 64);
      const c3 = v128.load(from + rows, 96);
      const c4 = v128.load(from + rows, 128);
      v128.store(to + rows, v128.and(c0, low));
      v128.store(to + rows, v128.and(c1, low), 32);
      v128.store(to + rows, v128.and(c2, low), 64);
      v128.store(to + rows, v128.and(c3, low), 96);
      v128.store(to + rows, v128.and(c4, low), 128);
      v128.store(to + rows, split(c0, c1), 160);
      v128.store(to + rows, split(c2, c3), 192);
      v128.store(to + rows, scattered(c1, c3, c4), 224);
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

/** Eight steps of products within 2 · 127 · 16 stay in int16. */
@inline
function addTile(work: usize, X: usize, sums: usize): void {
  addAffineTile(work, X, sums, halfSumsAt, 8);
}

/** Where a half's codes of row `r` begin in a record; the next vector's are 32 bytes further on. */
@inline
function codesOf(record: usize, r: usize, half: usize): usize {
  return record + pairsAt + (half >> 1) * pairBytes + 32 + (half & 1) * 160 + (r << 2);
}

/**
 * 16 bytes of a block have columns A in their low nibbles and B in their high ones; the fifth bits of a
 * pair's columns A and B are neighbours in 16 bytes that all pairs share.
 */
function packHalf(block: usize, half: usize, to: usize): void {
  const bytes = v128.load(block + blockCodesAt + (half << 4));
  const pair = <i32>(half >> 1);
  const bits = i8x16.shr_u(v128.load(block + blockHighAt + ((half & 1) << 4)), 2 * pair);
  const one = i8x16.splat(1);
  const A = v128.or(v128.and(bytes, i8x16.splat(15)), i8x16.shl(v128.and(bits, one), 4));
  const upper = i8x16.shl(v128.and(i8x16.shr_u(bits, 1), one), 4);
  const B = v128.or(i8x16.shr_u(bytes, 4), upper);
  const first = i16x8.shuffle(A, B, 0, 8, 1, 9, 2, 10, 3, 11);
  const last = i16x8.shuffle(A, B, 4, 12, 5, 13, 6, 14, 7, 15);
  const c5 = i32x4.extract_lane(last, 1);
  const c6 = i32x4.extract_lane(last, 2);
  const c7 = i32x4.extract_lane(last, 3);
  const lowest = 0x07070707;
  const bit3 = ((c7 >> 3) & 0x01010101) << 5;
  const bit4 = ((c7 >> 4) & 0x01010101) << 5;
  const above5 = ((c5 >> 3) & 0x03030303) << 6;
  const above6 = ((c6 >> 3) & 0x03030303) << 6;
  store<i32>(to, i32x4.extract_lane(first, 0) | ((c5 & lowest) << 5));
  store<i32>(to, i32x4.extract_lane(first, 1) | above5 | bit3, 32);
  store<i32>(to, i32x4.extract_lane(first, 2) | ((c6 & lowest) << 5), 64);
  store<i32>(to, i32x4.extract_lane(first, 3) | above6 | bit4, 96);
  store<i32>(to, i32x4.extract_lane(last, 0) | ((c7 & lowest) << 5), 128);
}

/** The reverse of `packHalf`, for a block that is zero where no half was unpacked to. */
function unpackHalf(from: usize, half: usize, block: usize): void {
  const low = i8x16.splat(31);
  const c0 = v128.load32_zero(from);
  const c1 = v128.load32_zero(from, 32);
  const c2 = v128.load32_zero(from, 64);
  const c3 = v128.load32_zero(from, 96);
  const c4 = v128.load32_zero(from, 128);
  const first = v128.and(joined(c0, c1, c2, c3), low);
  const last = joined(v128.and(c4, low), split(c0, c1), split(c2, c3), scattered(c1, c3, c4));
  const A = i16x8.shuffle(first, last, 0, 2, 4, 6, 8, 10, 12, 14);
  const B = i16x8.shuffle(first, last, 1, 3, 5, 7, 9, 11, 13, 15);
  const nibble = i8x16.splat(15);
  const bytes = v128.or(v128.and(A, nibble), i8x16.shl(v128.and(B, nibble), 4));
  v128.store(block + blockCodesAt + (half << 4), bytes);
  const bits = v128.or(i8x16.shr_u(A, 4), i8x16.shl(i8x16.shr_u(B, 4), 1));
  const shared = block + blockHighAt + ((half & 1) << 4);
  const shift = <i32>(half & 6);
  v128.store(shared, v128.or(v128.load(shared), i8x16.shl(bits, shift)));
}

/** The first lanes of four. */
function joined(a: v128, b: v128, c: v128, d: v128): v128 {
  return i64x2.shuffle(i32x4.shuffle(a, b, 0, 4, 0, 4), i32x4.shuffle(c, d, 0, 4, 0, 4), 0, 2);
}
