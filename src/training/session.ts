/**
 * A training with all that it needs: text, tokenizer, backend, and a folder for what it leaves. The
 * command line and notebooks open it and run its `trainer`; how that looks is theirs.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { writeAtomically } from "../corpus/files.ts";
import { storyDocuments } from "../corpus/stories.ts";
import { readTextFile } from "../corpus/text-file.ts";
import { readTokenizerFile } from "../corpus/tokenizer-file.ts";
import type { GgufValue } from "../formats/gguf/metadata.ts";
import { bytePairMetadata } from "../model/tokenizer/byte-pair-metadata.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import {
  chooseBackend,
  type BackendName,
  type ChosenBackend,
  type DeviceName,
} from "../tensor/backend.ts";
import { defaultThreads } from "../tensor/cpu-cores.ts";
import { baselinesOf, type Baselines } from "./baselines.ts";
import {
  hashOfTokens,
  loadCheckpoint,
  saveCheckpoint,
  type TrainingIdentity,
} from "./checkpoint.ts";
import { exportGguf, type ExportDtype } from "./export-gguf.ts";
import { openGradientThreads } from "./gradient-threads.ts";
import { TfjsGradients, type GradientSource, type Shard } from "./gradients.ts";
import { presets, type PresetName, type TrainingRecipe } from "./recipe.ts";
import { documentsOf, packDocuments, withHeldOutEnd, type TrainingText } from "./text.ts";
import { initialState, Trainer } from "./trainer.ts";
import type { TransformerShape } from "./transformer-shape.ts";
import { evaluationShards, WindowSampler } from "./windows.ts";

/** What is to be trained. */
export interface TrainingChoice {
  readonly preset: PresetName;
  /** A UTF-8 text to learn from; without it, stories of ours. */
  readonly textPath?: string | undefined;
  /** A tokenizer.json of ours; without it, the shipped one. */
  readonly tokenizerPath?: string | undefined;
  /** Instead of the preset's. */
  readonly numSteps?: number | undefined;
  readonly seed?: number;
  /** Without it the best there is. */
  readonly device?: DeviceName | undefined;
  /** Of the wasm backend; without it one for each core, at most 8. */
  readonly numThreads?: number | undefined;
  /** Where checkpoints and the model go; without it nothing is kept. Made where it is missing. */
  readonly folder?: string | undefined;
  /** Goes on from the checkpoint in `folder`. */
  readonly resumes?: boolean;
}

/** Windows that a validation looks at: a few percent of the time between two of them. */
const validationWindows = 32;

/** An open training; closed by whoever opened it. */
export interface TrainingSession {
  readonly preset: PresetName;
  readonly trainer: Trainer;
  readonly text: TrainingText;
  /** What gradients are computed on, for people. */
  readonly backend: string;
  /** For `trainer.run`. */
  readonly validation: readonly Shard[];
  /** Writes a checkpoint, where there is a folder. */
  save(): Promise<void>;
  /** Writes the model as it is now, and returns its path; undefined where there is no folder. */
  exportModel(dtype: ExportDtype): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Where a folder's checkpoint is. */
export function checkpointIn(folder: string): string {
  return join(folder, "checkpoint.safetensors");
}

/**
 * Opens a training. Throws InputError where the text, the tokenizer, the checkpoint or the folder
 * cannot be used, and UsageError where the backend has no threads to choose.
 */
export async function openTraining(choice: TrainingChoice): Promise<TrainingSession> {
  const { preset, folder, resumes = false } = choice;
  const vocabulary = await readTokenizerFile(choice.tokenizerPath);
  const tokenizer = bytePairMetadata(vocabulary);
  const backend = await chooseBackend({ device: choice.device });
  const recipe = recipeOf(choice, vocabulary.tokens.length, backend.name);
  const text = await textOf(choice, recipe, tokenizerFromGguf(tokenizer));
  const identity: TrainingIdentity = { recipe, textHash: hashOfTokens(text.train) };
  const { contextLength, vocabSize } = recipe.shape;
  const windows = new WindowSampler(text.train, contextLength, vocabSize, recipe.seed);
  const state =
    resumes && folder !== undefined
      ? await loadCheckpoint(checkpointIn(folder), identity)
      : initialState(recipe);
  if (folder !== undefined) await makeFolder(folder);
  const gradients = await openGradients(backend, recipe.shape, choice.numThreads);
  return {
    preset,
    trainer: new Trainer(recipe, state, windows, gradients),
    text,
    backend: gradients.name,
    validation: evaluationShards(text.validation, contextLength, vocabSize, validationWindows),
    save: async () => {
      if (folder !== undefined) await saveCheckpoint(checkpointIn(folder), identity, state);
    },
    exportModel: async (dtype) => {
      if (folder === undefined) return undefined;
      await exportTo(
        join(folder, "model.gguf"),
        preset,
        recipe,
        state.parameters,
        tokenizer,
        dtype,
      );
      return join(folder, "model.gguf");
    },
    close: () => gradients.close(),
  };
}

/** What a model without a past reaches on the session's text; undefined where nothing is held out. */
export function baselinesOfSession({ text, trainer }: TrainingSession): Baselines | undefined {
  if (text.validation.length < 2) return undefined;
  return baselinesOf(text.train, text.validation, trainer.recipe.shape.vocabSize);
}

async function exportTo(
  path: string,
  preset: PresetName,
  { shape }: TrainingRecipe,
  parameters: Float32Array,
  tokenizer: ReadonlyMap<string, GgufValue>,
  dtype: ExportDtype,
): Promise<void> {
  const name = `infinity-${preset}`;
  await writeAtomically(path, (sink) =>
    exportGguf(sink, { name, shape, parameters, tokenizer }, dtype),
  );
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new InputError(`${folder} cannot be made: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

function recipeOf(
  { preset, numSteps, seed = 0 }: TrainingChoice,
  vocabSize: number,
  backend: BackendName,
): TrainingRecipe {
  const { shape, windowsPerStep, windowsPerShard, ...rest } = presets[preset];
  const isProcessor = backend === "wasm" || backend === "cpu";
  return {
    ...rest,
    shape: { ...shape, vocabSize },
    numSteps: numSteps ?? rest.numSteps,
    windowsPerStep,
    // A GPU wants all of a step's work at once.
    windowsPerShard: isProcessor ? windowsPerShard : windowsPerStep,
    seed,
  };
}

async function openGradients(
  backend: ChosenBackend,
  shape: TransformerShape,
  numThreads: number | undefined,
): Promise<GradientSource> {
  if (backend.name !== "wasm") {
    if (numThreads === undefined) return new TfjsGradients(backend, shape);
    throw new UsageError(`--threads is for the wasm backend, and this is ${backend.name}.`);
  }
  const count = numThreads ?? defaultThreads();
  if (count === 1) return new TfjsGradients(backend, shape);
  return openGradientThreads(shape, backend.name, count);
}

/** What is learned from: a file's text but for its end, or as many stories as the steps need. */
async function textOf(
  { textPath }: TrainingChoice,
  { shape, numSteps, windowsPerStep, seed }: TrainingRecipe,
  tokenizer: Tokenizer,
): Promise<TrainingText> {
  const { contextLength } = shape;
  if (textPath !== undefined) {
    const documents = documentsOf(textPath, await readTextFile(textPath));
    return withHeldOutEnd(packDocuments(documents, tokenizer));
  }
  const needed = (numSteps * windowsPerStep + 2) * contextLength;
  return {
    train: packDocuments(storyDocuments("train", seed), tokenizer, needed),
    validation: packDocuments(
      storyDocuments("validation", seed),
      tokenizer,
      validationWindows * contextLength + 1,
    ),
  };
}
