/**
 * HQQ, half-quadratic quantisation: moves each group's zero point to where the weights' own error is
 * least in a norm below 1, which lets a few outliers be wrong so that the many are right. It looks at
 * no calibration data. The zero point is a real number, so the grid is that of a format with a
 * minimum, such as Q4_1, and need not hold 0.
 *
 * Source: Badri and Shaji 2023, "Half-Quadratic Quantization of Large Machine Learning Models",
 * the sub-problems W_e and z; constants from the authors' code (hqq, optimize.py). That code stops
 * when the mean error of the whole matrix no longer falls; this module does so group by group, and
 * keeps the best zero point instead of the last.
 */
import { roundHalfEven } from "../core/rounding.ts";
import { InputError, UsageError } from "../core/errors.ts";
import { rangeOf } from "./grid.ts";
import { checkBits, checkFinite, groupSizeOf } from "./linear.ts";

export interface HqqOptions {
  /** 2 to 8. */
  readonly bits: number;
  /** Columns that share a scale and a zero point; divides the row. */
  readonly groupSize: number;
  /** p of the norm, more than 0 and at most 1; 0.7 unless given. */
  readonly norm?: number;
  /** At most this many steps; 20 unless given. 0 leaves plain rounding between least and greatest. */
  readonly steps?: number;
}

/** β of the first step, and how it grows. */
const firstBeta = 10;
const betaGrowth = 1.01;

/** A matrix on grids with real zero points: w ≈ scale · (code − zero). */
export interface HqqMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly bits: number;
  readonly groupSize: number;
  /** [rows · cols] */
  readonly codes: Uint8Array;
  /** [rows · cols / groupSize]; each more than 0. */
  readonly scales: Float32Array;
  /** [rows · cols / groupSize] */
  readonly zeros: Float32Array;
}

/**
 * Quantises `W [rows, cols] float32`. Throws InputError for sizes that do not fit and values that are
 * not finite, UsageError for options out of range.
 */
export function quantizeHqq(W: Float32Array, cols: number, options: HqqOptions): HqqMatrix {
  const { bits, groupSize, norm = 0.7, steps = 20 } = options;
  checkBits(bits);
  if (!(norm > 0 && norm <= 1)) {
    throw new UsageError(`HQQ's norm is more than 0 and at most 1, not ${norm}.`);
  }
  if (cols < 1 || W.length % cols !== 0) {
    throw new InputError(`${W.length} weights are no whole rows of ${cols}.`);
  }
  const rows = W.length / cols;
  groupSizeOf({ group: groupSize }, rows, cols);
  checkFinite(W);
  const codes = new Uint8Array(W.length);
  const scales = new Float32Array(W.length / groupSize);
  const zeros = new Float32Array(scales.length);
  for (let g = 0; g < scales.length; g++) {
    const [from, to] = [g * groupSize, (g + 1) * groupSize];
    const weights = W.subarray(from, to);
    const { scale, zero } = startOf(weights, bits);
    scales[g] = scale;
    zeros[g] = bestZero(weights, scale, zero, bits, norm, steps);
    roundCodes(weights, scale, zeros[g]!, bits, codes.subarray(from, to));
  }
  return { rows, cols, bits, groupSize, codes, scales, zeros };
}

/** The real values of the codes: `[rows · cols] float32`. */
export function dequantizeHqq({ codes, scales, zeros, groupSize }: HqqMatrix): Float32Array {
  const values = new Float32Array(codes.length);
  for (let at = 0; at < codes.length; at++) {
    const g = Math.floor(at / groupSize);
    values[at] = scales[g]! * (codes[at]! - zeros[g]!);
  }
  return values;
}

/** The grid from the least weight to the greatest. */
function startOf(weights: Float32Array, bits: number): { scale: number; zero: number } {
  const { low, high } = rangeOf(weights);
  const scale = Math.fround((high - low) / (2 ** bits - 1));
  const usable = scale > 0 ? scale : 1;
  return { scale: usable, zero: Math.fround(-low / usable) };
}

/**
 * Alternates between the error that the norm would rather have, W_e = shrink(W − W_q), and the zero
 * point that fits W − W_e best, which is a mean. Returns the one of least Σ|W − W_q|^p.
 */
function bestZero(
  weights: Float32Array,
  scale: number,
  start: number,
  bits: number,
  norm: number,
  steps: number,
): number {
  const codes = new Uint8Array(weights.length);
  let zero = start;
  let best = start;
  let least = roundCodes(weights, scale, zero, bits, codes, norm);
  let beta = firstBeta;
  for (let step = 0; step < steps; step++) {
    let sum = 0;
    for (let i = 0; i < weights.length; i++) {
      const error = weights[i]! - scale * (codes[i]! - zero);
      sum += codes[i]! - (weights[i]! - shrink(error, beta, norm)) / scale;
    }
    zero = Math.fround(sum / weights.length);
    beta *= betaGrowth;
    const error = roundCodes(weights, scale, zero, bits, codes, norm);
    if (error >= least) break;
    [least, best] = [error, zero];
  }
  return best;
}

/** The generalised soft threshold sign(x) · max(0, |x| − |x|^(p − 1)/β), which solves for W_e. */
function shrink(x: number, beta: number, norm: number): number {
  const magnitude = Math.abs(x);
  if (magnitude === 0) return 0;
  return Math.sign(x) * Math.max(0, magnitude - magnitude ** (norm - 1) / beta);
}

/** Nearest codes, and the error Σ|w − ŵ|^norm that they leave. */
function roundCodes(
  weights: Float32Array,
  scale: number,
  zero: number,
  bits: number,
  codes: Uint8Array,
  norm = 1,
): number {
  const maxCode = 2 ** bits - 1;
  let error = 0;
  for (let i = 0; i < weights.length; i++) {
    const code = Math.min(maxCode, Math.max(0, roundHalfEven(weights[i]! / scale + zero)));
    codes[i] = code;
    error += Math.abs(weights[i]! - scale * (code - zero)) ** norm;
  }
  return error;
}
