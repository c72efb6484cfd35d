/** What quantising costs: figures about a set of weights and about the noise added to it. */

export interface Summary {
  readonly count: number;
  readonly mean: number;
  /** Population standard deviation. */
  readonly std: number;
  readonly min: number;
  readonly max: number;
}

/** Count, mean, standard deviation and range of `values`, summed in float64. */
export function summarize(values: Float32Array): Summary {
  let sum = 0;
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { count: values.length, mean, std: Math.sqrt(squares / values.length), min, max };
}

/** Mean squared error between two arrays of one length. */
export function meanSquaredError(x: Float32Array, y: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! - y[i]!) ** 2;
  return sum / x.length;
}

/**
 * Signal-to-quantisation-noise ratio in decibels: 10 · log10(Σx² / Σ(x − y)²). Infinite where
 * nothing was lost; about 6.02 dB a bit for a signal that fills its grid evenly.
 */
export function sqnrDb(x: Float32Array, y: Float32Array): number {
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < x.length; i++) {
    signal += x[i]! ** 2;
    noise += (x[i]! - y[i]!) ** 2;
  }
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}

export interface Histogram {
  readonly low: number;
  readonly high: number;
  /** Values per bin; the bins divide [low, high] evenly and the last one includes `high`. */
  readonly counts: Uint32Array;
}

/** Counts `values` in `numBins` equal bins of [low, high]; values outside go to the end bins. */
export function histogram(
  values: Float32Array,
  numBins: number,
  low: number,
  high: number,
): Histogram {
  const counts = new Uint32Array(numBins);
  const width = high - low || 1;
  for (const value of values) {
    const bin = Math.floor(((value - low) / width) * numBins);
    counts[Math.max(0, Math.min(numBins - 1, bin))]! += 1;
  }
  return { low, high, counts };
}
