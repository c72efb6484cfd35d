/**
 * A whole model by one method, layer after layer: each is quantised with inputs that come through the
 * quantised ones before it, written to a folder, and forgotten. What that needs of memory is one layer,
 * the calibration's hidden states and nothing else, whatever the model's depth; broken off, it goes on
 * behind the last layer that was finished.
 */
import { createHash } from "node:crypto";
import { silent, type Progress } from "../core/progress.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { LlamaConfig } from "../model/config.ts";
import { HalfLayerRunner, halvesOf } from "../model/half-layers.ts";
import { recipeModel } from "../quant/blocks/convert.ts";
import { plainAlgebra, type DenseAlgebra } from "../quant/dense.ts";
import { Calibration, embedWindows } from "./calibrate.ts";
import type { CalibrationWindows } from "./calibration-windows.ts";
import type { Method } from "./group-encoder.ts";
import { readHalf, refuseQuantized } from "./layer-matrices.ts";
import { modelShape, type KernelLease, type ModelShape } from "./model-shape.ts";
import { checkFormat, encodingFor, type OutputFormat } from "./output-format.ts";
import {
  quantizeHalf,
  type HalfRecipe,
  type MatrixErrors,
  type QuantizedHalf,
} from "./quantize-half.ts";
import { UnfinishedModel, type StateShape, type WorkRecipe } from "./unfinished-model.ts";

/** What the result depends on. */
export interface ModelRecipe {
  readonly method: Method;
  readonly format: OutputFormat;
  /** GPTQ: 0.01 unless given. */
  readonly damp?: number;
  /** GPTQ: false unless given. */
  readonly actOrder?: boolean;
  /** SmoothQuant: 0.5 unless given. */
  readonly alpha?: number;
  /** Inputs that errors are measured over and that AWQ searches with; 256 unless given. */
  readonly sampleRows?: number;
}

/** The work. */
export interface ModelRun {
  readonly file: GgufFile;
  readonly windows: CalibrationWindows;
  readonly recipe: ModelRecipe;
  /** Holds what is finished; may be there from an earlier run. */
  readonly folder: string;
  readonly openKernels: () => Promise<KernelLease>;
  readonly algebra?: DenseAlgebra;
  /** Counts halves of layers. */
  readonly progress?: Progress;
}

/** What quantising cost, matrix by matrix. */
export interface MatrixReport {
  readonly name: string;
  readonly dtype: string;
  readonly errors: MatrixErrors;
  /** Of plain rounding to the same format. */
  readonly rounding: MatrixErrors;
  readonly note?: string;
}

/** A layer's matrices with their norms and biases, as the writer of a format takes them. */
export type QuantizedLayer = readonly [QuantizedHalf, QuantizedHalf];

/** How a format keeps a finished layer. */
export interface LayerWriter {
  /** The name of the file in the folder. */
  fileName(layer: number): string;
  write(layer: QuantizedLayer, index: number): Promise<readonly Uint8Array[]>;
}

/** All layers, in a folder. */
export interface QuantizedLayers {
  readonly work: UnfinishedModel;
  readonly matrices: readonly MatrixReport[];
  /** Layers that an earlier run had finished. */
  readonly numResumed: number;
}

/**
 * Quantises all layers into the folder, and returns it with what each matrix cost. Throws InputError
 * for a model that is quantised already or not supported, for a folder of another recipe, and where
 * weights or inputs are not finite; UsageError where the method does not write the format.
 */
export async function quantizeLayers(run: ModelRun, writer: LayerWriter): Promise<QuantizedLayers> {
  const { file, recipe, progress = silent } = run;
  checkFormat(recipe.method, recipe.format);
  const shape = await modelShape(file);
  refuseQuantized(file, shape.tensors);
  const work = await UnfinishedModel.open(run.folder, await workRecipe(run));
  const { numLayers } = shape.config;
  const numResumed = work.numFinished;
  try {
    if (work.numFinished < numLayers) {
      const calibration = await calibrationOf(run, shape, work);
      for (let layer = work.numFinished; layer < numLayers; layer++) {
        await quantizeLayer(run, shape, layer, { calibration, work, writer });
      }
    }
  } catch (error) {
    // Nothing to go on from.
    if (work.numFinished === 0) await work.remove();
    throw error;
  } finally {
    progress.finish();
  }
  const matrices = (await work.readReports()).flat() as MatrixReport[];
  return { work, matrices, numResumed };
}

async function calibrationOf(
  { file, windows }: ModelRun,
  { config, tensors }: ModelShape,
  work: UnfinishedModel,
): Promise<Calibration> {
  if (work.numFinished === 0) {
    return new Calibration(await embedWindows(file, tensors.embedding, windows));
  }
  return new Calibration(await work.readStates(stateShape(windows, config)));
}

async function quantizeLayer(
  run: ModelRun,
  { config, tensors, frequencies }: ModelShape,
  layer: number,
  {
    calibration,
    work,
    writer,
  }: {
    readonly calibration: Calibration;
    readonly work: UnfinishedModel;
    readonly writer: LayerWriter;
  },
): Promise<void> {
  const { file, windows, progress = silent } = run;
  const lease = await run.openKernels();
  try {
    const { kernels } = lease;
    const runner = new HalfLayerRunner(
      kernels,
      config,
      frequencies,
      windows.calibration[0]!.length,
    );
    const recipe = halfRecipe(run);
    const done: QuantizedHalf[] = [];
    for (const [i, half] of halvesOf(tensors.layers[layer]!).entries()) {
      const what = half.kind === "attention" ? "attention" : "feed-forward";
      progress.update(2 * layer + i, 2 * config.numLayers, `layer ${layer}, ${what}`);
      const read = await readHalf(file, half);
      done.push(await quantizeHalf(read, recipe, { kernels, runner, calibration }));
    }
    const pieces = await writer.write(done as unknown as QuantizedLayer, layer);
    await work.finishLayer(
      writer.fileName(layer),
      async (sink) => {
        for (const piece of pieces) await sink.write(piece);
      },
      calibration.states,
      done.flatMap(({ matrices }) => matrices.map(reportOf)),
    );
  } finally {
    await lease.close();
  }
}

function halfRecipe({ file, recipe, algebra = plainAlgebra }: ModelRun): HalfRecipe {
  const { method, format, damp = 0.01, actOrder = false, alpha = 0.5, sampleRows = 256 } = recipe;
  const encoding = encodingFor(method, format, recipeModel(file));
  return {
    method,
    damp,
    actOrder,
    alpha,
    sampleRows,
    product: algebra.product,
    addGram: algebra.addGram,
    ...encoding,
  };
}

function reportOf({
  matrix,
  encoded,
  errors,
  rounding,
  note,
}: QuantizedHalf["matrices"][number]): MatrixReport {
  const { name } = matrix;
  return { name, dtype: encoded.dtype, errors, rounding, ...(note === undefined ? {} : { note }) };
}

function stateShape({ calibration, heldOut }: CalibrationWindows, config: LlamaConfig): StateShape {
  return {
    numCalibration: calibration.length,
    numHeldOut: heldOut.length,
    windowValues: calibration[0]!.length * config.hiddenSize,
  };
}

/** Names the model by its content, and the text by its tokens. */
async function workRecipe({ file, windows, recipe }: ModelRun): Promise<WorkRecipe> {
  const hash = createHash("sha256");
  for (const window of [...windows.calibration, ...windows.heldOut]) hash.update(window);
  const { calibration, heldOut } = windows;
  return {
    ...recipe,
    model: await contentHash(file),
    text: hash.digest("hex"),
    windows: [calibration.length, heldOut.length, calibration[0]!.length],
  };
}

async function contentHash(file: GgufFile): Promise<string> {
  const hash = createHash("sha256");
  const pieceBytes = 2 ** 22;
  for (const { name, numBytes, shape, dtype } of file.tensors) {
    hash.update(JSON.stringify([name, shape, dtype]));
    for (let begin = 0; begin < numBytes; begin += pieceBytes) {
      hash.update(await file.readBytes(name, begin, Math.min(numBytes, begin + pieceBytes)));
    }
  }
  return hash.digest("hex");
}
