/**
 * Which format's kernels a number stands for: ggml's, and those of the activation layouts;
 * `src/kernels/wasm/forward-formats.ts` has the same.
 */
import { prepareTiles256, prepareVector256 } from "./activations-256";
import { prepareTiles32, prepareVector32 } from "./activations-32";
import { gemmF16, matvecF16, packF16, prepareTilesF16, prepareVectorF16, unpackF16 } from "./f16";
import { gemmF32, matvecF32, packF32, prepareTilesF32, unpackF32 } from "./f32";
import { prepareTilesPairs32, prepareVectorPairs32 } from "./pairs-32";
import { gemmQ4_0, matvecQ4_0, packQ4_0, unpackQ4_0 } from "./q4_0";
import { gemmQ4_1, matvecQ4_1, packQ4_1, unpackQ4_1 } from "./q4_1";
import { gemmQ4_K, matvecQ4_K, packQ4_K, unpackQ4_K } from "./q4_k";
import { gemmQ5_0, matvecQ5_0, packQ5_0, unpackQ5_0 } from "./q5_0";
import { gemmQ5_K, matvecQ5_K, packQ5_K, unpackQ5_K } from "./q5_k";
import { gemmQ6_K, matvecQ6_K, packQ6_K, unpackQ6_K } from "./q6_k";
import { gemmQ8_0, matvecQ8_0, packQ8_0, unpackQ8_0 } from "./q8_0";
import { gemmTQ2_0, matvecTQ2_0, packTQ2_0, unpackTQ2_0 } from "./tq2_0";

/** One group of 8 rows, of which the source has `numRows`. */
export function packRows(format: i32, src: usize, dst: usize, numRows: i32, numCols: i32): void {
  switch (format) {
    case 0:
      return packF32(src, dst, numRows, numCols);
    case 1:
      return packF16(src, dst, numRows, numCols);
    case 2:
      return packQ4_0(src, dst, numRows, numCols);
    case 3:
      return packQ4_1(src, dst, numRows, numCols);
    case 6:
      return packQ5_0(src, dst, numRows, numCols);
    case 8:
      return packQ8_0(src, dst, numRows, numCols);
    case 12:
      return packQ4_K(src, dst, numRows, numCols);
    case 13:
      return packQ5_K(src, dst, numRows, numCols);
    case 14:
      return packQ6_K(src, dst, numRows, numCols);
    case 35:
      return packTQ2_0(src, dst, numRows, numCols);
  }
}

/** One row as it was in the file. */
export function unpackRow(format: i32, W: usize, row: i32, dst: usize, numCols: i32): void {
  switch (format) {
    case 0:
      return unpackF32(W, row, dst, numCols);
    case 1:
      return unpackF16(W, row, dst, numCols);
    case 2:
      return unpackQ4_0(W, row, dst, numCols);
    case 3:
      return unpackQ4_1(W, row, dst, numCols);
    case 6:
      return unpackQ5_0(W, row, dst, numCols);
    case 8:
      return unpackQ8_0(W, row, dst, numCols);
    case 12:
      return unpackQ4_K(W, row, dst, numCols);
    case 13:
      return unpackQ5_K(W, row, dst, numCols);
    case 14:
      return unpackQ6_K(W, row, dst, numCols);
    case 35:
      return unpackTQ2_0(W, row, dst, numCols);
  }
}

/** A single row of activations. In layout 0 it is used as it is. */
export function prepareVector(layout: i32, x: usize, X: usize, numCols: i32): void {
  switch (layout) {
    case 1:
      return prepareVectorF16(x, X, numCols);
    case 2:
      return prepareVector32(x, X, numCols);
    case 3:
      return prepareVectorPairs32(x, X, numCols);
    case 4:
      return prepareVector256(x, X, numCols);
  }
}

/** Tiles [first, end) of 4 rows of activations. */
export function prepareTiles(
  layout: i32,
  x: usize,
  X: usize,
  numTokens: i32,
  numCols: i32,
  first: i32,
  end: i32,
): void {
  switch (layout) {
    case 0:
      return prepareTilesF32(x, X, numTokens, numCols, first, end);
    case 1:
      return prepareTilesF16(x, X, numTokens, numCols, first, end);
    case 2:
      return prepareTiles32(x, X, numTokens, numCols, first, end);
    case 3:
      return prepareTilesPairs32(x, X, numTokens, numCols, first, end);
    case 4:
      return prepareTiles256(x, X, numTokens, numCols, first, end);
  }
}

/** Rows [first, end) of W · x. */
export function multiplyVector(
  format: i32,
  W: usize,
  X: usize,
  out: usize,
  numCols: i32,
  first: i32,
  end: i32,
): void {
  switch (format) {
    case 0:
      return matvecF32(W, X, out, numCols, first, end);
    case 1:
      return matvecF16(W, X, out, numCols, first, end);
    case 2:
      return matvecQ4_0(W, X, out, numCols, first, end);
    case 3:
      return matvecQ4_1(W, X, out, numCols, first, end);
    case 6:
      return matvecQ5_0(W, X, out, numCols, first, end);
    case 8:
      return matvecQ8_0(W, X, out, numCols, first, end);
    case 12:
      return matvecQ4_K(W, X, out, numCols, first, end);
    case 13:
      return matvecQ5_K(W, X, out, numCols, first, end);
    case 14:
      return matvecQ6_K(W, X, out, numCols, first, end);
    case 35:
      return matvecTQ2_0(W, X, out, numCols, first, end);
  }
}

/** Rows [first, end) of W · x for every token. */
export function multiplyMatrix(
  format: i32,
  W: usize,
  X: usize,
  out: usize,
  numTokens: i32,
  outStride: i32,
  numCols: i32,
  first: i32,
  end: i32,
  work: usize,
): void {
  switch (format) {
    case 0:
      return gemmF32(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 1:
      return gemmF16(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 2:
      return gemmQ4_0(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 3:
      return gemmQ4_1(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 6:
      return gemmQ5_0(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 8:
      return gemmQ8_0(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 12:
      return gemmQ4_K(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 13:
      return gemmQ5_K(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 14:
      return gemmQ6_K(W, X, out, numTokens, outStride, numCols, first, end, work);
    case 35:
      return gemmTQ2_0(W, X, out, numTokens, outStride, numCols, first, end, work);
  }
}
