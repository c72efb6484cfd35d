/**
 * Activations for weights in blocks of 256 columns: int8 codes with a float32 scale for every 256,
 * as `src/kernels/activation-rounding.ts` rounds them (Q8_K), and sums of codes, which minima and
 * middles of weights are multiplied by.
 *
 * A block's 256 columns are 4 pairs of halves: half h of pair p has the 16 columns A from 64p + 16h on
 * and the 16 columns B from 64p + 32 + 16h on. A half is 8 steps: step k is the four codes A[2k],
 * A[2k + 1], B[2k] and B[2k + 1]. So a lane of 32 bits, which belongs to one row of weights, ends as an
 * int16 for A and another for B; these are of different sub-blocks in every format, and one
 * multiplication of pairs of int16 applies the scales of both. Four steps are a quad.
 *
 * A record is a block of T rows: 1 in the layout for a vector, 4 in a tile. Its parts, row by row:
 *   T float32 scales | T int32 sums of all codes
 *   4 pairs × T × (−8 · sum of A, −8 · sum of B) int16
 *   8 halves × T × (−16 · sum of A, −16 · sum of B) int16
 *   16 quads × T × (−32 · sum of A, −32 · sum of B) int16
 *   4 pairs × (T float32 sums of A | T float32 sums of B)
 *   64 steps × T × 4 codes
 * A dot product that begins with the sums in int16 ends as if the middle, 8, 16 or 32, had been taken
 * off codes of 4, 5 or 6 bits; for so many steps that fits into int16, which the codes themselves
 * would not. The records of a vector follow each other; those of tiles are [block][tile].
 */

/** Bytes of a record for each of its rows. */
export const activationBytes: usize = 408;
/** Where a record's parts begin, for each of its rows. */
export const totalsAt: usize = 4;
export const pairSumsAt: usize = 8;
export const halfSumsAt: usize = 24;
export const quadSumsAt: usize = 56;
export const floatSumsAt: usize = 120;
export const codesAt: usize = 152;

/** Rounds x [numCols] float32 into X. */
export function prepareVector256(x: usize, X: usize, numCols: i32): void {
  for (let block = 0; block < numCols >> 8; block++) {
    roundBlock(x, X, 1);
    x += 1024;
    X += activationBytes;
  }
}

/**
 * Rounds tiles [firstTile, endTile) of x [numTokens, numCols] float32 into X. Rows that the last tile
 * lacks are zeros.
 */
export function prepareTiles256(
  x: usize,
  X: usize,
  numTokens: i32,
  numCols: i32,
  firstTile: i32,
  endTile: i32,
): void {
  const numTiles = (numTokens + 3) >> 2;
  for (let tile = firstTile; tile < endTile; tile++) {
    for (let block = 0; block < numCols >> 8; block++) {
      const record = X + <usize>(block * numTiles + tile) * 4 * activationBytes;
      if (4 * tile + 4 > numTokens) memory.fill(record, 0, 4 * activationBytes);
      for (let i = 0; i < min(4, numTokens - 4 * tile); i++) {
        const row = x + ((<usize>(4 * tile + i) * numCols) << 2) + ((<usize>block) << 10);
        roundBlock(row, record + <usize>(4 * i), 4);
      }
    }
  }
}

/** One row of a record of `T` rows; `X` is its begin and four bytes for each row before. */
function roundBlock(x: usize, X: usize, T: usize): void {
  const outer = outermost(x);
  const codesPerUnit: f32 = outer == 0 ? 0 : <f32>-127 / outer;
  store<f32>(X, outer == 0 ? 0 : <f32>1 / codesPerUnit);
  const factor = f32x4.splat(codesPerUnit);
  const row = T << 2;
  let total = i32x4.splat(0);
  for (let pair: usize = 0; pair < 4; pair++) {
    let sum = i16x8.splat(0);
    for (let half = 2 * pair; half < 2 * pair + 2; half++) {
      const from = x + (pair << 8) + ((half & 1) << 6);
      const A = codes16(from, factor);
      const B = codes16(from + 128, factor);
      const low = i16x8.shuffle(A, B, 0, 8, 1, 9, 2, 10, 3, 11);
      const high = i16x8.shuffle(A, B, 4, 12, 5, 13, 6, 14, 7, 15);
      const codes = X + T * codesAt + (half << 3) * row;
      storeSteps(codes, row, low);
      storeSteps(codes + (row << 2), row, high);
      const first = sumOfSteps(low);
      const last = sumOfSteps(high);
      const halfSum = i16x8.add(first, last);
      const quads = X + T * quadSumsAt + (half << 1) * row;
      v128.store32_lane(quads, i16x8.neg(i16x8.shl(first, 5)), 0);
      v128.store32_lane(quads + row, i16x8.neg(i16x8.shl(last, 5)), 0);
      v128.store32_lane(X + T * halfSumsAt + half * row, i16x8.neg(i16x8.shl(halfSum, 4)), 0);
      sum = i16x8.add(sum, halfSum);
    }
    v128.store32_lane(X + T * pairSumsAt + pair * row, i16x8.neg(i16x8.shl(sum, 3)), 0);
    const floats = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(sum));
    v128.store32_lane(X + T * floatSumsAt + 2 * pair * row, floats, 0);
    v128.store32_lane(X + T * floatSumsAt + 2 * pair * row + row, floats, 1);
    total = i32x4.add(total, i32x4.extadd_pairwise_i16x8_s(sum));
  }
  v128.store32_lane(X + T * totalsAt, total, 0);
}

/** The first of 256 values that are furthest from zero. */
function outermost(x: usize): f32 {
  let most = f32x4.splat(0);
  // pmax keeps what it has where the new value is NaN.
  for (let at = x; at < x + 1024; at += 16) most = f32x4.pmax(most, f32x4.abs(v128.load(at)));
  most = f32x4.max(most, i32x4.shuffle(most, most, 2, 3, 0, 1));
  const largest = max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
  const wanted = f32x4.splat(largest);
  for (let at = x; at < x + 1024; at += 16) {
    const values = v128.load(at);
    const found = i32x4.bitmask(f32x4.eq(f32x4.abs(values), wanted));
    if (found) return load<f32>(at + ((<usize>ctz(found)) << 2));
  }
  return 0;
}

/** The codes of 16 values. */
function codes16(x: usize, factor: v128): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(codes4(x, factor), codes4(x + 16, factor)),
    i16x8.narrow_i32x4_s(codes4(x + 32, factor), codes4(x + 48, factor)),
  );
}

@inline
function codes4(x: usize, factor: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x), factor)));
}

/** Four steps, `row` bytes apart. */
@inline
function storeSteps(at: usize, row: usize, steps: v128): void {
  v128.store32_lane(at, steps, 0);
  v128.store32_lane(at + row, steps, 1);
  v128.store32_lane(at + 2 * row, steps, 2);
  v128.store32_lane(at + 3 * row, steps, 3);
}

/** The sums of A and of B over four steps, in the first two lanes of int16. */
@inline
function sumOfSteps(steps: v128): v128 {
  let sum = i16x8.extadd_pairwise_i8x16_s(steps);
  sum = i16x8.add(sum, i32x4.shuffle(sum, sum, 2, 3, 0, 1));
  return i16x8.add(sum, i32x4.shuffle(sum, sum, 1, 0, 3, 2));
}
