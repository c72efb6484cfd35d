/**
 * GPTQ of one matrix beside plain rounding to the same grid, over inputs that were calibrated with and
 * over inputs that were not: only the second says what quantising costs.
 */
import { BlockColumns, type ColumnDtype } from "../quant/block-columns.ts";
import { LinearColumns } from "../quant/column-quantizer.ts";
import type { AddProduct } from "../quant/dense.ts";
import { meanSquaredError } from "../quant/error.ts";
import { gptqSteps, type GptqResult } from "../quant/gptq.ts";
import { inverseHessian, type InverseFactor } from "../quant/hessian.ts";
import { outputErrorUnder, relativeTo, type OutputError } from "../quant/output-error.ts";
import type { GatheredInputs } from "./calibrate.ts";
import type { LinearGrid } from "./group-encoder.ts";
import type { FloatMatrix } from "./layer-matrices.ts";

/** The grid, and how GPTQ goes over it. */
export interface WorkbenchOptions {
  readonly grid: LinearGrid | { readonly dtype: ColumnDtype };
  readonly damp: number;
  readonly actOrder: boolean;
  readonly staticGroups: boolean;
  readonly blockSize: number;
  readonly product?: AddProduct;
}

/** Columns that were quantised together, and what that added to GPTQ's loss. */
export interface WorkbenchStep {
  readonly begin: number;
  readonly end: number;
  readonly loss: number;
}

/** What a way of quantising costs. Errors of outputs are parts of their mean square. */
export interface WorkbenchErrors {
  readonly weightMse: number;
  readonly inSample: number;
  readonly heldOut: number;
}

/** The comparison. */
export interface WorkbenchReport {
  readonly layer: string;
  readonly rows: number;
  readonly cols: number;
  readonly numTokens: number;
  readonly numHeldOut: number;
  /** What was added to the Hessian's diagonal. */
  readonly damping: number;
  /** Inputs that were always 0. */
  readonly deadInputs: number;
  /** What there is to say about the Hessian. */
  readonly notes: readonly string[];
  readonly steps: readonly WorkbenchStep[];
  readonly naive: WorkbenchErrors;
  readonly compensated: WorkbenchErrors;
  /** Naive divided by compensated: above 1 GPTQ is better. */
  readonly gain: { readonly inSample: number; readonly heldOut: number };
}

/**
 * Compares both on `matrix`; the inputs were gathered with their Hessians. `onStep` sees each block of
 * columns as it is done. Throws as `inverseHessian` and `gptq` do.
 */
export function compareGptq(
  matrix: FloatMatrix,
  { calibration, heldOut }: GatheredInputs,
  options: WorkbenchOptions,
  onStep: (step: WorkbenchStep) => void = () => undefined,
): WorkbenchReport {
  const { damp, actOrder, product } = options;
  const { name, rows, cols, values } = matrix;
  const algebra = product ? { product } : {};
  const factor = inverseHessian(calibration.hessian, cols, { damp, actOrder, ...algebra });
  const steps: WorkbenchStep[] = [];
  const { values: compensated } = sweep(matrix, factor, options, (step) => {
    steps.push(step);
    onStep(step);
  });
  const errorsOf = errorsAgainst(values, [
    relativeTo(outputErrorUnder(calibration.hessian, cols, product)),
    relativeTo(outputErrorUnder(heldOut.hessian, cols, product)),
  ]);
  const [naive, better] = [errorsOf(rounded(matrix, options)), errorsOf(compensated)];
  return {
    ...{ layer: name, rows, cols, numTokens: calibration.numTokens, numHeldOut: heldOut.numTokens },
    damping: factor.damping,
    deadInputs: factor.dead.reduce((sum, flag) => sum + flag, 0),
    notes: notesOn(factor, calibration.numTokens),
    ...{ steps, naive, compensated: better },
    gain: {
      inSample: naive.inSample / better.inSample,
      heldOut: naive.heldOut / better.heldOut,
    },
  };
}

function sweep(
  matrix: FloatMatrix,
  factor: InverseFactor,
  { grid, blockSize, staticGroups, actOrder, product }: WorkbenchOptions,
  onStep: (step: WorkbenchStep) => void,
): GptqResult {
  const columns = columnsFor(matrix, grid);
  const steps = gptqSteps(matrix.values, factor, columns, {
    blockSize,
    // A block's scales belong to neighbours, in whatever order they are quantised.
    staticGroups: staticGroups || (actOrder && columns.neighboursOnly),
    ...(product ? { product } : {}),
  });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const { begin, end, loss } = step.value;
    onStep({ begin, end, loss });
  }
}

function columnsFor(
  { rows, cols }: FloatMatrix,
  grid: WorkbenchOptions["grid"],
): BlockColumns | LinearColumns {
  return "dtype" in grid
    ? new BlockColumns(grid.dtype, rows, cols)
    : new LinearColumns(rows, cols, { ...grid, convention: "max7.5" });
}

/** The nearest codes on the same grids: each group's scales from its own weights, and nothing moved. */
function rounded(matrix: FloatMatrix, { grid }: WorkbenchOptions): Float32Array {
  const { rows, cols, values } = matrix;
  const columns = columnsFor(matrix, grid);
  const { groupSize } = columns;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < cols; j++) {
      const at = row * cols + j;
      const group = Math.floor(j / groupSize);
      if (j % groupSize === 0) columns.fixScales(row, group, values.subarray(at, at + groupSize));
      out[at] = columns.quantize(row, j, group, values[at]!);
    }
  }
  return out;
}

function errorsAgainst(
  W: Float32Array,
  [inSample, heldOut]: readonly [OutputError, OutputError],
): (changed: Float32Array) => WorkbenchErrors {
  return (changed) => ({
    weightMse: meanSquaredError(W, changed),
    inSample: inSample(W, changed),
    heldOut: heldOut(W, changed),
  });
}

function notesOn({ note, cols }: InverseFactor, numTokens: number): readonly string[] {
  const tooFew =
    numTokens < cols
      ? [
          `${numTokens} tokens cannot fill a Hessian of ${cols} inputs: what is gained over them says nothing about other text.`,
        ]
      : [];
  return note === undefined ? tooFew : [note, ...tooFew];
}
