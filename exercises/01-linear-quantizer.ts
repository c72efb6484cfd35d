/**
 * Project 1: linear quantisation from scratch. Write each function below, here or in the notebook's
 * `%%exercise` cells (a cell saves itself into its region), then run `npx infinity grade 01`.
 * Exercises may import types, nothing else.
 */

// #region roundHalfEven
/** Rounds to the nearest whole number; a half goes to the even neighbour; −0 stays −0. */
export function roundHalfEven(x: number): number {
  throw new Error("not written yet");
}
// #endregion

// #region affineParams
/**
 * The grid of 2^bits codes that covers [min, max] and holds 0 exactly. Codes run from 0, or, when
 * `signed`, from −2^(bits−1).
 */
export function affineParams(
  min: number,
  max: number,
  bits: number,
  signed: boolean,
): { scale: number; zero: number; qmin: number; qmax: number } {
  throw new Error("not written yet");
}
// #endregion

// #region quantizeSym
/**
 * Symmetric quantisation of `x`, with half = 2^(bits−1): the scale is max|x| / (half − 1) in the
 * convention max7, max|x| / (half − ½) in max7.5, and (the value of largest magnitude, with its
 * sign) / −half in ggml. Codes are clamped to [−half, half − 1].
 */
export function quantizeSym(
  x: Float32Array,
  bits: number,
  convention: "max7" | "max7.5" | "ggml",
): { q: Int8Array; scale: number } {
  throw new Error("not written yet");
}
// #endregion

// #region packNibbles
/** Two signed 4-bit codes a byte, the first in the low nibble; a last odd code sits alone. */
export function packNibbles(q: Int8Array): Uint8Array {
  throw new Error("not written yet");
}

/** The first `n` codes of `bytes`, each with its sign again. */
export function unpackNibbles(bytes: Uint8Array, n: number): Int8Array {
  throw new Error("not written yet");
}
// #endregion

// #region quantizeGroups
/**
 * Symmetric quantisation (max7) with one scale for each group of `g` neighbours in a row of
 * `W [rows, cols]`. Groups never cross a row; the last group of a row may be shorter.
 */
export function quantizeGroups(
  W: Float32Array,
  rows: number,
  cols: number,
  g: number,
  bits: number,
): { q: Int8Array; scales: Float32Array } {
  throw new Error("not written yet");
}
// #endregion

// #region mseClip
/**
 * The max7 scale of the best clipped range: of p = 1 − i / grid with i = 0 … maxShrink · grid − 1,
 * the p · max|x| whose Σ|x − x̂|^norm is least. Returns its scale and mean squared error.
 */
export function mseClip(
  x: Float32Array,
  bits: number,
  { grid, maxShrink, norm }: { grid: number; maxShrink: number; norm: number },
): { scale: number; mse: number } {
  throw new Error("not written yet");
}
// #endregion
