/**
 * Activations for weights in blocks of 32: rounded to Q8_0 exactly as `activation-rounding.ts` has it,
 * codes of 8 bits and a float16 scale for each block, and laid out for the dot products of bytes.
 *
 * Vector layout, 40 bytes a block: float32 scale · 2^112 (the weights' scales bring 2^-112, see
 * `half4Small`) | −(sum of the codes of columns 4i and 4i + 1), −(the other columns') as int16 | 32
 * codes.
 *
 * Tile layout, 160 bytes for a block of 4 tokens: 4 scales | 4 × 2 sums | for each 4 columns, 4 tokens
 * × 4 codes. Tokens that are missing have scale and codes 0.
 */

/** Bytes of a block in the vector layout. */
export const vectorBlock32: usize = 40;

/** Bytes of a block of 4 tokens in the tile layout. */
export const tileBlock32: usize = 160;

/** 2^112. */
export const scaleFactor: f32 = reinterpret<f32>(0x77800000);

/** Sign, exponent and fraction of a float16 in float32's places; unknown to the compiler, see simd.ts. */
export let halfMask: i32 = memory.size() > 0 ? 0x8fffe000 : 0;

/**
 * The finite float16 numbers, four at `p`, times 2^-112, exactly: in float32's places their exponent is
 * 112 too small. The activations' scale has the 2^112. `mask` is a splat of `halfMask`.
 */
export function half4Small(p: usize, mask: v128): v128 {
  return v128.and(i32x4.shl(v128.load_ext<i16>(p), 13), mask);
}

/** Rounds one row `x [numCols] float32` into `X`. */
export function prepareVector32(x: usize, X: usize, numCols: i32): void {
  for (const end = x + ((<usize>numCols) << 2); x < end; x += 128, X += vectorBlock32) {
    roundBlock(x, X, X + 4, X + 8, 4);
  }
}

/** Rounds the tiles [firstTile, endTile) of 4 rows of `x [numTokens, numCols] float32` into `X`. */
export function prepareTiles32(
  x: usize,
  X: usize,
  numTokens: i32,
  numCols: i32,
  firstTile: i32,
  endTile: i32,
): void {
  const rowBytes = (<usize>numCols) << 2;
  const tileBytes = <usize>(numCols >> 5) * tileBlock32;
  for (let token = firstTile << 2; token < endTile << 2; token++) {
    const lane = (<usize>(token & 3)) << 2;
    let to = X + <usize>(token >> 2) * tileBytes + lane;
    const end = to + tileBytes;
    for (let at = x + <usize>token * rowBytes; to < end; at += 128, to += tileBlock32) {
      if (token < numTokens) roundBlock(at, to, to + 16, to + 32, 16);
      else clearBlock(to);
    }
  }
}

/** One block: its 32 codes go to `codes` in fours, `stride` bytes from one four to the next. */
function roundBlock(x: usize, scaleAt: usize, sumsAt: usize, codes: usize, stride: usize): void {
  const largest = largestMagnitude(x);
  const codesPerUnit = codesPerUnitOf(largest);
  const first = codes16(x, codesPerUnit);
  const last = codes16(x + 64, codesPerUnit);
  store<f32>(scaleAt, halfOf(largest / 127) * scaleFactor);
  storeFours(codes, stride, first);
  storeFours(codes + (stride << 2), stride, last);
  // Lanes of 32 bits hold the two sums side by side.
  const pairs = i16x8.add(
    i16x8.extadd_pairwise_i8x16_s(first),
    i16x8.extadd_pairwise_i8x16_s(last),
  );
  const halves = i16x8.add(pairs, i32x4.shuffle(pairs, pairs, 2, 3, 0, 1));
  const sums = i16x8.add(halves, i32x4.shuffle(halves, halves, 1, 0, 3, 2));
  v128.store32_lane(sumsAt, i16x8.neg(sums), 0);
}

function storeFours(p: usize, stride: usize, codes: v128): void {
  v128.store32_lane(p, codes, 0);
  v128.store32_lane(p + stride, codes, 1);
  v128.store32_lane(p + 2 * stride, codes, 2);
  v128.store32_lane(p + 3 * stride, codes, 3);
}

/** What belongs to one token in a block of the tile layout becomes 0. */
function clearBlock(p: usize): void {
  for (const end = p + tileBlock32; p < end; p += 16) store<i32>(p, 0);
}

/** The largest magnitude of 32 float32 at `x`, or NaN where there is one. */
export function largestMagnitude(x: usize): f32 {
  // Without its sign, the bits of a larger float are a larger integer, and those of NaN the largest.
  const magnitude = i32x4.splat(0x7fffffff);
  let most = v128.and(v128.load(x), magnitude);
  most = i32x4.max_s(most, v128.and(v128.load(x, 16), magnitude));
  most = i32x4.max_s(most, v128.and(v128.load(x, 32), magnitude));
  most = i32x4.max_s(most, v128.and(v128.load(x, 48), magnitude));
  most = i32x4.max_s(most, v128.and(v128.load(x, 64), magnitude));
  most = i32x4.max_s(most, v128.and(v128.load(x, 80), magnitude));
  most = i32x4.max_s(most, v128.and(v128.load(x, 96), magnitude));
  most = i32x4.max_s(most, v128.and(v128.load(x, 112), magnitude));
  most = i32x4.max_s(most, i32x4.shuffle(most, most, 2, 3, 0, 1));
  most = i32x4.max_s(most, i32x4.shuffle(most, most, 1, 0, 3, 2));
  return f32x4.extract_lane(most, 0);
}

/** What the values of a block with that largest magnitude are multiplied by. */
export function codesPerUnitOf(largest: f32): v128 {
  return f32x4.splat(largest == 0 ? 0 : 127 / largest);
}

/** Codes of the 16 float32 at `x`. */
export function codes16(x: usize, codesPerUnit: v128): v128 {
  return i8x16.narrow_i16x8_s(codes8(x, codesPerUnit), codes8(x + 32, codesPerUnit));
}

function codes8(x: usize, codesPerUnit: v128): v128 {
  const low = nearest4(f32x4.mul(v128.load(x), codesPerUnit));
  return i16x8.narrow_i32x4_s(low, nearest4(f32x4.mul(v128.load(x, 16), codesPerUnit)));
}

/** Four float32 below 2^22 to the nearest int32, halves to even; what is no code stays out of range. */
function nearest4(x: v128): v128 {
  // A sum with 1.5 · 2^23 has no bit below the units, which are its last ones.
  const bias = f32x4.splat(12582912);
  return i32x4.sub(f32x4.add(x, bias), bias);
}

/** The float16 number nearest to `x` ≥ 0, halves to even; NaN stays NaN. */
export function halfOf(x: f32): f32 {
  // Below 2^-14 the step is 2^-24, which is also the step of float32 from 0.5 on.
  if (x < reinterpret<f32>(0x38800000)) return x + 0.5 - 0.5;
  if (x >= 65520) return Infinity;
  const bits = reinterpret<u32>(x);
  return reinterpret<f32>((bits + 0xfff + ((bits >> 13) & 1)) & ~0x1fff);
}
