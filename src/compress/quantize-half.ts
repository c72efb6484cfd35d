/**
 * Half a layer by one method: gathers what enters its matrices, quantises them in the order in which
 * they run, and sends the calibration's states on through what they became. AWQ and SmoothQuant look at
 * the whole half first, because their scales are folded into what makes a matrix's inputs.
 */
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import type { HalfLayer, HalfLayerRunner } from "../model/half-layers.ts";
import { awqScales } from "../quant/awq.ts";
import type { AddGram, AddProduct } from "../quant/dense.ts";
import { outputErrorOver, relativeTo } from "../quant/output-error.ts";
import { scaleColumns, smoothingScales } from "../quant/smoothquant.ts";
import type { Calibration, GatheredInputs, GatherOptions } from "./calibrate.ts";
import {
  GroupEncoder,
  type EncodedMatrix,
  type EncoderInputs,
  type Method,
  type MethodOptions,
} from "./group-encoder.ts";
import { loadFloatHalf, loadNorm, loadProjection } from "./layer-matrices.ts";
import type { FloatHalf, FloatMatrix } from "./layer-matrices.ts";
import { foldIntoFirst, foldIntoNorm, foldsIntoFirst } from "./scale-folding.ts";

/** How to quantise. */
export interface HalfRecipe extends MethodOptions {
  readonly method: Method;
  /** What a matrix becomes; also for the rounding that others are compared with. */
  readonly encode: (encoder: GroupEncoder, matrix: FloatMatrix) => EncodedMatrix;
  /** What rounding leaves of a matrix in the format that `encode` gives it: for AWQ's search. */
  readonly roundTrip: (matrix: FloatMatrix) => (W: Float32Array, cols: number) => Float32Array;
  /** SmoothQuant's migration strength. */
  readonly alpha: number;
  /** Inputs that errors are measured over, and that AWQ searches with. */
  readonly sampleRows: number;
  readonly product: AddProduct;
  readonly addGram: AddGram;
}

/** What quantising a matrix costs, as parts of the mean square of its outputs. */
export interface MatrixErrors {
  /** Over text that was calibrated with, and over text that was not. */
  readonly inSample: number;
  readonly heldOut: number;
}

/** What became of a matrix. */
export interface QuantizedHalfMatrix {
  readonly matrix: FloatMatrix;
  readonly encoded: EncodedMatrix;
  readonly errors: MatrixErrors;
  /** Of plain rounding to the same format. */
  readonly rounding: MatrixErrors;
  readonly note: string | undefined;
}

/** What became of a half. */
export interface QuantizedHalf {
  readonly half: FloatHalf;
  readonly matrices: readonly QuantizedHalfMatrix[];
}

/** A half's kernels and states. */
export interface HalfContext {
  readonly kernels: ForwardKernels;
  readonly runner: HalfLayerRunner;
  readonly calibration: Calibration;
}

/** A group of matrices and what they read. */
interface Group {
  /** As they are, for the comparison with plain rounding. */
  readonly original: readonly FloatMatrix[];
  /** With scales folded in. */
  readonly folded: readonly FloatMatrix[];
  readonly inputs: GatheredInputs;
  /** [cols]: what the columns of the folded ones were multiplied by; undefined for 1. */
  readonly scales: Float32Array | undefined;
}

/**
 * Quantises a half and advances the calibration through it. Throws InputError where weights or inputs
 * are not finite or do not fit the format.
 */
export async function quantizeHalf(
  half: FloatHalf,
  recipe: HalfRecipe,
  context: HalfContext,
): Promise<QuantizedHalf> {
  const folds = recipe.method === "awq" || recipe.method === "smoothquant";
  return folds ? quantizeFolded(half, recipe, context) : quantizeInOrder(half, recipe, context);
}

async function quantizeInOrder(
  half: FloatHalf,
  recipe: HalfRecipe,
  { kernels, runner, calibration }: HalfContext,
): Promise<QuantizedHalf> {
  const norm = loadNorm(kernels, half.norm.values);
  const gathered = gatherOptions(recipe);
  const group = (matrices: readonly FloatMatrix[], inputs: GatheredInputs): Group => ({
    ...{ original: matrices, folded: matrices, inputs, scales: undefined },
  });
  const firstInputs = await calibration.firstInputs(runner, norm, gathered);
  const first = quantizeGroup(group(half.first, firstInputs), recipe);
  const begun = { kind: half.kind, norm, first: await loadAll(kernels, first) };
  const { cols } = half.second;
  const secondInputs = await calibration.secondInputs(runner, begun, cols, gathered);
  const second = quantizeGroup(group([half.second], secondInputs), recipe);
  await calibration.advance(runner, { ...begun, second: (await loadAll(kernels, second))[0]! });
  return { half, matrices: [...first, ...second] };
}

async function quantizeFolded(
  half: FloatHalf,
  recipe: HalfRecipe,
  { kernels, runner, calibration }: HalfContext,
): Promise<QuantizedHalf> {
  const loaded = await loadFloatHalf(kernels, half);
  const gathered = gatherOptions(recipe);
  const firstInputs = await calibration.firstInputs(runner, loaded.norm, gathered);
  const { cols } = half.second;
  const secondInputs = await calibration.secondInputs(runner, loaded, cols, gathered);
  const firstScales = scalesOf(half.first, firstInputs, recipe);
  // Value and up are divided before their own columns are multiplied; the order makes no difference.
  const secondScales = foldsIntoFirst(half)
    ? scalesOf([half.second], secondInputs, recipe)
    : undefined;
  const folded = foldIntoNorm(secondScales ? foldIntoFirst(half, secondScales) : half, firstScales);
  const first = quantizeGroup(
    {
      original: half.first,
      folded: folded.first,
      inputs: firstInputs,
      scales: firstScales,
    },
    recipe,
  );
  const second = quantizeGroup(
    {
      original: [half.second],
      folded: [folded.second],
      inputs: secondInputs,
      scales: secondScales,
    },
    recipe,
  );
  await calibration.advance(runner, {
    kind: half.kind,
    norm: loadNorm(kernels, folded.norm.values),
    first: await loadAll(kernels, first),
    second: (await loadAll(kernels, second))[0]!,
  });
  return { half: folded, matrices: [...first, ...second] };
}

/** The scales of the columns of matrices that read the same inputs. */
function scalesOf(
  matrices: readonly FloatMatrix[],
  { calibration }: GatheredInputs,
  recipe: HalfRecipe,
): Float32Array {
  const { cols } = matrices[0]!;
  const W = stacked(matrices);
  if (recipe.method === "smoothquant") return smoothingScales(W, calibration.peaks, recipe.alpha);
  return awqScales(W, calibration.sample, cols, {
    ...{ bits: 4, mode: "symmetric", groupSize: cols, product: recipe.product },
    roundTrip: recipe.roundTrip(matrices[0]!),
  }).scales;
}

function quantizeGroup(group: Group, recipe: HalfRecipe): readonly QuantizedHalfMatrix[] {
  const { inputs, scales } = group;
  const { cols } = group.original[0]!;
  const errorsOf = [inputs.calibration, inputs.heldOut].map(({ sample }) => ({
    plain: relativeTo(outputErrorOver(sample, cols, recipe.product)),
    scaled:
      scales && relativeTo(outputErrorOver(scaleColumns(sample, scales, -1), cols, recipe.product)),
  }));
  const encoder = new GroupEncoder(recipe.method, encoderInputs(group), recipe);
  const rounder = new GroupEncoder("rtn", {});
  return group.folded.map((matrix, i): QuantizedHalfMatrix => {
    const original = group.original[i]!;
    const encoded = recipe.encode(encoder, matrix);
    const rounded = recipe.method === "rtn" ? encoded : recipe.encode(rounder, original);
    const [inSample, heldOut] = errorsOf.map(({ plain, scaled }) =>
      (scaled ?? plain)(matrix.values, encoded.values),
    ) as [number, number];
    const [roundedInSample, roundedHeldOut] = errorsOf.map(({ plain }) =>
      plain(original.values, rounded.values),
    ) as [number, number];
    return {
      matrix,
      encoded,
      errors: { inSample, heldOut },
      rounding: { inSample: roundedInSample, heldOut: roundedHeldOut },
      note: encoder.note,
    };
  });
}

function encoderInputs({ inputs, scales }: Group): EncoderInputs {
  const { sample } = inputs.calibration;
  return {
    statistics: inputs.calibration,
    sample: scales ? scaleColumns(sample, scales, -1) : sample,
  };
}

function gatherOptions({ method, sampleRows, addGram }: HalfRecipe): GatherOptions {
  return {
    calibration: { hessian: method === "gptq", sampleRows, addGram },
    heldOut: { sampleRows },
  };
}

async function loadAll(
  kernels: ForwardKernels,
  quantized: readonly QuantizedHalfMatrix[],
): Promise<HalfLayer["first"]> {
  const loaded: HalfLayer["second"][] = [];
  for (const { matrix, encoded } of quantized) {
    const { dtype, bytes } = encoded;
    loaded.push(await loadProjection(kernels, { ...matrix, dtype, bytes: bytes.slice() }));
  }
  return loaded;
}

function stacked(matrices: readonly FloatMatrix[]): Float32Array {
  const all = new Float32Array(matrices.reduce((sum, { values }) => sum + values.length, 0));
  let at = 0;
  for (const { values } of matrices) {
    all.set(values, at);
    at += values.length;
  }
  return all;
}
