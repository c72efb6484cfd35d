/** What a change of a layer's weights does to its outputs, over inputs that are given. */
import { addProduct, type AddProduct } from "./dense.ts";

/** The mean squared difference of the outputs X Wᵀ that changing W [rows, cols] makes. */
export type OutputError = (W: Float32Array, changed: Float32Array) => number;

/** Measures over the inputs `X [tokens, cols]`, which are turned round once for all calls. */
export function outputErrorOver(
  X: Float32Array,
  cols: number,
  product: AddProduct = addProduct,
): OutputError {
  const tokens = X.length / cols;
  const transposed = new Float64Array(X.length);
  for (let t = 0; t < tokens; t++) {
    for (let j = 0; j < cols; j++) transposed[j * tokens + t] = X[t * cols + j]!;
  }
  return (W, changed) => {
    const rows = W.length / cols;
    const difference = new Float64Array(W);
    for (let at = 0; at < W.length; at++) difference[at]! -= changed[at]!;
    const outputs = new Float64Array(rows * tokens);
    product(
      { data: outputs, at: 0, rowStride: tokens },
      1,
      { data: difference, at: 0, rowStride: cols },
      { data: transposed, at: 0, rowStride: tokens },
      [rows, cols, tokens],
    );
    let sum = 0;
    for (const output of outputs) sum += output * output;
    return sum / outputs.length;
  };
}

/** An error as a part of the outputs' own mean square; infinite where that is 0 and the error is not. */
export function relativeTo(error: OutputError): OutputError {
  return (W, changed) => {
    const difference = error(W, changed);
    return difference === 0 ? 0 : difference / error(W, new Float32Array(W.length));
  };
}

/**
 * The mean squared difference of the outputs over all inputs of a Hessian H [cols, cols], the mean of
 * 2 x xᵀ: tr(D H Dᵀ) / 2, a row of D = W − changed at a time.
 */
export function outputErrorUnder(
  H: Float64Array,
  cols: number,
  product: AddProduct = addProduct,
): OutputError {
  return (W, changed) => {
    const rows = W.length / cols;
    const difference = new Float64Array(W);
    for (let at = 0; at < W.length; at++) difference[at]! -= changed[at]!;
    const curved = new Float64Array(W.length);
    product(
      { data: curved, at: 0, rowStride: cols },
      1 / 2,
      { data: difference, at: 0, rowStride: cols },
      { data: H, at: 0, rowStride: cols },
      [rows, cols, cols],
    );
    let sum = 0;
    for (let at = 0; at < W.length; at++) sum += difference[at]! * curved[at]!;
    return sum / rows;
  };
}
