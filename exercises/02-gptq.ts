/**
 * Project 2: rounding that repairs its own damage. Write each function below, here or in the notebook's
 * `%%exercise` cells (a cell saves itself into its region), then run `npx infinity grade 02`.
 * Exercises may import types, nothing else.
 */

// #region accumulateHessian
/**
 * Adds the inputs `X` [tokens, cols] to `H` [cols, cols], which so far is the mean of 2 · x · xᵀ over
 * `numTokens` inputs (all 0 where there were none). Writes into H, both sides of its diagonal, and
 * returns how many inputs it is the mean of now.
 */
export function accumulateHessian(
  H: Float64Array,
  numTokens: number,
  X: Float32Array,
  cols: number,
): number {
  throw new Error("not written yet");
}
// #endregion

// #region cholInvUpper
/**
 * The upper triangular U [cols, cols], positive on its diagonal, with UᵀU = A⁻¹. A is the Hessian `H`
 * [cols, cols] with `damp` times the mean of H's diagonal added to each element of the diagonal. Leaves
 * H as it is. Throws where A is not positive definite: where a root would be taken of 0 or less.
 */
export function cholInvUpper(H: Float64Array, cols: number, damp: number): Float64Array {
  throw new Error("not written yet");
}
// #endregion

// #region gptqColumn
/**
 * One step of GPTQ: rounds column `i` of `W` [rows, cols] and moves what that loses onto the columns
 * behind it. `nearest` gives the value on the grid that a row's weight becomes. The error of a row is
 * e = (weight − value) / U[i, i]; each later column j loses e · U[i, j]. Column i becomes the values
 * themselves. Writes into W and returns the errors [rows]. Only what lies on the diagonal of `U` [cols,
 * cols] and right of it means anything.
 */
export function gptqColumn(
  W: Float64Array,
  U: Float64Array,
  cols: number,
  i: number,
  nearest: (row: number, weight: number) => number,
): Float64Array {
  throw new Error("not written yet");
}
// #endregion

// #region gptq
/** How `gptq` goes over a matrix. */
interface GptqOptions {
  readonly cols: number;
  readonly bits: number;
  /** Columns that share a scale; divides `cols`. */
  readonly groupSize: number;
  /** As in `cholInvUpper`. */
  readonly damp: number;
  /** Whether columns are taken in the order of their H[i, i], the largest first. */
  readonly actOrder: boolean;
}

/**
 * Quantises `W` [rows, cols] with the Hessian `H` [cols, cols] of its inputs. Columns are taken one
 * after the other, and `groupSize` columns that follow each other in *that* order are a group. A group's
 * scale in a row is max|w| / (2^(bits−1) − 1) of its weights *as they are when the group begins*, or 1
 * where they are all 0; codes are whole numbers from −2^(bits−1) to 2^(bits−1) − 1. A weight whose
 * input was always 0 (its H[i, i] is 0) becomes 0 before anything else. `Q` [rows, cols] holds the
 * values, in W's own order of columns; `loss` is the sum of all squared errors.
 */
export function gptq(
  W: Float32Array,
  H: Float64Array,
  { cols, bits, groupSize, damp, actOrder }: GptqOptions,
): { Q: Float32Array; loss: number } {
  throw new Error("not written yet");
}
// #endregion

// #region awqSearch
/** Rounds weights [rows, cols] to a grid and answers what they become. */
type RoundTrip = (W: Float32Array) => Float32Array;

/**
 * Searches AWQ's scales for `W` [rows, cols] and its inputs `X` [tokens, cols]. For the ratios r = 0,
 * 1/20, 2/20 … 19/20 the scale of input j is s = (mean of |x|)^r, at least 1e-4; then all scales are
 * divided by √(greatest scale · least scale). Each column of W is multiplied by its scale, `round` is
 * called once for the whole matrix, and its answer's columns are divided by their scales again. The
 * loss is the mean of the squared differences that this makes to the outputs X · Wᵀ. Answers the ratio
 * of least loss, the first of equals, with its scales [cols] and its loss.
 */
export function awqSearch(
  W: Float32Array,
  X: Float32Array,
  cols: number,
  round: RoundTrip,
): { scales: Float32Array; ratio: number; loss: number } {
  throw new Error("not written yet");
}
// #endregion

// #region heldOutReport
/**
 * What quantising `W` [rows, cols] to `Q` costs: the mean square of X · (W − Q)ᵀ as a part of the mean
 * square of X · Wᵀ, once over the inputs `calibration` [any, cols] and once over `test` [any, cols]. An
 * input of `test` that is equal to one of `calibration`, number for number, does not count: nothing
 * that was calibrated with may judge. Throws where no input of `test` is left.
 */
export function heldOutReport(
  W: Float32Array,
  Q: Float32Array,
  calibration: Float32Array,
  test: Float32Array,
  cols: number,
): { inSample: number; heldOut: number } {
  throw new Error("not written yet");
}
// #endregion
