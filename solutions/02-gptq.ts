/**
 * Project 2: rounding that repairs its own damage, the worked answers. The simple, readable version;
 * the engine's fast version is tested against the same figures in `src/quant`.
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
  const total = numTokens + X.length / cols;
  for (let at = 0; at < H.length; at++) H[at]! *= numTokens / total;
  for (let t = 0; t < X.length; t += cols) {
    for (let i = 0; i < cols; i++) {
      const factor = (2 / total) * X[t + i]!;
      for (let j = 0; j < cols; j++) H[i * cols + j]! += factor * X[t + j]!;
    }
  }
  return total;
}
// #endregion

// #region cholInvUpper
/**
 * The upper triangular U [cols, cols], positive on its diagonal, with UᵀU = A⁻¹. A is the Hessian `H`
 * [cols, cols] with `damp` times the mean of H's diagonal added to each element of the diagonal. Leaves
 * H as it is. Throws where A is not positive definite: where a root would be taken of 0 or less.
 */
export function cholInvUpper(H: Float64Array, cols: number, damp: number): Float64Array {
  const A = H.slice();
  let trace = 0;
  for (let i = 0; i < cols; i++) trace += H[i * cols + i]!;
  for (let i = 0; i < cols; i++) A[i * cols + i]! += (damp * trace) / cols;
  // A = RRᵀ with R upper triangular, so A⁻¹ = R⁻ᵀR⁻¹, and U = R⁻¹.
  const R = new Float64Array(cols * cols);
  for (let j = cols - 1; j >= 0; j--) {
    for (let i = j; i >= 0; i--) {
      let rest = A[i * cols + j]!;
      for (let k = j + 1; k < cols; k++) rest -= R[i * cols + k]! * R[j * cols + k]!;
      if (i === j && !(rest > 0)) throw new Error("the Hessian is singular: damp it more");
      R[i * cols + j] = i === j ? Math.sqrt(rest) : rest / R[j * cols + j]!;
    }
  }
  const U = new Float64Array(cols * cols);
  for (let j = 0; j < cols; j++) {
    U[j * cols + j] = 1 / R[j * cols + j]!;
    for (let i = j - 1; i >= 0; i--) {
      let sum = 0;
      for (let k = i + 1; k <= j; k++) sum += R[i * cols + k]! * U[k * cols + j]!;
      U[i * cols + j] = -sum / R[i * cols + i]!;
    }
  }
  return U;
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
  const errors = new Float64Array(W.length / cols);
  for (let row = 0; row < errors.length; row++) {
    const at = row * cols;
    const value = nearest(row, W[at + i]!);
    const error = (W[at + i]! - value) / U[i * cols + i]!;
    for (let j = i + 1; j < cols; j++) W[at + j]! -= error * U[i * cols + j]!;
    W[at + i] = value;
    errors[row] = error;
  }
  return errors;
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
  const order = Array.from({ length: cols }, (_, i) => i);
  if (actOrder) order.sort((a, b) => H[b * cols + b]! - H[a * cols + a]!);
  const rows = W.length / cols;
  const work = new Float64Array(W.length);
  for (let row = 0; row < rows; row++) {
    order.forEach((column, i) => {
      const isDead = H[column * cols + column] === 0;
      work[row * cols + i] = isDead ? 0 : W[row * cols + column]!;
    });
  }
  const ordered = Float64Array.from(H, (_, at) => {
    return H[order[Math.floor(at / cols)]! * cols + order[at % cols]!]!;
  });
  const U = cholInvUpper(ordered, cols, damp);
  const most = 2 ** (bits - 1) - 1;
  let scales: number[] = [];
  const nearest = (row: number, weight: number): number => {
    const code = Math.round(weight / scales[row]!);
    return scales[row]! * Math.max(-most - 1, Math.min(most, code));
  };
  let loss = 0;
  for (let i = 0; i < cols; i++) {
    if (i % groupSize === 0) {
      scales = Array.from({ length: rows }, (_, row) => {
        const group = work.subarray(row * cols + i, row * cols + i + groupSize);
        const peak = group.reduce((high, weight) => Math.max(high, Math.abs(weight)), 0);
        return peak / most || 1;
      });
    }
    for (const error of gptqColumn(work, U, cols, i, nearest)) loss += error * error;
  }
  const Q = new Float32Array(W.length);
  for (let row = 0; row < rows; row++) {
    order.forEach((column, i) => {
      Q[row * cols + column] = work[row * cols + i]!;
    });
  }
  return { Q, loss };
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
  const tokens = X.length / cols;
  const means = new Float64Array(cols);
  X.forEach((x, at) => {
    means[at % cols]! += Math.abs(x) / tokens;
  });
  let best = { scales: new Float32Array(cols), ratio: 0, loss: Infinity };
  for (let step = 0; step < 20; step++) {
    const ratio = step / 20;
    const powers = means.map((mean) => Math.max(1e-4, mean ** ratio));
    const middle = Math.sqrt(Math.max(...powers) * Math.min(...powers));
    const scales = Float32Array.from(powers, (power) => power / middle);
    const rounded = round(W.map((weight, at) => weight * scales[at % cols]!));
    const changed = rounded.map((weight, at) => weight / scales[at % cols]!);
    const loss = outputError(W, changed, X, cols);
    if (loss < best.loss) best = { scales, ratio, loss };
  }
  return best;
}

/** The mean squared difference of the outputs X · Wᵀ and X · Qᵀ. */
function outputError(W: Float32Array, Q: Float32Array, X: Float32Array, cols: number): number {
  let sum = 0;
  for (let t = 0; t < X.length; t += cols) {
    for (let row = 0; row < W.length; row += cols) {
      let output = 0;
      for (let j = 0; j < cols; j++) output += X[t + j]! * (W[row + j]! - Q[row + j]!);
      sum += output * output;
    }
  }
  return sum / ((X.length / cols) * (W.length / cols));
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
  const rowsOf = (X: Float32Array): Float32Array[] =>
    Array.from({ length: X.length / cols }, (_, t) => X.subarray(t * cols, (t + 1) * cols));
  const seen = new Set(rowsOf(calibration).map((row) => row.join()));
  const unseen = rowsOf(test).filter((row) => !seen.has(row.join()));
  if (unseen.length === 0) throw new Error("no test input is left that calibration has not seen");
  const error = (inputs: Float32Array[]): number => {
    let [lost, whole] = [0, 0];
    for (const input of inputs) {
      for (let row = 0; row < W.length; row += cols) {
        let [difference, output] = [0, 0];
        for (let j = 0; j < cols; j++) {
          difference += input[j]! * (W[row + j]! - Q[row + j]!);
          output += input[j]! * W[row + j]!;
        }
        lost += difference * difference;
        whole += output * output;
      }
    }
    return lost / whole;
  };
  return { inSample: error(rowsOf(calibration)), heldOut: error(unseen) };
}
// #endregion
