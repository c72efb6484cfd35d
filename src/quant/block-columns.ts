/**
 * GGUF's block formats one column at a time: a block's scales are found by the format's own search,
 * and its codes afterwards are the nearest on the grid that the stored scales make.
 */
import { dtypeLayouts } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import type { BlockCodec, BlockGrid, BlockImportance } from "./blocks/block.ts";
import { blockCodec } from "./blocks/codecs.ts";
import { checkImportance } from "./blocks/quantize.ts";
import { sumOfSquares } from "./blocks/scale-search.ts";
import { nearestWhole, type ColumnQuantizer } from "./column-quantizer.ts";

/** The block formats whose codes can be chosen one at a time. */
export type ColumnDtype =
  ("Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0") | ("Q2_K" | "Q3_K" | "Q4_K" | "Q5_K" | "Q6_K");

/** All of them. */
export const columnDtypes: readonly ColumnDtype[] = [
  ...(["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"] as const),
  ...(["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"] as const),
];

/** Whether a format is one of them. */
export function isColumnDtype(dtype: string): dtype is ColumnDtype {
  return columnDtypes.some((known) => known === dtype);
}

export class BlockColumns implements ColumnQuantizer {
  readonly rows: number;
  readonly cols: number;
  /** The block's elements. */
  readonly groupSize: number;
  readonly neighboursOnly = true;
  readonly #encode: NonNullable<BlockCodec["encode"]>;
  readonly #grid: BlockGrid;
  readonly #importance: Float32Array | undefined;
  readonly #blockBytes: number;
  /** The whole matrix as a file holds it, except that the codes are still those of the search. */
  readonly #blocks: Uint8Array;
  readonly #codes: Uint8Array;
  readonly #scales: Float32Array;
  readonly #offsets: Float32Array;

  /**
   * With `importance [cols]`, the mean squared inputs, a block's search weighs its errors by them.
   * Throws InputError for rows that do not divide into blocks and for an importance that does not fit.
   */
  constructor(dtype: ColumnDtype, rows: number, cols: number, importance?: Float32Array) {
    const { blockElements, blockBytes } = dtypeLayouts[dtype];
    const { encode, grid } = blockCodec(dtype);
    if (!encode || !grid) throw new InputError(`${dtype} blocks are not quantised by columns.`);
    if (cols % blockElements !== 0) {
      throw new InputError(
        `A row of ${cols} values does not divide into ${dtype} blocks of ${blockElements}.`,
      );
    }
    if (importance) checkImportance(importance, cols);
    this.#importance = importance;
    this.rows = rows;
    this.cols = cols;
    this.groupSize = blockElements;
    this.#encode = encode;
    this.#grid = grid;
    this.#blockBytes = blockBytes;
    this.#blocks = new Uint8Array(((rows * cols) / blockElements) * blockBytes);
    this.#codes = new Uint8Array(rows * cols);
    this.#scales = new Float32Array((rows * cols) / grid.elements);
    this.#offsets = new Float32Array(this.#scales.length);
  }

  fixScales(row: number, group: number, weights: Float32Array): void {
    const index = row * (this.cols / this.groupSize) + group;
    const perBlock = this.groupSize / this.#grid.elements;
    const block = this.#block(index);
    block.fill(0);
    this.#encode(weights, block, this.#importanceOf(group, weights));
    this.#grid.readScales(
      block,
      this.#scales.subarray(index * perBlock, (index + 1) * perBlock),
      this.#offsets.subarray(index * perBlock, (index + 1) * perBlock),
    );
  }

  quantize(row: number, column: number, _group: number, weight: number): number {
    const at = row * this.cols + column;
    const part = Math.floor(at / this.#grid.elements);
    const [scale, offset] = [this.#scales[part]!, this.#offsets[part]!];
    const { maxCode } = this.#grid;
    const nearest = scale === 0 ? 0 : nearestWhole((weight + offset) / scale);
    const code = nearest < 0 ? 0 : nearest > maxCode ? maxCode : nearest;
    this.#codes[at] = code;
    return Math.fround(scale * code - offset);
  }

  /** The stored bytes of the whole matrix, as a GGUF file holds them. */
  bytes(): Uint8Array {
    const [from, to] = this.#grid.codeBytes;
    for (let index = 0; index * this.groupSize < this.#codes.length; index++) {
      const block = this.#block(index);
      block.fill(0, from, to);
      const at = index * this.groupSize;
      this.#grid.writeCodes(block, this.#codes.subarray(at, at + this.groupSize));
    }
    return this.#blocks.slice();
  }

  /** The mean square is the block's: the rest of the row is still changing. */
  #importanceOf(group: number, weights: Float32Array): BlockImportance | undefined {
    const begin = group * this.groupSize;
    return (
      this.#importance && {
        perColumn: this.#importance.subarray(begin, begin + this.groupSize),
        rowMeanSquare: Math.fround(sumOfSquares(weights) / weights.length),
      }
    );
  }

  #block(index: number): Uint8Array {
    return this.#blocks.subarray(index * this.#blockBytes, (index + 1) * this.#blockBytes);
  }
}
