/**
 * The searches of ggml-quants.c for a scale, or a scale and a minimum, that makes the weighted
 * squared error of a few values small. Every step is float32, in the reference's order of operations
 * and without fused multiply-add, so that the bytes are the reference's.
 */
import { clamp, rangeOf, signedPeak } from "./block.ts";

const f = Math.fround;
/** Groups below this are zero (GROUP_MAX_EPS). */
export const groupEpsilon: number = f(1e-15);
const tenth = f(0.1);
/** How often single codes are tried anew before a search ends. */
const maxRefinements = 5;
/** Adding and subtracting 1.5 · 2²³ in float32 leaves a whole number, halves to even. */
const wholeFromHere = 12_582_912;

/** The whole number nearest to float32 `x`, halves to even, for |x| < 2²². */
export function nearest(x: number): number {
  return f(x + wholeFromHere) - wholeFromHere;
}

/** Σx² in float32. */
export function sumOfSquares(x: Float32Array): number {
  return x.reduce((sum, value) => f(sum + f(value * value)), 0);
}

/** Σx in float32. */
export function sumOf(x: Float32Array): number {
  return x.reduce((sum, value) => f(sum + value), 0);
}

/** Weights of the errors: importance · √(meanSquare + x²). */
export function importanceWeights(
  x: Float32Array,
  importance: Float32Array,
  meanSquare: number,
): Float32Array {
  return x.map((value, i) => importance[i]! * f(Math.sqrt(f(meanSquare + f(value * value)))));
}

/**
 * The scale for codes −`middle` … `middle` − 1, stored in `codes` plus `middle` (make_qx_quants):
 * the peak on the lowest code, then 18 scales near it, each with its least-squares correction.
 */
export function searchScale(
  x: Float32Array,
  weights: Float32Array,
  middle: number,
  codes: Uint8Array,
): number {
  const peak = signedPeak(x);
  codes.fill(0);
  if (Math.abs(peak) < groupEpsilon) return 0;
  const codeOf = (inverted: number, i: number): number =>
    clamp(nearest(f(inverted * x[i]!)), -middle, middle - 1);
  const fit = (inverted: number): { xl: number; l2: number } => {
    let xl = 0;
    let l2 = 0;
    for (let i = 0; i < x.length; i++) {
      const l = codeOf(inverted, i);
      const w = weights[i]!;
      xl = f(xl + f(f(w * x[i]!) * l));
      l2 = f(l2 + f(f(w * l) * l));
    }
    return { xl, l2 };
  };
  let inverted = f(-middle / peak);
  const first = fit(inverted);
  let scale = first.l2 > 0 ? f(first.xl / first.l2) : 0;
  let best = f(scale * first.xl);
  for (let step = -9; step <= 9; step++) {
    if (step === 0) continue;
    const candidate = f(-f(middle + f(tenth * step)) / peak);
    const { xl, l2 } = fit(candidate);
    if (!(l2 > 0 && f(xl * xl) > f(best * l2))) continue;
    inverted = candidate;
    scale = f(xl / l2);
    best = f(scale * xl);
  }
  for (let i = 0; i < x.length; i++) codes[i] = codeOf(inverted, i) + middle;
  return scale;
}

/**
 * As `searchScale` with weights x², but instead of scales near the first one it tries single codes
 * anew (make_q3_quants).
 */
export function refineScale(x: Float32Array, middle: number, codes: Uint8Array): number {
  const peak = signedPeak(x);
  codes.fill(0);
  if (Math.abs(peak) < groupEpsilon) return 0;
  const inverted = f(-middle / peak);
  const weights = x.map((value) => value * value);
  const levels = new Int8Array(x.length);
  let xl = 0;
  let l2 = 0;
  for (let i = 0; i < x.length; i++) {
    const w = weights[i]!;
    const l = clamp(nearest(f(inverted * x[i]!)), -middle, middle - 1);
    levels[i] = l;
    xl = f(xl + f(f(w * x[i]!) * l));
    l2 = f(l2 + f(f(w * l) * l));
  }
  const refined = refineCodes(x, weights, levels, [-middle, middle - 1], { xl, l2 });
  for (let i = 0; i < x.length; i++) codes[i] = levels[i]! + middle;
  return f(refined.xl / refined.l2);
}

/** The scale for values ≥ 0 on codes 0 … `maxCode` (make_qp_quants); 0 where all are 0. */
export function searchPositiveScale(
  x: Float32Array,
  weights: Float32Array,
  maxCode: number,
  codes: Uint8Array,
): number {
  const max = Math.max(0, rangeOf(x).max);
  codes.fill(0);
  if (max === 0) return 0;
  const errorOf = (inverted: number): number => {
    const scale = f(1 / inverted);
    let error = 0;
    for (let i = 0; i < x.length; i++) {
      const l = Math.min(maxCode, nearest(f(inverted * x[i]!)));
      const difference = f(x[i]! - f(scale * l));
      error = f(error + f(f(weights[i]! * difference) * difference));
    }
    return error;
  };
  let inverted = f(maxCode / max);
  let best = errorOf(inverted);
  for (let step = -4; step <= 4; step++) {
    if (step === 0) continue;
    const candidate = f(f(f(tenth * step) + maxCode) / max);
    const error = errorOf(candidate);
    if (error >= best) continue;
    best = error;
    inverted = candidate;
  }
  let xl = 0;
  let l2 = 0;
  for (let i = 0; i < x.length; i++) {
    const l = Math.min(maxCode, nearest(f(inverted * x[i]!)));
    const w = weights[i]!;
    codes[i] = l;
    xl = f(xl + f(f(w * x[i]!) * l));
    l2 = f(l2 + f(f(w * l) * l));
  }
  const refined = refineCodes(x, weights, codes, [0, maxCode], { xl, l2 });
  return refined.l2 > 0 ? f(refined.xl / refined.l2) : 0;
}

/** How `searchScaleAndMin` goes through scales: (firstStep + step · i + maxCode)/(max − min). */
export interface AffineSearch {
  readonly maxCode: number;
  readonly firstStep: number;
  readonly step: number;
  /** One more scale than this is tried. */
  readonly numSteps: number;
  /** Errors count by magnitude instead of squared. */
  readonly absoluteError: boolean;
}

/** The search that ggml runs where importance is given. */
export const weightedSearch: Omit<AffineSearch, "maxCode"> = {
  firstStep: -0.9,
  step: 0.05,
  numSteps: 36,
  absoluteError: false,
};

/**
 * The scale and offset ≥ 0 for x ≈ scale · code − offset (make_qkx2_quants and make_qkx3_quants): for
 * each scale of the search, codes by rounding, then scale and minimum by weighted least squares.
 */
export function searchScaleAndMin(
  x: Float32Array,
  weights: Float32Array,
  search: AffineSearch,
  codes: Uint8Array,
): { scale: number; offset: number } {
  const { maxCode, absoluteError } = search;
  const { min: least, max } = rangeOf(x);
  let min = Math.min(least, 0);
  codes.fill(0);
  if (max === min) return { scale: 0, offset: -min };
  const sumX = x.reduce((sum, value, i) => f(sum + f(weights[i]! * value)), 0);
  const sums = { w: sumOf(weights), x: sumX };
  const inverted = f(maxCode / f(max - min));
  let scale = f(1 / inverted);
  roundCodes(x, inverted, min, maxCode, codes);
  let best = weightedError(x, weights, codes, scale, min, absoluteError);
  const trial = new Uint8Array(x.length);
  for (let i = 0; i <= search.numSteps; i++) {
    const steps = f(f(f(search.firstStep) + f(f(search.step) * i)) + maxCode);
    // From the best minimum so far, not the first: the reference does so.
    roundCodes(x, f(steps / f(max - min)), min, maxCode, trial);
    const line = leastSquares(x, weights, trial, sums);
    if (!line) continue;
    const error = weightedError(x, weights, trial, line.scale, line.min, absoluteError);
    if (!(error < best)) continue;
    codes.set(trial);
    best = error;
    ({ scale, min } = line);
  }
  return { scale, offset: -min };
}

function roundCodes(
  x: Float32Array,
  inverted: number,
  min: number,
  maxCode: number,
  codes: Uint8Array,
): void {
  for (let i = 0; i < x.length; i++) {
    codes[i] = clamp(nearest(f(inverted * f(x[i]! - min))), 0, maxCode);
  }
}

/** Weighted least squares for x ≈ scale · code + min, min ≤ 0; undefined where all codes are equal. */
function leastSquares(
  x: Float32Array,
  weights: Float32Array,
  codes: Uint8Array,
  sums: { readonly w: number; readonly x: number },
): { scale: number; min: number } | undefined {
  let l1 = 0;
  let l2 = 0;
  let xl = 0;
  for (let i = 0; i < x.length; i++) {
    const l = codes[i]!;
    const wl = f(weights[i]! * l);
    l1 = f(l1 + wl);
    l2 = f(l2 + f(wl * l));
    xl = f(xl + f(wl * x[i]!));
  }
  const determinant = f(f(sums.w * l2) - f(l1 * l1));
  if (!(determinant > 0)) return undefined;
  const min = f(f(f(l2 * sums.x) - f(l1 * xl)) / determinant);
  if (min > 0) return { scale: f(xl / l2), min: 0 };
  return { scale: f(f(f(sums.w * xl) - f(sums.x * l1)) / determinant), min };
}

function weightedError(
  x: Float32Array,
  weights: Float32Array,
  codes: Uint8Array,
  scale: number,
  min: number,
  absolute: boolean,
): number {
  let error = 0;
  for (let i = 0; i < x.length; i++) {
    const difference = f(f(f(scale * codes[i]!) + min) - x[i]!);
    const cost = absolute ? Math.abs(difference) : f(difference * difference);
    error = f(error + f(weights[i]! * cost));
  }
  return error;
}

/**
 * Moves single codes to where they fit best with all others held, while that raises (Σwxl)²/Σwl².
 * Takes the sums for the codes as they are and returns those for the codes that it leaves.
 */
function refineCodes(
  x: Float32Array,
  weights: Float32Array,
  codes: Int8Array | Uint8Array,
  [low, high]: readonly [number, number],
  sums: { readonly xl: number; readonly l2: number },
): { xl: number; l2: number } {
  let { xl, l2 } = sums;
  for (let round = 0; round < maxRefinements; round++) {
    let changed = false;
    for (let i = 0; i < x.length; i++) {
      const l = codes[i]!;
      const wx = f(weights[i]! * x[i]!);
      let xlNew = f(xl - f(wx * l));
      let l2New = f(l2 - f(f(weights[i]! * l) * l));
      if (!(xlNew > 0 && l2New > 0)) continue;
      const better = clamp(nearest(f(f(x[i]! * l2New) / xlNew)), low, high);
      if (better === l) continue;
      xlNew = f(xlNew + f(wx * better));
      l2New = f(l2New + f(f(weights[i]! * better) * better));
      if (!(f(f(xlNew * xlNew) * l2) > f(f(xl * xl) * l2New))) continue;
      codes[i] = better;
      xl = xlNew;
      l2 = l2New;
      changed = true;
    }
    if (!changed) break;
  }
  return { xl, l2 };
}
