/**
 * The Hessian of a linear layer's squared output error, H = (2/n) Σ x xᵀ over the n inputs x that the
 * layer saw, and what GPTQ needs of it: the Cholesky factor of its inverse. One Hessian serves all
 * layers that read the same inputs, such as the query, key and value projections.
 *
 * Source: Frantar et al. 2022, GPTQ (arXiv:2210.17323), §3.3.
 */
import { InputError, UsageError } from "../core/errors.ts";
import {
  addGram,
  addProduct,
  choleskyUpper,
  inverseOfTransposed,
  type AddGram,
  type AddProduct,
} from "./dense.ts";

/**
 * Adds the inputs `X [tokens, cols] float32` to H [cols, cols], the mean over `numTokens` inputs so
 * far, and returns how many there are now. The result does not depend on how the inputs are cut into
 * calls. Throws InputError where X holds no whole rows or a value that is not finite; H may then be
 * spoilt.
 */
export function accumulateHessian(
  H: Float64Array,
  numTokens: number,
  X: Float32Array,
  cols: number,
  add: AddGram = addGram,
): number {
  if (H.length !== cols * cols || X.length % cols !== 0) {
    throw new InputError(
      `Inputs of ${cols} values need a Hessian of ${cols * cols} and whole rows; found ${H.length} and ${X.length}.`,
    );
  }
  const added = X.length / cols;
  const total = numTokens + added;
  if (added === 0) return total;
  for (let i = 0; i < H.length; i++) H[i]! *= numTokens / total;
  add(H, 2 / total, X, cols);
  for (let i = 1; i < cols; i++) {
    for (let j = 0; j < i; j++) H[i * cols + j] = H[j * cols + i]!;
  }
  for (let i = 0; i < cols; i++) {
    if (Number.isFinite(H[i * cols + i]!)) continue;
    throw new InputError(
      `Input ${i} of the layer is not finite in the calibration data; check the model and the text.`,
    );
  }
  return total;
}

export interface InverseOptions {
  /** Added to the diagonal, as a part of its mean; 0.01 unless given. */
  readonly damp?: number;
  /** Inputs with the largest H first (the GPTQ code's act-order) instead of in their own order. */
  readonly actOrder?: boolean;
  readonly product?: AddProduct;
}

/** The factor of a damped Hessian's inverse, in the order in which columns will be quantised. */
export interface InverseFactor {
  readonly cols: number;
  /** [cols]: the column that each step quantises. */
  readonly order: Uint32Array;
  /** U [cols, cols], upper triangular in that order, with H⁻¹ = UᵀU. */
  readonly upper: Float64Array;
  /** [cols]: 1 for a column whose input was always 0, and whose weights therefore become 0. */
  readonly dead: Uint8Array;
  /** What was added to each element of the diagonal. */
  readonly damping: number;
  /** One sentence where more damping was needed than was asked for. */
  readonly note: string | undefined;
}

/** Growth of the damping where a factorisation fails, and its least value then. */
const dampGrowth = 4;
const leastGrownDamp = 0.01;

/**
 * Damps H [cols, cols] and factors its inverse. An input that was always 0 gets the mean of the
 * others as its curvature. Where H is singular the damping grows, and a note says so. Throws
 * InputError where H is no Hessian (a negative or infinite diagonal, or indefinite beyond any
 * damping), UsageError for a damping out of [0, 1].
 */
export function inverseHessian(
  H: Float64Array | Float32Array,
  cols: number,
  options: InverseOptions = {},
): InverseFactor {
  const { damp = 0.01, actOrder = false, product = addProduct } = options;
  if (!(damp >= 0 && damp <= 1)) {
    throw new UsageError(`Damping is a part of the mean curvature, 0 to 1, not ${damp}.`);
  }
  const diagonal = checkedDiagonal(H, cols);
  const dead = Uint8Array.from(diagonal, (value) => (value === 0 ? 1 : 0));
  const numLive = dead.reduce((count, flag) => count + 1 - flag, 0);
  if (numLive === 0) {
    throw new InputError("Every input of this layer was 0: no calibration data reached it.");
  }
  const mean = diagonal.reduce((sum, value) => sum + value, 0) / numLive;
  const order = Uint32Array.from({ length: cols }, (_, i) => i);
  if (actOrder) order.sort((a, b) => diagonal[b]! - diagonal[a]!);
  for (let part = damp; part <= 1; part = Math.max(leastGrownDamp, part * dampGrowth)) {
    const damping = part * mean;
    const reversed = reversedHessian(H, order, dead, mean, damping);
    if (!choleskyUpper(reversed, cols, product)) continue;
    const upper = inverseOfTransposed(reversed, cols, product).reverse();
    const note =
      part === damp
        ? undefined
        : `The Hessian is singular with damping ${damp}: ${part} of its mean diagonal was added; more calibration text helps.`;
    return { cols, order, upper, dead, damping, note };
  }
  throw new InputError(
    "The Hessian is not positive semidefinite, even when damped: it is no mean of products x xᵀ.",
  );
}

function checkedDiagonal(H: Float64Array | Float32Array, cols: number): Float64Array {
  if (cols < 1 || H.length !== cols * cols) {
    throw new InputError(
      `A layer of ${cols} inputs needs a ${cols} × ${cols} Hessian, not ${H.length} values.`,
    );
  }
  const diagonal = Float64Array.from({ length: cols }, (_, i) => H[i * cols + i]!);
  const wrong = diagonal.findIndex((value) => !(value >= 0 && value < Infinity));
  if (wrong >= 0) {
    throw new InputError(
      `The Hessian of input ${wrong} is ${diagonal[wrong]!}; a mean of squares, finite and at least 0, is needed.`,
    );
  }
  return diagonal;
}

/**
 * The damped Hessian in reverse order: with J the reversal, JHJ = VᵀV gives H⁻¹ = UᵀU for the upper
 * triangular U = J V⁻ᵀ J, without ever forming H⁻¹. Reversing a matrix reverses its array.
 */
function reversedHessian(
  H: Float64Array | Float32Array,
  order: Uint32Array,
  dead: Uint8Array,
  mean: number,
  damping: number,
): Float64Array {
  const n = order.length;
  const A = new Float64Array(n * n);
  for (let i = 0, at = 0; i < n; i++) {
    const row = order[n - 1 - i]!;
    for (let j = 0; j < n; j++, at++) {
      const column = order[n - 1 - j]!;
      A[at] = dead[row]! + dead[column]! > 0 ? 0 : H[row * n + column]!;
    }
    A[i * n + i]! += dead[row]! * mean + damping;
  }
  return A;
}
