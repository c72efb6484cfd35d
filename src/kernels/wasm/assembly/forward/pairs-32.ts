/**
 * Activations for Q8_0, whose codes take all of 8 bits: rounded as in `activations-32.ts`, laid out for
 * dot products of int16.
 *
 * Vector layout, 72 bytes a block: float32 scale · 2^104 | int32 −2^15 · (sum of the codes of even
 * columns) | for each 4 columns with codes a, b, c, d: b, d, 256a − b, 256c − d as int16. Why, is said at
 * `matvecQ8_0`.
 *
 * Tile layout, 288 bytes for a block of 4 tokens: 4 scales | 4 sums | for each 4 columns, b, d of the 4
 * tokens and then 256a − b, 256c − d of them. Tokens that are missing are zeros. Where `wideDots`, tiles
 * are those of `activations-32.ts` instead, which take less.
 */
import {
  codes16,
  codesPerUnitOf,
  halfOf,
  largestMagnitude,
  prepareTiles32,
  scaleFactor,
} from "./activations-32";
import { wideDots } from "./tiles-32";

/** Bytes of a block in the vector layout. */
export const vectorPairs32: usize = 72;

/** Bytes of a block of 4 tokens in the tile layout. */
export const tilePairs32: usize = 288;

/** Rounds one row `x [numCols] float32` into `X`. */
export function prepareVectorPairs32(x: usize, X: usize, numCols: i32): void {
  for (const end = x + ((<usize>numCols) << 2); x < end; x += 128, X += vectorPairs32) {
    const largest = largestMagnitude(x);
    const codesPerUnit = codesPerUnitOf(largest);
    const first = codes16(x, codesPerUnit);
    const last = codes16(x + 64, codesPerUnit);
    store<f32>(X, (halfOf(largest / 127) * scaleFactor) / 256);
    store<i32>(X, sumOf(first, last), 4);
    storeSplit(X + 8, first);
    storeSplit(X + 40, last);
  }
}

/** −2^15 · the sum of the codes of even columns. */
function sumOf(first: v128, last: v128): i32 {
  const even = i16x8.add(signedEven(first), signedEven(last));
  const pairs = i32x4.dot_i16x8_s(even, i16x8.splat(-128));
  const halves = i32x4.add(pairs, i32x4.shuffle(pairs, pairs, 2, 3, 0, 1));
  const sum = i32x4.add(halves, i32x4.shuffle(halves, halves, 1, 0, 3, 2));
  return i32x4.extract_lane(sum, 0) << 8;
}

/** The codes of even columns as int16. */
function signedEven(codes: v128): v128 {
  return i16x8.shr_s(i16x8.shl(codes, 8), 8);
}

/** The vector layout of 16 columns. */
function storeSplit(p: usize, codes: v128): void {
  const odd = i16x8.shr_s(codes, 8);
  const rest = i16x8.sub(i16x8.shl(codes, 8), odd);
  v128.store(p, i32x4.shuffle(odd, rest, 0, 4, 1, 5));
  v128.store(p, i32x4.shuffle(odd, rest, 2, 6, 3, 7), 16);
}

/** Rounds the tiles [firstTile, endTile) of 4 rows of `x [numTokens, numCols] float32` into `X`. */
export function prepareTilesPairs32(
  x: usize,
  X: usize,
  numTokens: i32,
  numCols: i32,
  firstTile: i32,
  endTile: i32,
): void {
  if (wideDots) return prepareTiles32(x, X, numTokens, numCols, firstTile, endTile);
  const rowBytes = (<usize>numCols) << 2;
  const tileBytes = <usize>(numCols >> 5) * tilePairs32;
  for (let token = firstTile << 2; token < endTile << 2; token++) {
    let to = X + <usize>(token >> 2) * tileBytes + ((<usize>(token & 3)) << 2);
    const end = to + tileBytes;
    for (let at = x + <usize>token * rowBytes; to < end; at += 128, to += tilePairs32) {
      if (token < numTokens) roundTokenBlock(at, to);
      else for (let i: usize = 0; i < tilePairs32; i += 16) store<i32>(to + i, 0);
    }
  }
}

/** One token's part of a block of the tile layout. */
function roundTokenBlock(x: usize, to: usize): void {
  const largest = largestMagnitude(x);
  const codesPerUnit = codesPerUnitOf(largest);
  const first = codes16(x, codesPerUnit);
  const last = codes16(x + 64, codesPerUnit);
  store<f32>(to, (halfOf(largest / 127) * scaleFactor) / 256);
  store<i32>(to, sumOf(first, last), 16);
  storeSteps(to + 32, first);
  storeSteps(to + 160, last);
}

/** One token's part of 16 columns of the tile layout. */
function storeSteps(p: usize, codes: v128): void {
  const odd = i16x8.shr_s(codes, 8);
  const rest = i16x8.sub(i16x8.shl(codes, 8), odd);
  v128.store32_lane(p, odd, 0);
  v128.store32_lane(p, rest, 0, 16);
  v128.store32_lane(p, odd, 1, 32);
  v128.store32_lane(p, rest, 1, 48);
  v128.store32_lane(p, odd, 2, 64);
  v128.store32_lane(p, rest, 2, 80);
  v128.store32_lane(p, odd, 3, 96);
  v128.store32_lane(p, rest, 3, 112);
}
