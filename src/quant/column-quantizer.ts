/**
 * A grid whose scales are fixed first and whose codes follow one column at a time, which is what a
 * method needs that changes the later columns in between. Here for linear grids; for the formats of
 * GGUF files in `block-columns.ts`.
 */
import { clippedGrid, type Clip } from "./clip.ts";
import { gridFor, rangeBetween, type Convention, type GridFamily } from "./grid.ts";
import {
  checkBits,
  groupSizeOf,
  withStoredScale,
  type QuantizedMatrix,
  type ScaleType,
} from "./linear.ts";

/** A matrix [rows, cols] on its way to a grid. */
export interface ColumnQuantizer {
  readonly rows: number;
  readonly cols: number;
  /** Columns of a row that share scales; divides `cols`. */
  readonly groupSize: number;
  /** Whether a group must hold neighbouring columns, because nothing stores which it holds. */
  readonly neighboursOnly: boolean;
  /** Fixes the scales of a row's group from `weights [groupSize]`, whose columns come in any order. */
  fixScales(row: number, group: number, weights: Float32Array): void;
  /** Stores the nearest code for a weight whose group has its scales; returns the code's value. */
  quantize(row: number, column: number, group: number, weight: number): number;
}

export interface LinearColumnsOptions {
  /** 2 to 8. */
  readonly bits: number;
  readonly mode: "symmetric" | "asymmetric";
  /** For symmetric grids; `max7` unless given. `ggml` has its own rounding and is not for columns. */
  readonly convention?: Exclude<Convention, "ggml">;
  /** Columns that share a scale; the whole row unless given. */
  readonly groupSize?: number;
  /** `none` unless given. */
  readonly clip?: Clip;
  /** What scales are rounded to before codes are chosen; `F32` unless given. */
  readonly scaleType?: ScaleType;
}

/** A linear grid for each row or each group of a row. */
export class LinearColumns implements ColumnQuantizer {
  readonly rows: number;
  readonly cols: number;
  readonly groupSize: number;
  readonly neighboursOnly = false;
  readonly #family: GridFamily;
  readonly #clip: Clip;
  readonly #scaleType: ScaleType;
  readonly #bounds: { readonly qmin: number; readonly qmax: number };
  readonly #codes: Int8Array | Uint8Array;
  readonly #scales: Float32Array;
  readonly #zeroPoints: Uint8Array;

  /** Throws UsageError for options out of range, InputError for groups that do not divide a row. */
  constructor(rows: number, cols: number, options: LinearColumnsOptions) {
    const { bits, mode, convention = "max7", groupSize } = options;
    const { clip = "none", scaleType = "F32" } = options;
    checkBits(bits);
    this.rows = rows;
    this.cols = cols;
    this.groupSize = groupSize === undefined ? cols : groupSizeOf({ group: groupSize }, rows, cols);
    this.#family = { bits, mode, convention };
    this.#clip = clip;
    this.#scaleType = scaleType;
    this.#bounds = gridFor(rangeBetween(0, 0), this.#family);
    const size = rows * cols;
    this.#codes = mode === "symmetric" ? new Int8Array(size) : new Uint8Array(size);
    this.#scales = new Float32Array(size / this.groupSize);
    this.#zeroPoints = new Uint8Array(this.#scales.length);
  }

  fixScales(row: number, group: number, weights: Float32Array): void {
    const found = clippedGrid(weights, 0, weights.length, this.#family, this.#clip);
    const grid = withStoredScale(found, this.#scaleType);
    const at = row * (this.cols / this.groupSize) + group;
    this.#scales[at] = grid.scale;
    this.#zeroPoints[at] = grid.zeroPoint;
  }

  quantize(row: number, column: number, group: number, weight: number): number {
    const at = row * (this.cols / this.groupSize) + group;
    const { qmin, qmax } = this.#bounds;
    const [scale, zeroPoint] = [this.#scales[at]!, this.#zeroPoints[at]!];
    const nearest = nearestWhole(weight / scale) + zeroPoint;
    const code = nearest < qmin ? qmin : nearest > qmax ? qmax : nearest;
    this.#codes[row * this.cols + column] = code;
    return Math.fround(scale * (code - zeroPoint));
  }

  /** The matrix, where groups hold neighbouring columns; with act-order, scales lie in step order. */
  matrix(): QuantizedMatrix {
    return {
      rows: this.rows,
      cols: this.cols,
      bits: this.#family.bits,
      groupSize: this.groupSize,
      codes: this.#codes,
      scales: this.#scales,
      zeroPoints: this.#family.mode === "symmetric" ? null : this.#zeroPoints,
    };
  }
}

/** The nearest whole number, halves to even, for |x| < 2^51: no bit below the units is left. */
export function nearestWhole(x: number): number {
  return x + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;
}
