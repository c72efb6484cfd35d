/**
 * Linear quantisation of a matrix: one grid (`grid.ts`) for the tensor, each row or each group.
 * Choosing a narrower range than the data's is in `clip.ts`, storing codes in less than a byte each
 * in `pack.ts`, measuring the damage in `error.ts`.
 */
import { InputError, UsageError } from "../core/errors.ts";
import { f16ToF32, f32ToF16 } from "../core/half.ts";
import { clippedGrid, type Clip } from "./clip.ts";
import {
  decode,
  encode,
  gridFor,
  rangeBetween,
  type Convention,
  type Grid,
  type GridFamily,
} from "./grid.ts";

/** How many weights share one scale. Groups run along a row and divide it. */
export type Granularity = "tensor" | "row" | { readonly group: number };

/** How a scale is stored. */
export type ScaleType = "F32" | "F16";

export interface LinearOptions {
  /** 2 to 8. */
  readonly bits: number;
  readonly mode: "symmetric" | "asymmetric";
  /** For symmetric grids; `max7` unless given. */
  readonly convention?: Convention;
  /** One scale for the whole tensor unless given. */
  readonly granularity?: Granularity;
  /** `none` unless given. */
  readonly clip?: Clip;
  /** What scales are rounded to before codes are chosen; `F32` unless given. */
  readonly scaleType?: ScaleType;
}

/** A matrix on its grid. Symmetric codes are signed, asymmetric codes count from 0. */
export interface QuantizedMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly bits: number;
  /** Weights per scale, in row-major order. */
  readonly groupSize: number;
  /** [rows · cols] */
  readonly codes: Int8Array | Uint8Array;
  /** [rows · cols / groupSize] */
  readonly scales: Float32Array;
  /** [rows · cols / groupSize], or null where every zero point is 0. */
  readonly zeroPoints: Uint8Array | null;
}

/** The grids of all groups of a matrix, side by side. */
export interface GroupGrids {
  /** [numGroups]; each finite and not 0. */
  readonly scales: Float32Array;
  /** [numGroups], or null where every zero point is 0. */
  readonly zeroPoints: Uint8Array | null;
  readonly qmin: number;
  readonly qmax: number;
}

/**
 * The two loops over all weights. Values are `[numGroups · groupSize] float32`; how many groups
 * there are, the other arrays say.
 */
export interface LinearLoops {
  /**
   * The range of each group, widened to hold 0, into `lows` and `highs [numGroups]`. Where a group
   * holds NaN or infinity, one of its bounds is not finite.
   */
  groupRanges(
    values: Float32Array,
    groupSize: number,
    lows: Float32Array,
    highs: Float32Array,
  ): void;
  /** Finite values as nearest codes, halves to even, into `codes [numGroups · groupSize]`. */
  encodeGroups(
    values: Float32Array,
    groupSize: number,
    grids: GroupGrids,
    codes: Uint8Array | Int8Array,
  ): void;
}

/** The loops in plain TypeScript; `src/kernels` has faster ones that give the same. */
export const plainLoops: LinearLoops = {
  groupRanges(values, groupSize, lows, highs) {
    for (let g = 0, i = 0; g < lows.length; g++) {
      let low = 0;
      let high = 0;
      // x − x is 0 for a finite x and NaN for any other, and one NaN is enough to spoil the sum.
      let sum = 0;
      for (const end = i + groupSize; i < end; i++) {
        const value = values[i]!;
        low = value < low ? value : low;
        high = value > high ? value : high;
        sum += value - value;
      }
      lows[g] = low;
      highs[g] = high + sum;
    }
  },
  encodeGroups(values, groupSize, grids, codes) {
    encodeEach(values, groupSize, { ...grids, halves: "even" }, codes);
  },
};

/**
 * Puts `W [rows, cols] float32` on a linear grid, with the arithmetic of `loops`. Throws InputError
 * for NaN or infinity (with the index) and for a group that does not divide the row, UsageError for
 * options out of range.
 */
export function quantizeLinear(
  W: Float32Array,
  rows: number,
  cols: number,
  options: LinearOptions,
  loops: LinearLoops = plainLoops,
): QuantizedMatrix {
  const { bits, mode, convention = "max7", granularity = "tensor" } = options;
  const { clip = "none", scaleType = "F32" } = options;
  checkBits(bits);
  if (W.length !== rows * cols) {
    throw new InputError(`A ${rows} × ${cols} matrix has ${rows * cols} values, not ${W.length}.`);
  }
  const family = { bits, mode, convention };
  const groupSize = groupSizeOf(granularity, rows, cols);
  const numGroups = W.length / groupSize;
  const scales = new Float32Array(numGroups);
  const zeroPoints = mode === "symmetric" ? null : new Uint8Array(numGroups);
  const gridOf = gridsOfGroups(W, groupSize, numGroups, family, clip, loops);
  for (let g = 0; g < numGroups; g++) {
    const grid = withStoredScale(gridOf(g), scaleType);
    scales[g] = grid.scale;
    if (zeroPoints) zeroPoints[g] = grid.zeroPoint;
  }
  const codes = mode === "symmetric" ? new Int8Array(W.length) : new Uint8Array(W.length);
  const { qmin, qmax, halves } = gridFor(rangeBetween(0, 0), family);
  const grids = { scales, zeroPoints, qmin, qmax, halves };
  if (halves === "even") loops.encodeGroups(W, groupSize, grids, codes);
  else encodeEach(W, groupSize, grids, codes);
  return { rows, cols, bits, groupSize, codes, scales, zeroPoints };
}

/** A function from a group to its grid. Throws InputError where a weight is not finite. */
function gridsOfGroups(
  W: Float32Array,
  groupSize: number,
  numGroups: number,
  family: GridFamily,
  clip: Clip,
  loops: LinearLoops,
): (group: number) => Grid {
  // ggml's scale has the sign of the first of the largest weights, which a range does not tell.
  if (clip !== "none" || (family.mode === "symmetric" && family.convention === "ggml")) {
    checkFinite(W);
    return (g) => clippedGrid(W, g * groupSize, (g + 1) * groupSize, family, clip);
  }
  const [lows, highs] = [new Float32Array(numGroups), new Float32Array(numGroups)];
  loops.groupRanges(W, groupSize, lows, highs);
  if (!lows.every(Number.isFinite) || !highs.every(Number.isFinite)) checkFinite(W);
  return (g) => gridFor(rangeBetween(lows[g]!, highs[g]!), family);
}

function encodeEach(
  W: Float32Array,
  groupSize: number,
  { scales, zeroPoints, qmin, qmax, halves }: GroupGrids & Pick<Grid, "halves">,
  codes: Uint8Array | Int8Array,
): void {
  for (let g = 0, begin = 0; g < scales.length; g++, begin += groupSize) {
    const grid = { scale: scales[g]!, zeroPoint: zeroPoints?.[g] ?? 0, qmin, qmax, halves };
    encode(W, grid, codes, begin, begin + groupSize);
  }
}

/** The real values of the codes: `[rows · cols] float32`. */
export function dequantizeLinear(quantized: QuantizedMatrix): Float32Array {
  const { codes, scales, zeroPoints, groupSize } = quantized;
  const values = new Float32Array(codes.length);
  for (let g = 0; g < scales.length; g++) {
    const begin = g * groupSize;
    decode(
      codes.subarray(begin, begin + groupSize),
      { scale: scales[g]!, zeroPoint: zeroPoints ? zeroPoints[g]! : 0 },
      values.subarray(begin, begin + groupSize),
    );
  }
  return values;
}

/** The grid whose scale is what `scaleType` can hold. Throws InputError where it holds none. */
export function withStoredScale(grid: Grid, scaleType: ScaleType): Grid {
  if (scaleType === "F32") return grid;
  const scale = f16ToF32(f32ToF16(grid.scale));
  if (scale === 0 || !Number.isFinite(scale)) {
    throw new InputError(
      `The scale ${grid.scale.toPrecision(3)} does not fit into float16; store scales as F32.`,
    );
  }
  return { ...grid, scale };
}

/** Weights per scale. Throws InputError where a group does not divide a row. */
export function groupSizeOf(granularity: Granularity, rows: number, cols: number): number {
  if (granularity === "tensor") return rows * cols;
  if (granularity === "row") return cols;
  const size = granularity.group;
  if (!Number.isInteger(size) || size < 1) {
    throw new UsageError(`A group has a whole number of weights, at least 1; ${size} is none.`);
  }
  if (cols % size !== 0) {
    throw new InputError(
      `Groups of ${size} do not divide a row of ${cols} weights; use a divisor such as ${divisorsNear(cols, size).join(" or ")}, or --granularity row.`,
    );
  }
  return size;
}

function divisorsNear(cols: number, size: number): number[] {
  const divisors = Array.from({ length: cols }, (_, i) => i + 1).filter((d) => cols % d === 0);
  const distance = (d: number): number => Math.abs(Math.log(d / size));
  return divisors.sort((a, b) => distance(a) - distance(b)).slice(0, 2);
}

/** Throws UsageError for bits that a linear grid cannot have. */
export function checkBits(bits: number): void {
  if (!Number.isInteger(bits) || bits < 2 || bits > 8) {
    throw new UsageError(`Linear quantisation takes 2 to 8 bits, not ${bits}.`);
  }
}

/** Throws InputError at the first NaN or infinity. */
export function checkFinite(W: Float32Array): void {
  // x − x is 0 for a finite x and NaN for any other, and one NaN is enough to spoil the sum.
  let sum = 0;
  for (let i = 0; i < W.length; i++) sum += W[i]! - W[i]!;
  if (sum === 0) return;
  const at = W.findIndex((w) => !Number.isFinite(w));
  const many = W.reduce((count, w) => count + (Number.isFinite(w) ? 0 : 1), 0);
  throw new InputError(
    `Value ${at} is ${W[at]!} (${many} of ${W.length} values are not finite); a grid needs finite weights, so repair or export the tensor again.`,
  );
}
