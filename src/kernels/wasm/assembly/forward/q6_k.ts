/**
 * Q6_K: x ≈ (d · s) · (q − 32), with q of 6 bits, int8 s for every 16 columns and float16 d for every
 * 256, times the activations of `activations-256.ts`.
 *
 * A record of 8 rows × 256 columns has 1680 bytes, as in GGUF:
 *   8 d | 8 halves × 8 rows × (s of A, s of B)
 *   16 quads × 3 × (rows 0–3, rows 4–7): a lane's 4 bytes of vector i have a row's step i of the quad
 *   in their low 6 bits, and above them two bits of its step 3, the lowest two in vector 0.
 *
 * Unpacked for GEMM, a block is:
 *   8 d float32 | 8 halves × 8 rows × (s of A, s of B) int16 | 64 steps × 8 rows × 4 codes
 */
import { activationBytes, codesAt, quadSumsAt } from "./activations-256";
import { codeMask6, dot7, half4, highBitsMask, madd, storeUpTo8 } from "./simd";
import { addScaled, gemm256, sumsBytes } from "./tiles-256";

const blockBytes: usize = 210;
const blockHighAt: usize = 128;
const blockScalesAt: usize = 192;
const blockScaleAt: usize = 208;
const recordBytes: usize = 1680;
const scalesAt: usize = 16;
const quadsAt: usize = 144;
const quadBytes: usize = 96;
/** Where an unpacked block's parts begin. */
const unpackedScalesAt: usize = 32;
const unpackedCodesAt: usize = 288;

/** Interleaves `numRows` rows as GGUF has them at `src` into the records of a group at `dst`. */
export function packQ6_K(src: usize, dst: usize, numRows: i32, numCols: i32): void {
  const numBlocks = (<usize>numCols) >> 8;
  memory.fill(dst, 0, numBlocks * recordBytes);
  for (let r: usize = 0; r < <usize>numRows; r++) {
    for (let b: usize = 0; b < numBlocks; b++) {
      const block = src + (r * numBlocks + b) * blockBytes;
      const record = dst + b * recordBytes;
      store<u16>(record + 2 * r, load<u16>(block + blockScaleAt));
      for (let half: usize = 0; half < 8; half++) packHalf(block, record, r, half);
    }
  }
}

/** Writes row `row` of the matrix at `W` to `dst` as GGUF has it. */
export function unpackQ6_K(W: usize, row: i32, dst: usize, numCols: i32): void {
  const numBlocks = (<usize>numCols) >> 8;
  const r = (<usize>row) & 7;
  memory.fill(dst, 0, numBlocks * blockBytes);
  for (let b: usize = 0; b < numBlocks; b++) {
    const record = W + (((<usize>row) >> 3) * numBlocks + b) * recordBytes;
    const block = dst + b * blockBytes;
    store<u16>(block + blockScaleAt, load<u16>(record + 2 * r));
    for (let half: usize = 0; half < 8; half++) unpackHalf(record, r, half, block);
  }
}

/** out[r] = W[r] · x for the rows from `firstRow`, a multiple of 8, to `endRow`. */
export function matvecQ6_K(
  W: usize,
  x: usize,
  out: usize,
  numCols: i32,
  firstRow: i32,
  endRow: i32,
): void {
  const numBlocks = (<usize>numCols) >> 8;
  const low = i8x16.splat(<i8>codeMask6);
  const high = i8x16.splat(<i8>highBitsMask);
  for (let r = firstRow; r < endRow; r += 8) {
    let w = W + ((<usize>r) >> 3) * numBlocks * recordBytes;
    let sum0 = f32x4.splat(0);
    let sum1 = sum0;
    for (let X = x; X < x + numBlocks * activationBytes; X += activationBytes) {
      const record = w;
      let a0 = i32x4.splat(0);
      let a1 = a0;
      let u = X + codesAt;
      let bias = X + quadSumsAt;
      const scales = w + scalesAt;
      let quad: usize = 0;
      w += quadsAt;
      do {
        // Two quads share the scales of a half.
        const s = scales + ((quad >> 1) << 4);
        const s0 = v128.load_ext<i8>(s);
        const s1 = v128.load_ext<i8>(s, 8);
        const d = v128.load32_splat(bias);
        const x0 = v128.load32_splat(u);
        const x1 = v128.load32_splat(u, 4);
        const x2 = v128.load32_splat(u, 8);
        const x3 = v128.load32_splat(u, 12);
        let c0 = v128.load(w);
        let c1 = v128.load(w, 32);
        let c2 = v128.load(w, 64);
        let e = i16x8.add(dot7(x0, v128.and(c0, low)), dot7(x1, v128.and(c1, low)));
        let f = i16x8.add(dot7(x2, v128.and(c2, low)), dot7(x3, fourth(c0, c1, c2, high)));
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(i16x8.add(d, i16x8.add(e, f)), s0));
        c0 = v128.load(w, 16);
        c1 = v128.load(w, 48);
        c2 = v128.load(w, 80);
        e = i16x8.add(dot7(x0, v128.and(c0, low)), dot7(x1, v128.and(c1, low)));
        f = i16x8.add(dot7(x2, v128.and(c2, low)), dot7(x3, fourth(c0, c1, c2, high)));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(i16x8.add(d, i16x8.add(e, f)), s1));
        w += quadBytes;
        u += 16;
        bias += 4;
        quad++;
      } while (quad < 16);
      const scale = v128.load32_splat(X);
      sum0 = madd(f32x4.convert_i32x4_s(a0), f32x4.mul(half4(record), scale), sum0);
      sum1 = madd(f32x4.convert_i32x4_s(a1), f32x4.mul(half4(record + 8), scale), sum1);
    }
    storeUpTo8(out + ((<usize>r) << 2), sum0, sum1, endRow - r);
  }
}

/** The step whose bits lie above those of the other three. */
@inline
function fourth(c0: v128, c1: v128, c2: v128, high: v128): v128 {
  const lower = v128.or(i16x8.shr_u(v128.and(c0, high), 2), v128.and(c1, high));
  return i16x8.shr_u(v128.or(i16x8.shr_u(lower, 2), v128.and(c2, high)), 2);
}

/** out[t, r] = W[r] · x[t] for the same rows and all tokens; `outStride` in float32. */
export function gemmQ6_K(
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
  const low = i8x16.splat(<i8>codeMask6);
  const high = i8x16.splat(<i8>highBitsMask);
  v128.store(work, half4(record));
  v128.store(work, half4(record + 8), 16);
  let from = record + quadsAt;
  let to = work + unpackedCodesAt;
  for (let at: usize = 0; at < 128; at += 8) {
    v128.store(work + unpackedScalesAt + 2 * at, v128.load_ext<i8>(record + scalesAt + at));
  }
  for (; from < record + recordBytes; from += quadBytes, to += 128) {
    for (let rows: usize = 0; rows < 32; rows += 16) {
      const c0 = v128.load(from + rows);
      const c1 = v128.load(from + rows, 32);
      const c2 = v128.load(from + rows, 64);
      v128.store(to + rows, v128.and(c0, low));
      v128.store(to + rows, v128.and(c1, low), 32);
      v128.store(to + rows, v128.and(c2, low), 64);
      v128.store(to + rows, fourth(c0, c1, c2, high), 96);
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
  let x = X + 4 * codesAt;
  let w = work + unpackedCodesAt;
  let s = work + unpackedScalesAt;
  let bias = X + 4 * quadSumsAt;
  let a00 = i32x4.splat(0);
  let a01 = a00;
  let a10 = a00;
  let a11 = a00;
  let a20 = a00;
  let a21 = a00;
  let a30 = a00;
  let a31 = a00;
  for (const end = X + 4 * activationBytes; x < end; s += 32) {
    // Four steps of products within 2 · 127 · 32 stay in int16.
    for (const halfEnd = x + 128; x < halfEnd;) {
      let d00 = v128.load32_splat(bias);
      let d01 = d00;
      let d10 = v128.load32_splat(bias, 4);
      let d11 = d10;
      let d20 = v128.load32_splat(bias, 8);
      let d21 = d20;
      let d30 = v128.load32_splat(bias, 12);
      let d31 = d30;
      bias += 16;
      const stop = x + 64;
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
  addScaled(work, X, sums, a00, a01);
  addScaled(work, X + 4, sums + 32, a10, a11);
  addScaled(work, X + 8, sums + 64, a20, a21);
  addScaled(work, X + 12, sums + 96, a30, a31);
}

/** A half's columns A and B have 16 bytes each with their low nibbles, and share 16 with high bits. */
function packHalf(block: usize, record: usize, r: usize, half: usize): void {
  const upper = (half >> 1) & 1;
  const lowAt = block + ((half >> 2) << 6) + ((half & 1) << 4);
  const highAt = block + blockHighAt + ((half >> 2) << 5) + ((half & 1) << 4);
  const high = i8x16.shr_u(v128.load(highAt), <i32>(4 * upper));
  const A = joined(i8x16.shr_u(v128.load(lowAt), <i32>(4 * upper)), high);
  const B = joined(i8x16.shr_u(v128.load(lowAt, 32), <i32>(4 * upper)), i8x16.shr_u(high, 2));
  const to = record + quadsAt + 2 * half * quadBytes + (r << 2);
  const smalls = record + scalesAt + (half << 4) + 2 * r;
  const scales = block + blockScalesAt + ((half >> 1) << 2) + (half & 1);
  store<u8>(smalls, load<u8>(scales));
  store<u8>(smalls, load<u8>(scales, 2), 1);
  packQuad(i16x8.shuffle(A, B, 0, 8, 1, 9, 2, 10, 3, 11), to);
  packQuad(i16x8.shuffle(A, B, 4, 12, 5, 13, 6, 14, 7, 15), to + quadBytes);
}

/** Codes of the lowest four bits of `low` and two of `high`. */
function joined(low: v128, high: v128): v128 {
  const lowBits = v128.and(low, i8x16.splat(15));
  return v128.or(lowBits, i8x16.shl(v128.and(high, i8x16.splat(3)), 4));
}

function packQuad(steps: v128, to: usize): void {
  const last = i32x4.extract_lane(steps, 3);
  store<i32>(to, i32x4.extract_lane(steps, 0) | ((last << 6) & 0xc0c0c0c0));
  store<i32>(to, i32x4.extract_lane(steps, 1) | ((last << 4) & 0xc0c0c0c0), 32);
  store<i32>(to, i32x4.extract_lane(steps, 2) | ((last << 2) & 0xc0c0c0c0), 64);
}

/** The reverse of `packHalf`, for a block that is zero where no half was unpacked to. */
function unpackHalf(record: usize, r: usize, half: usize, block: usize): void {
  const upper = (half >> 1) & 1;
  const from = record + quadsAt + 2 * half * quadBytes + (r << 2);
  const smalls = record + scalesAt + (half << 4) + 2 * r;
  const scales = block + blockScalesAt + ((half >> 1) << 2) + (half & 1);
  store<u8>(scales, load<u8>(smalls));
  store<u8>(scales, load<u8>(smalls, 1), 2);
  const first = unpackQuad(from);
  const last = unpackQuad(from + quadBytes);
  const A = i16x8.shuffle(first, last, 0, 2, 4, 6, 8, 10, 12, 14);
  const B = i16x8.shuffle(first, last, 1, 3, 5, 7, 9, 11, 13, 15);
  const lowAt = block + ((half >> 2) << 6) + ((half & 1) << 4);
  const highAt = block + blockHighAt + ((half >> 2) << 5) + ((half & 1) << 4);
  addBits(lowAt, v128.and(A, i8x16.splat(15)), <i32>(4 * upper));
  addBits(lowAt + 32, v128.and(B, i8x16.splat(15)), <i32>(4 * upper));
  addBits(highAt, i8x16.shr_u(A, 4), <i32>(4 * upper));
  addBits(highAt, i8x16.shr_u(B, 4), <i32>(4 * upper + 2));
}

function unpackQuad(from: usize): v128 {
  const c0 = load<u32>(from);
  const c1 = load<u32>(from, 32);
  const c2 = load<u32>(from, 64);
  const bits: u32 = 0xc0c0c0c0;
  let steps = i32x4.splat(((c0 & bits) >> 6) | ((c1 & bits) >> 4) | ((c2 & bits) >> 2));
  steps = i32x4.replace_lane(steps, 0, c0 & ~bits);
  steps = i32x4.replace_lane(steps, 1, c1 & ~bits);
  return i32x4.replace_lane(steps, 2, c2 & ~bits);
}

function addBits(at: usize, codes: v128, shift: i32): void {
  v128.store(at, v128.or(v128.load(at), i8x16.shl(codes, shift)));
}
