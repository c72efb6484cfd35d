/** What every command that runs a model is told: which model, on what, with how many threads. */
import { Option, type Command } from "commander";
import { shippedModel } from "../corpus/shipped-models.ts";
import { forwardDevices, type ForwardDevice } from "../tensor/open-forward.ts";
import { positiveNumber } from "./option-values.ts";

/** The value of the option that `addDeviceOption` adds. */
export interface DeviceOptions {
  readonly device?: ForwardDevice;
}

/** The values of the options that `addModelOptions` adds. */
export interface ModelOptions extends DeviceOptions {
  readonly model: string;
}

/** The value of the option that `addThreadsOption` adds, for a command that runs on one number. */
export interface ThreadsOptions {
  readonly threads?: number;
}

/** As `ModelOptions`, with a number of threads. */
export interface ThreadedModelOptions extends ModelOptions, ThreadsOptions {}

/** Adds `--model` and `--device`. */
export function addModelOptions(command: Command): Command {
  return addDeviceOption(
    command.addOption(
      new Option("--model <file>", "a GGUF model of the Llama family").default(
        shippedModel("target"),
        "the target that ships with the course",
      ),
    ),
  );
}

/** Adds `--device`. */
export function addDeviceOption(command: Command): Command {
  return command.addOption(
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
