/**
 * What Q4_K and Q5_K share: x ≈ (d · s) · q − (dmin · m), with q of 4 or 5 bits, s and m of 6 for
 * every 32 columns, and float16 d and dmin for every 256. In GGUF a block begins with d, dmin and 12
 * bytes of scales and minima. In a record of 8 rows they are whole bytes:
 *   8 d | 8 dmin | 4 pairs × (8 rows × (s of A, s of B) | 8 rows × (m of A, m of B) | codes)
 *
 * GEMM multiplies by q − middle, with a middle of 8 or 16, and adds an offset times the sum of the
 * activations. Unpacked, a block is:
 *   8 d float32 | 4 pairs × 8 rows × (s of A, s of B) int16
 *   4 pairs × (8 offsets of A | 8 offsets of B) float32: middle · d · s − dmin · m
 *   64 steps × 8 rows × 4 codes
 */
import { activationBytes, codesAt, floatSumsAt } from "./activations-256";
import { dot7, half4, madd } from "./simd";

/** Where a GGUF block's scales and minima begin. */
const smallsAt: usize = 4;
/** Where a record's first pair begins. */
export const pairsAt: usize = 32;
/** Where an unpacked block's parts begin. */
const unpackedScalesAt: usize = 32;
const offsetsAt: usize = 160;
export const unpackedCodesAt: usize = 416;

/** Copies all of a GGUF block but its codes to row `r` of a record with pairs of `pairBytes`. */
export function packScales(block: usize, record: usize, r: usize, pairBytes: usize): void {
  store<u16>(record + 2 * r, load<u16>(block));
  store<u16>(record + 16 + 2 * r, load<u16>(block, 2));
  const smalls = block + smallsAt;
  const to = record + pairsAt + 2 * r;
  for (let i: usize = 0; i < 4; i++) {
    const first = load<u8>(smalls + i);
    const second = load<u8>(smalls + i, 4);
    const shared = load<u8>(smalls + i, 8);
    const at = to + (i >> 1) * pairBytes + (i & 1);
    store<u8>(at, first & 63);
    store<u8>(at, second & 63, 16);
    store<u8>(at + 2 * pairBytes, (shared & 15) | ((first >> 6) << 4));
    store<u8>(at + 2 * pairBytes, (shared >> 4) | ((second >> 6) << 4), 16);
  }
}

/** The reverse of `packScales`. */
export function unpackScales(record: usize, r: usize, pairBytes: usize, block: usize): void {
  store<u16>(block, load<u16>(record + 2 * r));
  store<u16>(block, load<u16>(record + 16 + 2 * r), 2);
  const smalls = block + smallsAt;
  const from = record + pairsAt + 2 * r;
  for (let i: usize = 0; i < 4; i++) {
    const at = from + (i >> 1) * pairBytes + (i & 1);
    const s = load<u8>(at + 2 * pairBytes);
    const m = load<u8>(at + 2 * pairBytes, 16);
    store<u8>(smalls + i, load<u8>(at) | ((s >> 4) << 6));
    store<u8>(smalls + i, load<u8>(at, 16) | ((m >> 4) << 6), 4);
    store<u8>(smalls + i, (s & 15) | (m << 4), 8);
  }
}

/** Unpacks all of a record but its codes. */
export function widenScales(record: usize, work: usize, pairBytes: usize, middle: f32): void {
  for (let rows: usize = 0; rows < 8; rows += 4) {
    const d = half4(record + 2 * rows);
    const dmin = half4(record + 16 + 2 * rows);
    const middles = f32x4.mul(d, f32x4.splat(middle));
    v128.store(work + 4 * rows, d);
    for (let pair: usize = 0; pair < 4; pair++) {
      const from = record + pairsAt + pair * pairBytes + 2 * rows;
      const s = v128.load_ext<u8>(from);
      const m = v128.load_ext<u8>(from + 16);
      const to = work + offsetsAt + (pair << 6) + 4 * rows;
      v128.store(work + unpackedScalesAt + (pair << 5) + 4 * rows, s);
      const low = i32x4.splat(0xffff);
      v128.store(to, offsetOf(v128.and(s, low), middles, v128.and(m, low), dmin));
      v128.store(to, offsetOf(i32x4.shr_u(s, 16), middles, i32x4.shr_u(m, 16), dmin), 32);
    }
  }
}

@inline
function offsetOf(s: v128, middles: v128, m: v128, dmin: v128): v128 {
  const minima = f32x4.mul(f32x4.convert_i32x4_s(m), dmin);
  return f32x4.sub(f32x4.mul(f32x4.convert_i32x4_s(s), middles), minima);
}

/**
 * Adds the products of a tile `X` and an unpacked block to `sums`. Dot products of `numSteps` steps
 * begin with the tile's sums in part `biasAt`. One step a turn, because V8 loads all that a longer
 * body needs at its beginning and then has too few registers.
 */
@inline
export function addAffineTile(
  work: usize,
  X: usize,
  sums: usize,
  biasAt: usize,
  numSteps: usize,
): void {
  let x = X + 4 * codesAt;
  let w = work + unpackedCodesAt;
  let s = work + unpackedScalesAt;
  let bias = X + 4 * biasAt;
  let a00 = i32x4.splat(0);
  let a01 = a00;
  let a10 = a00;
  let a11 = a00;
  let a20 = a00;
  let a21 = a00;
  let a30 = a00;
  let a31 = a00;
  for (const end = X + 4 * activationBytes; x < end; s += 32) {
    for (const pairEnd = x + 256; x < pairEnd;) {
      let d00 = v128.load32_splat(bias);
      let d01 = d00;
      let d10 = v128.load32_splat(bias, 4);
      let d11 = d10;
      let d20 = v128.load32_splat(bias, 8);
      let d21 = d20;
      let d30 = v128.load32_splat(bias, 12);
      let d31 = d30;
      bias += 16;
      const stop = x + 16 * numSteps;
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
      const s0 = v128.load(s);
      const s1 = v128.load(s, 16);
      a00 = i32x4.add(a00, i32x4.dot_i16x8_s(d00, s0));
      a01 = i32x4.add(a01, i32x4.dot_i16x8_s(d01, s1));
      a10 = i32x4.add(a10, i32x4.dot_i16x8_s(d10, s0));
      a11 = i32x4.add(a11, i32x4.dot_i16x8_s(d11, s1));
      a20 = i32x4.add(a20, i32x4.dot_i16x8_s(d20, s0));
      a21 = i32x4.add(a21, i32x4.dot_i16x8_s(d21, s1));
      a30 = i32x4.add(a30, i32x4.dot_i16x8_s(d30, s0));
      a31 = i32x4.add(a31, i32x4.dot_i16x8_s(d31, s1));
    }
  }
  const d0 = v128.load(work);
  const d1 = v128.load(work, 16);
  a00 = f32x4.mul(f32x4.convert_i32x4_s(a00), d0);
  a01 = f32x4.mul(f32x4.convert_i32x4_s(a01), d1);
  a10 = f32x4.mul(f32x4.convert_i32x4_s(a10), d0);
  a11 = f32x4.mul(f32x4.convert_i32x4_s(a11), d1);
  a20 = f32x4.mul(f32x4.convert_i32x4_s(a20), d0);
  a21 = f32x4.mul(f32x4.convert_i32x4_s(a21), d1);
  a30 = f32x4.mul(f32x4.convert_i32x4_s(a30), d0);
  a31 = f32x4.mul(f32x4.convert_i32x4_s(a31), d1);
  let c = work + offsetsAt;
  x = X + 4 * floatSumsAt;
  do {
    const c0 = v128.load(c);
    const c1 = v128.load(c, 16);
    let u = v128.load32_splat(x);
    a00 = madd(u, c0, a00);
    a01 = madd(u, c1, a01);
    u = v128.load32_splat(x, 4);
    a10 = madd(u, c0, a10);
    a11 = madd(u, c1, a11);
    u = v128.load32_splat(x, 8);
    a20 = madd(u, c0, a20);
    a21 = madd(u, c1, a21);
    u = v128.load32_splat(x, 12);
    a30 = madd(u, c0, a30);
    a31 = madd(u, c1, a31);
    x += 16;
    c += 32;
  } while (x < X + 4 * codesAt);
  addTimesScale(X, sums, a00, a01);
  addTimesScale(X + 4, sums + 32, a10, a11);
  addTimesScale(X + 8, sums + 64, a20, a21);
  addTimesScale(X + 12, sums + 96, a30, a31);
}

/** Adds the products of one token and 8 rows, times the token's scale at `X`. */
@inline
function addTimesScale(X: usize, sums: usize, low: v128, high: v128): void {
  const scale = v128.load32_splat(X);
  v128.store(sums, madd(scale, low, v128.load(sums)));
  v128.store(sums, madd(scale, high, v128.load(sums, 16)), 16);
}
