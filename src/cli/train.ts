/** `infinity train`: a small model from nothing, on stories of ours or on a text of yours. */
import { Option, type Command } from "commander";
import { existsSync } from "node:fs";
import { InputError, UsageError } from "../core/errors.ts";
import { deviceNames, type DeviceName } from "../tensor/backend.ts";
import type { ExportDtype } from "../training/export-gguf.ts";
import { presetNames, type PresetName } from "../training/recipe.ts";
import { checkpointIn, openTraining, type TrainingSession } from "../training/session.ts";
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
  const session = await openTraining({
    preset: options.preset,
    textPath: options.text,
    tokenizerPath: options.tokenizer,
    numSteps: options.steps,
    seed: options.seed,
    device: options.backend,
    numThreads: options.threads,
    folder,
    resumes: options.resume !== undefined,
  });
  const { trainer } = session;
  const firstStep = trainer.step;
  const started = performance.now();
  try {
    await train(session, options.saveEvery);
  } finally {
    await session.close();
  }
  const seconds = (performance.now() - started) / 1000;
  const isDone = trainer.step === trainer.recipe.numSteps;
  const model = isDone ? await session.exportModel(options.dtype) : undefined;
  const report = reportOf(session, { steps: trainer.step - firstStep, seconds });
  process.stdout.write(
    options.json ? `${JSON.stringify({ ...report, model })}\n` : describeTraining(report),
  );
  if (model !== undefined) process.stderr.write(`wrote ${model}\n`);
  if (!isDone) process.stderr.write(stoppedSentence(trainer.step, folder));
}

/** Trains until the end or Ctrl-C, with a bar, or with a line for each validation in a log. */
async function train(session: TrainingSession, saveEvery: number): Promise<void> {
  const { trainer, validation } = session;
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
  };
  process.once("SIGINT", stop);
  try {
    await trainer.run({
      validation,
      ...{ validateEvery, saveEvery, save: () => session.save() },
      progress: progressBar("steps"),
      onStep: ({ step, numSteps, loss, validationLoss }) => {
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

function stoppedSentence(step: number, folder: string | undefined): string {
  const next = folder === undefined ? "nothing was kept" : `go on with --resume ${folder}`;
  return `stopped after step ${step}; ${next}\n`;
}
