/**
 * SmoothQuant: moves part of the activations' spread into the weights, channel by channel, so that
 * both can be rounded to 8 bits. (X / s)(s · W) is X W whatever s is; only the rounding changes.
 *
 * Source: Xiao et al. 2022, SmoothQuant (arXiv:2211.10438), §4, equations 3 and 4.
 */
import { InputError, UsageError } from "../core/errors.ts";
import { checkFinite } from "./linear.ts";

/** Channels below this would divide by next to nothing (as in the authors' code). */
const leastScale = 1e-5;

/**
 * s [cols] with s_j = max|X_j|^alpha / max|W_j|^(1 − alpha). `W [rows, cols]` holds the rows of all
 * layers that read these inputs; `inputPeaks [cols]` is max|X_j| over the calibration data. `alpha`
 * 0 leaves the weights evenly wide, 1 the inputs; 0.5 makes both the same. Throws InputError for
 * sizes and values that do not fit, UsageError for an alpha out of [0, 1].
 */
export function smoothingScales(
  W: Float32Array,
  inputPeaks: Float32Array,
  alpha = 0.5,
): Float32Array<ArrayBuffer> {
  if (!(alpha >= 0 && alpha <= 1)) {
    throw new UsageError(`The migration strength alpha lies between 0 and 1, not at ${alpha}.`);
  }
  checkChannels(W, inputPeaks, "input peaks");
  const wrong = inputPeaks.findIndex((peak) => !(peak >= 0 && peak < Infinity));
  if (wrong >= 0) {
    throw new InputError(
      `The peak of input ${wrong} is ${inputPeaks[wrong]!}; a finite magnitude is needed.`,
    );
  }
  checkFinite(W);
  const weightPeaks = columnPeaks(W, inputPeaks.length);
  return Float32Array.from(inputPeaks, (peak, j) => {
    const weightPeak = Math.max(leastScale, weightPeaks[j]!);
    return Math.max(leastScale, peak ** alpha / weightPeak ** (1 - alpha));
  });
}

/** max|x| of each column of `X [rows, cols]`. */
export function columnPeaks(X: Float32Array, cols: number): Float32Array<ArrayBuffer> {
  const peaks = new Float32Array(cols);
  for (let at = 0; at < X.length; at += cols) {
    for (let j = 0; j < cols; j++) {
      const magnitude = Math.abs(X[at + j]!);
      if (magnitude > peaks[j]!) peaks[j] = magnitude;
    }
  }
  return peaks;
}

/** `W [rows, cols]` with column j times `scales [cols]`; `scaleColumns(X, s, -1)` divides. */
export function scaleColumns(
  W: Float32Array,
  scales: Float32Array,
  power: 1 | -1 = 1,
): Float32Array<ArrayBuffer> {
  checkChannels(W, scales, "scales");
  const cols = scales.length;
  const scaled = new Float32Array(W.length);
  for (let at = 0; at < W.length; at += cols) {
    for (let j = 0; j < cols; j++) {
      const [w, s] = [W[at + j]!, scales[j]!];
      scaled[at + j] = power === 1 ? w * s : w / s;
    }
  }
  return scaled;
}

function checkChannels(W: Float32Array, perColumn: Float32Array, what: string): void {
  const cols = perColumn.length;
  if (cols > 0 && W.length % cols === 0) return;
  throw new InputError(`${W.length} values are no whole rows of ${cols}, the number of ${what}.`);
}
