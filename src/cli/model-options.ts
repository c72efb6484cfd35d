/** What every command that runs a model is told: which model, on what, with how many threads. */
import { Option, type Command } from "commander";
import { forwardDevices, type ForwardDevice } from "../tensor/open-forward.ts";
import { positiveNumber } from "./option-values.ts";

/** The values of the options that `addModelOptions` adds. */
export interface ModelOptions {
  readonly model: string;
  readonly device?: ForwardDevice;
}

/** As `ModelOptions`, for a command that runs on one number of threads. */
export interface ThreadedModelOptions extends ModelOptions {
  readonly threads?: number;
}

/** Adds `--model` and `--device`. */
export function addModelOptions(command: Command): Command {
  return command
    .requiredOption("--model <file>", "a GGUF model of the Llama family")
    .addOption(
      new Option(
        "--device <name>",
        "what computes; without it a GPU where there is one, else the processor (cpu)",
      ).choices(forwardDevices),
    );
}

/** Adds `--threads`. */
export function addThreadsOption(command: Command): Command {
  return command.option(
    "--threads <n>",
    "threads of the processor; without it one for each core, at most 8",
    positiveNumber,
  );
}
