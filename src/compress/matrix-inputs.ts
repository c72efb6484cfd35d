/**
 * The inputs of one matrix of a model: text goes through the layers before it, with their weights as
 * they are, up to where it enters.
 */
import { InputError, nearestNames } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import { quoted } from "../formats/byte-source.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { HalfLayerRunner, halvesOf } from "../model/half-layers.ts";
import { Calibration, embedWindows, type GatheredInputs, type GatherOptions } from "./calibrate.ts";
import type { CalibrationWindows } from "./calibration-windows.ts";
import { loadFloatHalf, readHalf, refuseQuantized, type FloatMatrix } from "./layer-matrices.ts";
import { modelShape, type KernelLease, type ModelShape } from "./model-shape.ts";

/** A matrix and what enters it. */
export interface MatrixInputs {
  readonly matrix: FloatMatrix;
  readonly inputs: GatheredInputs;
}

/** What to gather, and with what. */
export interface MatrixRequest {
  readonly file: GgufFile;
  readonly windows: CalibrationWindows;
  /** A matrix of a layer, such as `blk.0.attn_q`, with or without `.weight`. */
  readonly layer: string;
  readonly gather: GatherOptions;
  readonly openKernels: () => Promise<KernelLease>;
  /** Counts halves of layers. */
  readonly progress?: Progress;
}

/**
 * Gathers the inputs of one matrix. Throws InputError with the nearest names where the model has no
 * such matrix, where its layers are quantised already, and where weights or inputs are not finite.
 */
export async function gatherMatrixInputs(request: MatrixRequest): Promise<MatrixInputs> {
  const { file, windows, progress = silent } = request;
  const shape = await modelShape(file);
  const target = findMatrix(file, shape, request.layer);
  refuseQuantized(file, shape.tensors);
  const states = await embedWindows(file, shape.tensors.embedding, windows);
  const calibration = new Calibration(states);
  const total = target.half + 1;
  try {
    for (let half = 0; half < target.half; half++) {
      progress.update(half, total, `layer ${half >> 1}`);
      await throughHalf(request, shape, calibration, half);
    }
    progress.update(target.half, total, `layer ${target.half >> 1}`);
    return await inputsInHalf(request, shape, calibration, target);
  } finally {
    progress.finish();
  }
}

/** The matrices of all layers, without `.weight`. */
export function matrixNames({ tensors }: ModelShape): readonly string[] {
  return tensors.layers.flatMap((layer) =>
    halvesOf(layer).flatMap(({ first, second }) =>
      [...first, second].map(({ weight }) => withoutWeight(weight.name)),
    ),
  );
}

/** Halves are counted from the model's beginning. */
interface Target {
  readonly name: string;
  readonly half: number;
}

function findMatrix(file: GgufFile, shape: ModelShape, layer: string): Target {
  const wanted = withoutWeight(layer);
  const halves = shape.tensors.layers.flatMap((each) => halvesOf(each));
  const half = halves.findIndex(({ first, second }) =>
    [...first, second].some(({ weight }) => withoutWeight(weight.name) === wanted),
  );
  if (half >= 0) return { name: `${wanted}.weight`, half };
  const nearest = nearestNames(wanted, matrixNames(shape)).map(quoted);
  throw new InputError(
    `${file.name} has no matrix ${quoted(wanted)} in its layers; the nearest names are ${nearest.join(", ")}.`,
  );
}

async function throughHalf(
  { file, windows, openKernels }: MatrixRequest,
  { config, tensors, frequencies }: ModelShape,
  calibration: Calibration,
  index: number,
): Promise<void> {
  const lease = await openKernels();
  try {
    const { kernels } = lease;
    const numTokens = windows.calibration[0]!.length;
    const runner = new HalfLayerRunner(kernels, config, frequencies, numTokens);
    const half = await readHalf(file, halvesOf(tensors.layers[index >> 1]!)[index % 2]!);
    await calibration.advance(runner, await loadFloatHalf(kernels, half));
  } finally {
    await lease.close();
  }
}

async function inputsInHalf(
  { file, windows, openKernels, gather }: MatrixRequest,
  { config, tensors, frequencies }: ModelShape,
  calibration: Calibration,
  { name, half: index }: Target,
): Promise<MatrixInputs> {
  const lease = await openKernels();
  try {
    const { kernels } = lease;
    const numTokens = windows.calibration[0]!.length;
    const runner = new HalfLayerRunner(kernels, config, frequencies, numTokens);
    const half = await readHalf(file, halvesOf(tensors.layers[index >> 1]!)[index % 2]!);
    const loaded = await loadFloatHalf(kernels, half);
    const { second } = half;
    const inputs =
      second.name === name
        ? await calibration.secondInputs(runner, loaded, second.cols, gather)
        : await calibration.firstInputs(runner, loaded.norm, gather);
    const matrix = [...half.first, second].find((each) => each.name === name)!;
    return { matrix, inputs };
  } finally {
    await lease.close();
  }
}

function withoutWeight(name: string): string {
  return name.replace(/\.weight$/, "");
}
