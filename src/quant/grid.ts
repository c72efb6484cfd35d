/**
 * The grids of linear quantisation, x ≈ scale · (code − zeroPoint): their scale and zero point from
 * a range, and the rounding of values to codes. How many values share a grid is in `linear.ts`.
 *
 * Source: Jacob et al. 2017 (arXiv:1712.05877) §2.1 and Nagel et al. 2021 (arXiv:2106.08295) §2.
 */
import { roundHalfEven, truncPlus } from "../core/rounding.ts";

/**
 * How a symmetric scale follows from the largest magnitude m, named for 4 bits. With b bits:
 * `max7` m / (2^(b−1) − 1), the textbook's; `max7.5` m / (2^(b−1) − ½), the GPTQ code's, whose
 * largest value is clipped by half a step; `ggml` the *signed* largest value / −2^(b−1), as in
 * llama.cpp's Q4_0, which reaches the lowest code exactly and clips the opposite end.
 */
export type Convention = "max7" | "max7.5" | "ggml";

/** The codes that values may use, their spacing, and the code that means 0. */
export interface Grid {
  /** Finite and not 0; negative only in the `ggml` convention. */
  readonly scale: number;
  readonly zeroPoint: number;
  readonly qmin: number;
  readonly qmax: number;
  /** Where halves go: to the even code, or up and in float32 as ggml's reference code does. */
  readonly halves: "even" | "ggml";
}

/** What a grid has to cover. */
export interface Range {
  readonly low: number;
  readonly high: number;
  /** The value of largest magnitude, with its sign; the first of several. */
  readonly peak: number;
}

/** The range from `low` to `high`. */
export function rangeBetween(low: number, high: number): Range {
  return { low, high, peak: high >= -low ? high : low };
}

/** The range that `values` take, from index `begin` to before `end`. */
export function rangeOf(values: Float32Array, begin = 0, end: number = values.length): Range {
  if (begin >= end) return { low: 0, high: 0, peak: 0 };
  let low = values[begin]!;
  let high = low;
  for (let i = begin + 1; i < end; i++) {
    const value = values[i]!;
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  if (high !== -low) return rangeBetween(low, high);
  return { low, high, peak: firstOf(values, begin, low, high) };
}

/** Which of two values comes first, from index `begin`. */
function firstOf(values: Float32Array, begin: number, one: number, other: number): number {
  for (let i = begin; ; i++) {
    if (values[i] === one) return one;
    if (values[i] === other) return other;
  }
}

/**
 * The symmetric grid for values up to `peak`. Without a peak the scale is 1, so that the codes are
 * 0 and no division by zero follows.
 */
export function symmetricGrid(peak: number, bits: number, convention: Convention): Grid {
  const half = 1 << (bits - 1);
  const scale = Math.fround(symmetricScale(peak, half, convention));
  return {
    scale: usable(scale) ? scale : 1,
    zeroPoint: 0,
    qmin: -half,
    qmax: half - 1,
    halves: convention === "ggml" ? "ggml" : "even",
  };
}

function symmetricScale(peak: number, half: number, convention: Convention): number {
  switch (convention) {
    case "max7":
      return Math.abs(peak) / (half - 1);
    case "max7.5":
      return Math.abs(peak) / (half - 0.5);
    case "ggml":
      return peak / -half;
    default:
      return convention satisfies never;
  }
}

/**
 * The affine grid for values in [low, high], widened so that 0 lies inside and is represented
 * exactly: padding, ReLU zeros and pruned weights must stay 0 (Jacob et al. 2017 §2.1).
 */
export function affineGrid(low: number, high: number, bits: number, signed: boolean): Grid {
  const qmin = signed ? -(1 << (bits - 1)) : 0;
  const qmax = qmin + (1 << bits) - 1;
  const from = Math.min(low, 0);
  const scale = Math.fround((Math.max(high, 0) - from) / (qmax - qmin));
  if (!usable(scale)) return { scale: 1, zeroPoint: 0, qmin, qmax, halves: "even" };
  const zeroPoint = Math.min(qmax, Math.max(qmin, roundHalfEven(qmin - from / scale)));
  return { scale, zeroPoint, qmin, qmax, halves: "even" };
}

/** What kind of grid: everything but the range. */
export interface GridFamily {
  /** 2 to 8. */
  readonly bits: number;
  readonly mode: "symmetric" | "asymmetric";
  readonly convention: Convention;
}

/** The grid of a family that covers `range`; asymmetric codes count from 0. */
export function gridFor({ low, high, peak }: Range, family: GridFamily): Grid {
  return family.mode === "symmetric"
    ? symmetricGrid(peak, family.bits, family.convention)
    : affineGrid(low, high, family.bits, false);
}

/** Whether a scale can divide: a range of less than the smallest float32 has none. */
function usable(scale: number): boolean {
  return scale !== 0 && Number.isFinite(scale);
}

/**
 * Puts each value on its nearest code of `grid`, into `codes` of the same length; from index `begin`
 * to before `end`.
 */
export function encode(
  values: Float32Array,
  grid: Grid,
  codes: Int8Array | Uint8Array,
  begin = 0,
  end: number = values.length,
): void {
  // A signed code and its byte are the same eight bits; one kind of array keeps the loops fast.
  const bytes =
    codes instanceof Uint8Array
      ? codes
      : new Uint8Array(codes.buffer, codes.byteOffset, codes.length);
  if (grid.halves === "ggml") encodeAsGgml(values, grid, bytes, begin, end);
  else encodeHalvesToEven(values, grid, bytes, begin, end);
}

function encodeHalvesToEven(
  values: Float32Array,
  { scale, zeroPoint, qmin, qmax }: Grid,
  bytes: Uint8Array,
  begin: number,
  end: number,
): void {
  for (let i = begin; i < end; i++) {
    const code = values[i]! / scale + roundingBias - roundingBias + zeroPoint;
    bytes[i] = code < qmin ? qmin : code > qmax ? qmax : code;
  }
}

/**
 * Adding and subtracting 1.5 · 2^52 leaves no bit below the units, so the processor rounds to the
 * nearest whole number, halves to even: `roundHalfEven` without a branch, for |x| < 2^51.
 */
const roundingBias = 1.5 * 2 ** 52;

/** ggml's rule, float32 at every step: min(15, trunc(x · (1/d) + 8.5)) − 8 for 4 bits. */
function encodeAsGgml(
  values: Float32Array,
  { scale, qmin, qmax }: Grid,
  bytes: Uint8Array,
  begin: number,
  end: number,
): void {
  const inverse = Math.fround(1 / scale);
  for (let i = begin; i < end; i++) {
    const code = truncPlus(Math.fround(values[i]! * inverse), 0.5 - qmin) + qmin;
    bytes[i] = code < qmin ? qmin : code > qmax ? qmax : code;
  }
}

/** The real values of `codes` on `grid`, into `values` of the same length. */
export function decode(
  codes: Int8Array | Uint8Array,
  { scale, zeroPoint }: Pick<Grid, "scale" | "zeroPoint">,
  values: Float32Array,
): void {
  for (let i = 0; i < codes.length; i++) values[i] = scale * (codes[i]! - zeroPoint);
}
