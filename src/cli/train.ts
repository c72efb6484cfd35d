/** `infinity train`: a small model from nothing, on stories of ours or on a text of yours. */
import { Option, type Command } from "commander";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { writeAtomically } from "../corpus/files.ts";
import { storyDocuments } from "../corpus/stories.ts";
import { readTextFile } from "../corpus/text-file.ts";
import { readTokenizerFile } from "../corpus/tokenizer-file.ts";
import { bytePairMetadata } from "../model/tokenizer/byte-pair-metadata.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import {
  chooseBackend,
  deviceNames,
  type ChosenBackend,
  type DeviceName,
} from "../tensor/backend.ts";
import { defaultThreads } from "../tensor/cpu-cores.ts";
import { hashOfTokens, loadCheckpoint, saveCheckpoint } from "../training/checkpoint.ts";
import { exportGguf, type ExportDtype } from "../training/export-gguf.ts";
import { openGradientThreads } from "../training/gradient-threads.ts";
import { TfjsGradients, type GradientSource } from "../training/gradients.ts";
import { presetNames, presets, type PresetName, type TrainingRecipe } from "../training/recipe.ts";
import { documentsOf, packDocuments, withHeldOutEnd, type TrainingText } from "../training/text.ts";
import { initialState, Trainer } from "../training/trainer.ts";
import type { TransformerShape } from "../training/transformer-shape.ts";
import { evaluationShards, WindowSampler } from "../training/windows.ts";
import { positiveNumber, wholeNumber } from "./option-values.ts";
import { progressBar } from "./progress-bar.ts";
import { describeTraining, reportOf } from "./train-report.ts";

interface Options {
  readonly preset: PresetName;
  readonly text?: string;
  readonly tokenizer?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly steps?: number;
  readonly seed: number;
  readonly backend?: DeviceName;
  readonly threads?: number;
  readonly saveEvery: number;
  readonly dtype: ExportDtype;
  readonly json?: true;
}

/** Windows that a validation looks at: a few percent of the time between two of them. */
const validationWindows = 32;
const validateEvery = 100;

/** Adds the options and the action of `infinity train`. */
export function define(command: Command): void {
  command
    .addOption(
      new Option("--preset <name>", "how large the model is and how long it learns")
        .choices(presetNames)
        .makeOptionMandatory(),
    )
    .option("--text <file>", "learn from this UTF-8 text; without it, from stories of ours")
    .option(
      "--tokenizer <file>",
      "a tokenizer.json of `infinity corpus tokenizer`, instead of ours",
    )
    .option("--out <folder>", "where the model and the checkpoint go")
    .option("--resume <folder>", "go on from the checkpoint in this folder")
    .option("--steps <n>", "steps, instead of the preset's", positiveNumber)
    .option("--seed <n>", "the same seed gives the same model on the same backend", wholeNumber, 0)
    .addOption(
      new Option("--backend <name>", "what tfjs computes on; without it the best there is").choices(
        deviceNames,
      ),
    )
    .option(
      "--threads <n>",
      "threads of the wasm backend; without it one for each core, at most 8",
      positiveNumber,
    )
    .option("--save-every <n>", "steps from one checkpoint to the next", positiveNumber, 50)
    .addOption(
      new Option("--dtype <type>", "how the model file stores matrices")
        .choices(["F16", "F32"])
        .default("F16"),
    )
    .option("--json", "print one JSON object at the end")
    .addHelpText(
      "after",
      `
Ctrl-C ends training after the step that is under way, with a checkpoint to go on from.

Examples:
  infinity train --preset smoke
  infinity train --preset draft --out models/draft
  infinity train --preset draft --resume models/draft
  infinity train --preset smoke --text shakespeare.txt --steps 500 --out models/shakespeare`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const folder = folderOf(options);
  const vocabulary = await readTokenizerFile(options.tokenizer);
  const tokenizer = bytePairMetadata(vocabulary);
  const backend = await chooseBackend({ device: options.backend });
  const recipe = recipeOf(options, vocabulary.tokens.length, backend.name);
  const text = await textOf(options, recipe, tokenizerFromGguf(tokenizer));
  const identity = { recipe, textHash: hashOfTokens(text.train) };
  const { shape, seed } = recipe;
  const windows = new WindowSampler(text.train, shape.contextLength, shape.vocabSize, seed);
  const state =
    options.resume === undefined
      ? initialState(recipe)
      : await loadCheckpoint(checkpointIn(options.resume), identity);
  if (folder !== undefined) await makeFolder(folder);

  const gradients = await openGradients(backend, shape, options.threads);
  const trainer = new Trainer(recipe, state, windows, gradients);
  const firstStep = trainer.step;
  const started = performance.now();
  try {
    await train(trainer, text.validation, options.saveEvery, async () => {
      if (folder !== undefined) await saveCheckpoint(checkpointIn(folder), identity, state);
    });
  } finally {
    await gradients.close();
  }
  const seconds = (performance.now() - started) / 1000;
  const isDone = trainer.step === recipe.numSteps;
  const model = folder !== undefined && isDone ? join(folder, "model.gguf") : undefined;
  if (model !== undefined) {
    const name = `infinity-${options.preset}`;
    await writeAtomically(model, (sink) =>
      exportGguf(sink, { name, shape, parameters: state.parameters, tokenizer }, options.dtype),
    );
  }
  const report = reportOf(options.preset, trainer, gradients.name, text, {
    steps: trainer.step - firstStep,
    seconds,
  });
  process.stdout.write(
    options.json ? `${JSON.stringify({ ...report, model })}\n` : describeTraining(report),
  );
  if (model !== undefined) process.stderr.write(`wrote ${model}\n`);
  if (!isDone) process.stderr.write(stoppedSentence(trainer.step, folder));
}

/** Trains until the end or Ctrl-C, with a bar, or with a line for each validation in a log. */
async function train(
  trainer: Trainer,
  validation: Int32Array,
  saveEvery: number,
  save: () => Promise<void>,
): Promise<void> {
  const { numSteps, shape } = trainer.recipe;
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
  };
  process.once("SIGINT", stop);
  try {
    await trainer.run({
      validation: evaluationShards(
        validation,
        shape.contextLength,
        shape.vocabSize,
        validationWindows,
      ),
      ...{ validateEvery, saveEvery, save },
      progress: progressBar("steps"),
      onStep: ({ step, loss, validationLoss }) => {
        if (process.stderr.isTTY || validationLoss === undefined) return;
        const losses = `loss ${loss.toFixed(3)}, validation ${validationLoss.toFixed(3)}`;
        process.stderr.write(`step ${step} of ${numSteps}: ${losses}\n`);
      },
      now: () => performance.now(),
      signal: stopped.signal,
    });
  } finally {
    process.removeListener("SIGINT", stop);
  }
}

/** Where results go; undefined where none are kept. */
function folderOf({ preset, out, resume }: Options): string | undefined {
  if (out !== undefined && resume !== undefined) {
    throw new UsageError("--out and --resume both name a folder; give one of them.");
  }
  const folder = out ?? resume;
  if (folder === undefined && preset !== "smoke") {
    throw new UsageError(`Training ${preset} takes long, and would be lost: give --out <folder>.`);
  }
  if (out !== undefined && existsSync(checkpointIn(out))) {
    throw new InputError(
      `${out} holds the checkpoint of an earlier training; go on with --resume ${out}, or choose another folder.`,
    );
  }
  return folder;
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

function checkpointIn(folder: string): string {
  return join(folder, "checkpoint.safetensors");
}

function recipeOf(
  { preset, steps, seed }: Options,
  vocabSize: number,
  backend: ChosenBackend["name"],
): TrainingRecipe {
  const { shape, numSteps, windowsPerStep, windowsPerShard, ...rest } = presets[preset];
  const isProcessor = backend === "wasm" || backend === "cpu";
  return {
    ...rest,
    shape: { ...shape, vocabSize },
    numSteps: steps ?? numSteps,
    windowsPerStep,
    // A GPU wants all of a step's work at once.
    windowsPerShard: isProcessor ? windowsPerShard : windowsPerStep,
    seed,
  };
}

async function openGradients(
  backend: ChosenBackend,
  shape: TransformerShape,
  threads: number | undefined,
): Promise<GradientSource> {
  if (backend.name !== "wasm") {
    if (threads === undefined) return new TfjsGradients(backend, shape);
    throw new UsageError(`--threads is for the wasm backend, and this is ${backend.name}.`);
  }
  const numThreads = threads ?? defaultThreads();
  if (numThreads === 1) return new TfjsGradients(backend, shape);
  return openGradientThreads(shape, backend.name, numThreads);
}

/** What is learned from: a file's text but for its end, or as many stories as the steps need. */
async function textOf(
  { text, seed }: Options,
  { shape, numSteps, windowsPerStep }: TrainingRecipe,
  tokenizer: Tokenizer,
): Promise<TrainingText> {
  const { contextLength } = shape;
  if (text !== undefined) {
    const documents = documentsOf(text, await readTextFile(text));
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

function stoppedSentence(step: number, folder: string | undefined): string {
  const next = folder === undefined ? "nothing was kept" : `go on with --resume ${folder}`;
  return `stopped after step ${step}; ${next}\n`;
}
