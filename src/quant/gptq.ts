/**
 * GPTQ: quantises a layer's columns one after the other and moves what each rounding loses onto the
 * columns that follow, as far as the inputs allow. A function of the weights and of the inverse
 * Hessian's factor; where inputs come from, and which layers there are, is not its business.
 *
 * Rows do not depend on each other: parts of a matrix can be quantised apart with one factor.
 *
 * Source: Frantar et al. 2022, GPTQ (arXiv:2210.17323), Algorithm 1 and §3.3.
 */
import { InputError, UsageError } from "../core/errors.ts";
import type { ColumnQuantizer } from "./column-quantizer.ts";
import { addProduct, type AddProduct } from "./dense.ts";
import type { InverseFactor } from "./hessian.ts";
import { checkFinite } from "./linear.ts";

export interface GptqOptions {
  /** Columns after which the rest of the matrix is brought up to date; 128 unless given. */
  readonly blockSize?: number;
  /**
   * Fixes all scales before the first column, from the weights as they were, so that groups hold
   * neighbouring columns in any order of quantising. Otherwise each group's scales are fixed when it
   * begins, from the weights as they then are.
   */
  readonly staticGroups?: boolean;
  readonly product?: AddProduct;
}

/** What one block of columns did. Arrays are in step order and valid until the next step. */
export interface GptqStep {
  readonly begin: number;
  readonly end: number;
  /** E [rows, end − begin]: (weight − value) / U[i, i], of which the step's loss is the squared sum. */
  readonly errors: Float64Array;
  /** [rows, cols]: columns before `end` as rounding found them, the others as they are now. */
  readonly weights: Float64Array;
  readonly loss: number;
}

export interface GptqResult {
  /** The decoded weights [rows, cols] in the matrix's own order. */
  readonly values: Float32Array;
  /** [cols]: the group whose scales each column has. */
  readonly groupOfColumn: Uint32Array;
  /** [cols]: what each column adds to the loss, in the matrix's own order. */
  readonly columnLosses: Float64Array;
  /** tr((W − Q) H (W − Q)ᵀ), H damped and the columns of dead inputs 0 in W. */
  readonly loss: number;
}

/** A matrix being quantised: its state, and what does not change. */
interface Sweep {
  readonly rows: number;
  readonly cols: number;
  /** [rows, cols] in step order. */
  readonly weights: Float64Array;
  readonly factor: InverseFactor;
  readonly quantizer: ColumnQuantizer;
  readonly staticGroups: boolean;
  readonly result: {
    readonly values: Float32Array;
    readonly groupOfColumn: Uint32Array;
    readonly columnLosses: Float64Array;
  };
}

/**
 * Quantises `W [rows, cols] float32` with `quantizer`, which then holds codes and scales. Throws
 * InputError where sizes differ or a weight is not finite, UsageError for options that do not fit.
 */
export function gptq(
  W: Float32Array,
  factor: InverseFactor,
  quantizer: ColumnQuantizer,
  options: GptqOptions = {},
): GptqResult {
  const steps = gptqSteps(W, factor, quantizer, options);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** `gptq` one block at a time: for a progress bar, a picture, or an end before the end. */
export function* gptqSteps(
  W: Float32Array,
  factor: InverseFactor,
  quantizer: ColumnQuantizer,
  options: GptqOptions = {},
): Generator<GptqStep, GptqResult, undefined> {
  const { blockSize = 128, product = addProduct } = options;
  if (!Number.isInteger(blockSize) || blockSize < 1) {
    throw new UsageError(
      `A block has a whole number of columns, at least 1; ${blockSize} is none.`,
    );
  }
  const sweep = beginSweep(W, factor, quantizer, options.staticGroups ?? false);
  const { rows, cols, weights } = sweep;
  const errors = new Float64Array(rows * Math.min(blockSize, cols));
  let loss = 0;
  for (let begin = 0; begin < cols;) {
    const end = endOfBlock(begin, blockSize, sweep);
    const width = end - begin;
    const blockLoss = quantizeBlock(sweep, begin, end, errors);
    product(
      { data: weights, at: end, rowStride: cols },
      -1,
      { data: errors, at: 0, rowStride: width },
      { data: factor.upper, at: begin * cols + end, rowStride: cols },
      [rows, width, cols - end],
    );
    loss += blockLoss;
    yield { begin, end, errors: errors.subarray(0, rows * width), weights, loss: blockLoss };
    begin = end;
  }
  return { ...sweep.result, loss };
}

function beginSweep(
  W: Float32Array,
  factor: InverseFactor,
  quantizer: ColumnQuantizer,
  staticGroups: boolean,
): Sweep {
  const { rows, cols } = quantizer;
  if (factor.cols !== cols || W.length !== rows * cols) {
    throw new InputError(
      `A ${rows} × ${cols} grid needs as many weights and a Hessian of ${cols} inputs, not ${W.length} and ${factor.cols}.`,
    );
  }
  checkFinite(W);
  const inOrder = factor.order.every((column, step) => column === step);
  if (quantizer.neighboursOnly && !inOrder && !staticGroups) {
    throw new UsageError(
      "A block format's scales belong to neighbouring columns: with act-order, ask for static groups as well.",
    );
  }
  const weights = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let step = 0; step < cols; step++) {
      const column = factor.order[step]!;
      weights[row * cols + step] = factor.dead[column] ? 0 : W[row * cols + column]!;
    }
  }
  const values = new Float32Array(rows * cols);
  const groupOfColumn = new Uint32Array(cols);
  factor.order.forEach((column, step) => {
    groupOfColumn[column] = Math.floor((staticGroups ? column : step) / quantizer.groupSize);
  });
  if (staticGroups) fixAllScales(W, factor.dead, quantizer);
  const result = { values, groupOfColumn, columnLosses: new Float64Array(cols) };
  return { rows, cols, weights, factor, quantizer, staticGroups, result };
}

function fixAllScales(W: Float32Array, dead: Uint8Array, quantizer: ColumnQuantizer): void {
  const { rows, cols, groupSize } = quantizer;
  const group = new Float32Array(groupSize);
  for (let row = 0; row < rows; row++) {
    for (let from = 0; from < cols; from += groupSize) {
      for (let j = 0; j < groupSize; j++) {
        group[j] = dead[from + j] ? 0 : W[row * cols + from + j]!;
      }
      quantizer.fixScales(row, from / groupSize, group);
    }
  }
}

/**
 * Where the block that starts at `begin` ends. A group that begins inside and reaches beyond would
 * find stale weights behind the block's end, so the block ends before it: the result does not depend
 * on the block size.
 */
function endOfBlock(begin: number, blockSize: number, sweep: Sweep): number {
  const end = Math.min(sweep.cols, begin + blockSize);
  const { groupSize } = sweep.quantizer;
  const lastGroup = Math.floor((end - 1) / groupSize) * groupSize;
  const reachesBeyond = lastGroup > begin && lastGroup + groupSize > end;
  return reachesBeyond && !sweep.staticGroups ? lastGroup : end;
}

/** Quantises columns [begin, end) of every row, fills E [rows, end − begin], returns the loss. */
function quantizeBlock(sweep: Sweep, begin: number, end: number, errors: Float64Array): number {
  const { rows, cols, weights, factor, quantizer, staticGroups, result } = sweep;
  const { order, upper } = factor;
  const { groupSize } = quantizer;
  const group = new Float32Array(groupSize);
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    for (let i = begin; i < end; i++) {
      const column = order[i]!;
      const groupIndex = result.groupOfColumn[column]!;
      if (!staticGroups && i % groupSize === 0) {
        for (let j = 0; j < groupSize; j++) group[j] = weights[start + i + j]!;
        quantizer.fixScales(row, groupIndex, group);
      }
      const weight = weights[start + i]!;
      const value = quantizer.quantize(row, column, groupIndex, weight);
      const error = (weight - value) / upper[i * cols + i]!;
      for (let j = i + 1; j < end; j++) weights[start + j]! -= error * upper[i * cols + j]!;
      errors[row * (end - begin) + i - begin] = error;
      result.values[start + column] = value;
      result.columnLosses[column]! += error * error;
      loss += error * error;
    }
  }
  return loss;
}
