/**
 * AWQ: before rounding, enlarges the columns of weights whose inputs are large, so that their
 * rounding errors shrink against them, and divides the inputs by as much. What the scales are is
 * searched for on a small grid; so is where each group of weights should be clipped. Nothing here is
 * trained, and which earlier layer takes the division is the caller's business.
 *
 * Source: Lin et al. 2023, AWQ (arXiv:2306.00978), §3.2, equations 4 and 5; the grids, the
 * normalisation and the clipping are those of the authors' code (llm-awq, auto_scale.py and
 * auto_clip.py). That code measures the output of a whole block of layers; this module measures that
 * of the layers which read the inputs.
 */
import { InputError } from "../core/errors.ts";
import { addProduct, type AddProduct } from "./dense.ts";
import { rangeOf } from "./grid.ts";
import {
  checkFinite,
  dequantizeLinear,
  groupSizeOf,
  quantizeLinear,
  type LinearOptions,
  type QuantizedMatrix,
} from "./linear.ts";
import { outputErrorOver } from "./output-error.ts";
import { scaleColumns } from "./smoothquant.ts";

/** Ratios are 0, 1/20, … 19/20: never 1. */
export const numRatios = 20;

/** Channels whose scale would be less than this get it. */
const leastScale = 1e-4;

/** Clipping tries 1 − i/20 of a group's peak for i = 0 … 9. */
const clipSearch = { grid: 20, steps: 10 } as const;

export interface AwqOptions extends Pick<LinearOptions, "bits" | "mode" | "convention"> {
  /** Columns that share a scale; divides the row. */
  readonly groupSize: number;
  readonly product?: AddProduct;
  /**
   * What rounding leaves of `W [rows, cols]`, where that is not the linear grid of the options, such as
   * a block format's own search.
   */
  readonly roundTrip?: (W: Float32Array, cols: number) => Float32Array;
}

/** The scales that lose least. */
export interface AwqScales {
  /** s [cols]: columns of weights are multiplied, inputs divided. */
  readonly scales: Float32Array;
  /** The exponent of the inputs' mean magnitude. */
  readonly ratio: number;
  /** [20]: the mean squared output error at ratio i/20; the first is that of rounding alone. */
  readonly losses: Float64Array;
}

/**
 * Searches the scales of `W [rows, cols]`, the rows of all layers that read `X [tokens, cols]`. Throws
 * InputError where sizes do not fit or a value is not finite, and as `quantizeLinear` does.
 */
export function awqScales(
  W: Float32Array,
  X: Float32Array,
  cols: number,
  options: AwqOptions,
): AwqScales {
  checkLayer(W, X, cols, options.groupSize);
  const outputs = outputErrorOver(X, cols, options.product);
  const magnitudes = meanMagnitudes(X, cols);
  const losses = new Float64Array(numRatios);
  let best = 0;
  for (let i = 0; i < numRatios; i++) {
    const scales = scalesAt(magnitudes, i / numRatios);
    const rounded = roundTrip(scaleColumns(W, scales), cols, options);
    losses[i] = outputs(W, scaleColumns(rounded, scales, -1));
    if (losses[i]! < losses[best]!) best = i;
  }
  const ratio = best / numRatios;
  return { scales: scalesAt(magnitudes, ratio), ratio, losses };
}

export interface AwqResult extends AwqScales {
  /** Of s · W, clipped. */
  readonly quantized: QuantizedMatrix;
  /** What the layer computes with [rows, cols]: the decoded weights divided by s. */
  readonly values: Float32Array;
}

/** Scales, clips unless `clip` is false, and rounds. Throws as `awqScales` does. */
export function awq(
  W: Float32Array,
  X: Float32Array,
  cols: number,
  options: AwqOptions & { readonly clip?: boolean },
): AwqResult {
  const found = awqScales(W, X, cols, options);
  const scaled = scaleColumns(W, found.scales);
  const inputs = (): Float32Array => scaleColumns(X, found.scales, -1);
  const clipped = (options.clip ?? true) ? awqClip(scaled, inputs(), cols, options) : scaled;
  const quantized = quantizeGroups(clipped, cols, options);
  const values = scaleColumns(dequantizeLinear(quantized), found.scales, -1);
  return { ...found, quantized, values };
}

/** mean|x| of each column of `X [tokens, cols]`. */
function meanMagnitudes(X: Float32Array, cols: number): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(cols);
  for (let at = 0; at < X.length; at += cols) {
    for (let j = 0; j < cols; j++) sums[j]! += Math.abs(X[at + j]!);
  }
  return Float32Array.from(sums, (sum) => sum / (X.length / cols));
}

/** magnitude^ratio, at least 1e-4, divided by √(greatest · least). */
function scalesAt(magnitudes: Float32Array, ratio: number): Float32Array<ArrayBuffer> {
  const scales = magnitudes.map((magnitude) => Math.max(leastScale, magnitude ** ratio));
  const { low, high } = rangeOf(scales);
  const middle = Math.sqrt(low * high);
  return scales.map((scale) => scale / middle);
}

/**
 * `W [rows, cols]` with each group's magnitudes limited to where rounding changes the group's own
 * part of the output least, over the inputs `X [tokens, cols]` (already divided by the scales, where
 * W is multiplied). The authors leave out the query and key projections. Throws as `awqScales` does.
 */
export function awqClip(
  W: Float32Array,
  X: Float32Array,
  cols: number,
  options: AwqOptions,
): Float32Array<ArrayBuffer> {
  checkLayer(W, X, cols, options.groupSize);
  const { groupSize, product = addProduct } = options;
  const best = W.slice();
  const numGroups = W.length / groupSize;
  const least = new Float64Array(numGroups).fill(Infinity);
  const grams = gramOfGroups(X, cols, groupSize, product);
  const peaks = Float64Array.from(least, (_, g) => {
    const { low, high } = rangeOf(W, g * groupSize, (g + 1) * groupSize);
    return Math.max(high, -low);
  });
  for (let step = 0; step < clipSearch.steps; step++) {
    const clamped = clampGroups(W, peaks, groupSize, 1 - step / clipSearch.grid);
    const rounded = roundTrip(clamped, cols, options);
    for (let g = 0; g < numGroups; g++) {
      const error = groupError(W, rounded, g, groupSize, grams[g % grams.length]!);
      if (error >= least[g]!) continue;
      least[g] = error;
      const [from, to] = [g * groupSize, (g + 1) * groupSize];
      best.set(clamped.subarray(from, to), from);
    }
  }
  return best;
}

function clampGroups(
  W: Float32Array,
  peaks: Float64Array,
  groupSize: number,
  kept: number,
): Float32Array<ArrayBuffer> {
  const clamped = W.slice();
  for (let at = 0; at < W.length; at++) {
    const limit = peaks[Math.floor(at / groupSize)]! * kept;
    if (clamped[at]! > limit) clamped[at] = limit;
    else if (clamped[at]! < -limit) clamped[at] = -limit;
  }
  return clamped;
}

/** XᵀX [groupSize, groupSize] of each group's columns. */
function gramOfGroups(
  X: Float32Array,
  cols: number,
  groupSize: number,
  product: AddProduct,
): Float64Array[] {
  const data = new Float64Array(X);
  const tokens = X.length / cols;
  return Array.from({ length: cols / groupSize }, (_, group) => {
    const gram = new Float64Array(groupSize * groupSize);
    const inputs = { data, at: group * groupSize, rowStride: cols };
    const transposed = { ...inputs, rowStride: 1, columnStride: cols };
    const shape = [groupSize, tokens, groupSize] as const;
    product({ data: gram, at: 0, rowStride: groupSize }, 1, transposed, inputs, shape);
    return gram;
  });
}

/** dᵀ G d for the difference d that rounding makes to group `g`. */
function groupError(
  W: Float32Array,
  rounded: Float32Array,
  g: number,
  groupSize: number,
  gram: Float64Array,
): number {
  const from = g * groupSize;
  let error = 0;
  for (let i = 0; i < groupSize; i++) {
    const difference = W[from + i]! - rounded[from + i]!;
    if (difference === 0) continue;
    let sum = 0;
    for (let j = 0; j < groupSize; j++) {
      sum += gram[i * groupSize + j]! * (W[from + j]! - rounded[from + j]!);
    }
    error += difference * sum;
  }
  return error;
}

function roundTrip(W: Float32Array, cols: number, options: AwqOptions): Float32Array {
  return options.roundTrip?.(W, cols) ?? dequantizeLinear(quantizeGroups(W, cols, options));
}

function quantizeGroups(W: Float32Array, cols: number, options: AwqOptions): QuantizedMatrix {
  const { bits, mode, convention = "max7", groupSize } = options;
  const granularity = { group: groupSize };
  return quantizeLinear(W, W.length / cols, cols, { bits, mode, convention, granularity });
}

function checkLayer(W: Float32Array, X: Float32Array, cols: number, group: number): void {
  if (cols < 1 || W.length % cols !== 0 || X.length % cols !== 0 || X.length === 0) {
    throw new InputError(
      `A layer of ${cols} inputs needs whole rows of weights and of inputs; found ${W.length} and ${X.length} values.`,
    );
  }
  groupSizeOf({ group }, W.length / cols, cols);
  checkFinite(W);
  checkFinite(X);
}
