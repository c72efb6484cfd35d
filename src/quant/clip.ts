/**
 * Where a grid should end. The largest weight is often alone: giving up its exactness makes every
 * step finer. Each method takes the values that share one scale and returns the range to cover.
 */
import { UsageError } from "../core/errors.ts";
import {
  encode,
  gridFor,
  rangeBetween,
  rangeOf,
  type Grid,
  type GridFamily,
  type Range,
} from "./grid.ts";

/**
 * `none` covers everything; `mse` tries smaller and smaller ranges and keeps the least error;
 * `percentile` drops the outermost values; `kl` keeps the histogram's information.
 */
export type Clip = "none" | "mse" | "percentile" | "kl";

/** GPTQ's search: p = 1 − i/100 for i = 0 … 79, error |x − x̂|^2.4 (IST-DASLab/gptq, quant.py). */
export const mseSearch = { grid: 100, maxShrink: 0.8, norm: 2.4 } as const;

/** The part of the values that `percentile` keeps. */
export const keptShare = 0.9999;

/** Histogram bins of the `kl` search, as in TensorRT's calibration (Migacz, GTC 2017). */
const numBins = 2048;

/** Fewer values than this leave a histogram of 2,048 bins nearly empty. */
const fewestForHistogram = 512;

/**
 * The grid of `family` for the values that share one scale: those from index `begin` to before
 * `end`. Throws UsageError for `kl` on few.
 */
export function clippedGrid(
  values: Float32Array,
  begin: number,
  end: number,
  family: GridFamily,
  clip: Clip,
): Grid {
  const full = rangeOf(values, begin, end);
  if (clip === "none") return gridFor(full, family);
  return gridFor(clippedRange(values.subarray(begin, end), full, family, clip), family);
}

function clippedRange(
  values: Float32Array,
  full: Range,
  family: GridFamily,
  clip: Exclude<Clip, "none">,
): Range {
  switch (clip) {
    case "mse":
      return leastErrorRange(values, full, family);
    case "percentile":
      return percentileRange(values, full);
    case "kl":
      return leastDivergenceRange(values, full, family.bits);
    default:
      return clip satisfies never;
  }
}

function leastErrorRange(values: Float32Array, full: Range, family: GridFamily): Range {
  const { grid, maxShrink, norm } = mseSearch;
  const codes =
    family.mode === "symmetric" ? new Int8Array(values.length) : new Uint8Array(values.length);
  let best = full;
  let least = Infinity;
  for (let i = 0; i < maxShrink * grid; i++) {
    const kept = 1 - i / grid;
    const range = { low: full.low * kept, high: full.high * kept, peak: full.peak * kept };
    const error = errorOn(values, gridFor(range, family), codes, norm);
    if (error < least) [least, best] = [error, range];
  }
  return best;
}

/** Σ |x − x̂|^norm on `grid`; `codes` is scratch space. */
function errorOn(
  values: Float32Array,
  grid: Grid,
  codes: Int8Array | Uint8Array,
  norm: number,
): number {
  encode(values, grid, codes);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += Math.abs(values[i]! - grid.scale * (codes[i]! - grid.zeroPoint)) ** norm;
  }
  return sum;
}

/** Drops (1 − keptShare)/2 of the values at each end; never past 0. */
function percentileRange(values: Float32Array, full: Range): Range {
  const sorted = values.slice().sort();
  const dropped = Math.floor(((1 - keptShare) / 2) * sorted.length);
  return rangeBetween(
    Math.max(full.low, Math.min(0, sorted[dropped]!)),
    Math.min(full.high, Math.max(0, sorted[sorted.length - 1 - dropped]!)),
  );
}

/**
 * Keeps the threshold t on |x| for which the histogram up to t, with everything beyond piled into
 * its last bin, loses least information (Kullback–Leibler) when merged into the grid's 2^(bits−1)
 * magnitudes.
 */
function leastDivergenceRange(values: Float32Array, full: Range, bits: number): Range {
  if (values.length < fewestForHistogram) {
    throw new UsageError(
      `Clipping by kl needs at least ${fewestForHistogram} values per scale and has ${values.length}; use --granularity tensor or --clip mse.`,
    );
  }
  const peak = Math.max(full.high, -full.low);
  if (peak === 0) return full;
  const counts = new Float64Array(numBins);
  for (const value of values) {
    counts[Math.min(numBins - 1, Math.floor((Math.abs(value) / peak) * numBins))]! += 1;
  }
  const levels = 2 ** (bits - 1);
  let best = numBins;
  let least = Infinity;
  for (let end = levels; end <= numBins; end++) {
    const divergence = divergenceAt(counts, end, levels);
    if (divergence < least) [least, best] = [divergence, end];
  }
  const threshold = (peak * best) / numBins;
  return rangeBetween(Math.max(full.low, -threshold), Math.min(full.high, threshold));
}

/** KL divergence of the first `end` bins from themselves merged into `levels`. */
function divergenceAt(counts: Float64Array, end: number, levels: number): number {
  const reference = counts.slice(0, end);
  let total = 0;
  for (const count of counts) total += count;
  for (let i = end; i < counts.length; i++) reference[end - 1]! += counts[i]!;
  let mergedTotal = 0;
  for (let i = 0; i < end; i++) mergedTotal += counts[i]!;
  let divergence = 0;
  for (let level = 0; level < levels; level++) {
    const from = Math.floor((level * end) / levels);
    const to = Math.floor(((level + 1) * end) / levels);
    let mass = 0;
    let filled = 0;
    for (let i = from; i < to; i++) {
      mass += counts[i]!;
      if (counts[i]! > 0) filled++;
    }
    for (let i = from; i < to; i++) {
      const p = reference[i]! / total;
      if (p === 0) continue;
      // A bin that only outliers fill has no counterpart: charge it as one count would be.
      const q = counts[i]! > 0 ? mass / filled / mergedTotal : 1 / total;
      divergence += p * Math.log(p / q);
    }
  }
  return divergence;
}
