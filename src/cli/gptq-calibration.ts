/** What commands that calibrate are told: which text, how much of it, and in windows of which length. */
import type { Command } from "commander";
import { UsageError } from "../core/errors.ts";
import { readTextFile } from "../corpus/text-file.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import {
  windowsOfStories,
  windowsOfText,
  type CalibrationWindows,
} from "../compress/calibration-windows.ts";
import { llamaConfigFromGguf } from "../model/config.ts";
import { tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { positiveNumber } from "./option-values.ts";

/** The values of the options that `addCalibrationOptions` adds. */
export interface CalibrationOptions {
  readonly calibrate?: string;
  readonly tokens: number;
  readonly heldOut: number;
  readonly context?: number;
}

/** Windows of more tokens than this take memory for nothing. */
const usualContext = 512;

/** Adds `--calibrate`, `--tokens`, `--held-out` and `--context`. */
export function addCalibrationOptions(command: Command, tokens: number, heldOut: number): Command {
  return command
    .option("--calibrate <file>", "UTF-8 text whose end is held out; without it our own stories")
    .option("--tokens <n>", "the most tokens to calibrate with", positiveNumber, tokens)
    .option(
      "--held-out <n>",
      "the most tokens to judge by, apart from those",
      positiveNumber,
      heldOut,
    )
    .option(
      "--context <n>",
      `tokens that are seen together; without it ${usualContext}, or fewer where the model sees fewer or --tokens is less`,
      positiveNumber,
    );
}

/**
 * The windows that the options ask for. Throws InputError for a text that is missing, no UTF-8 or too
 * short, UsageError for a context that the model does not have.
 */
export async function calibrationWindows(
  file: GgufFile,
  { calibrate, tokens, heldOut, context }: CalibrationOptions,
): Promise<CalibrationWindows> {
  const { contextLength: most } = llamaConfigFromGguf(file);
  if (context !== undefined && context > most) {
    throw new UsageError(`--context is ${context}, and ${file.name} looks back on ${most} tokens.`);
  }
  const contextLength = context ?? Math.min(usualContext, most, tokens, heldOut);
  const tokenizer = tokenizerFromGguf(file.metadata);
  const options = { numTokens: tokens, numHeldOut: heldOut, contextLength };
  if (calibrate === undefined) return windowsOfStories(tokenizer, options);
  return windowsOfText(tokenizer, await readTextFile(calibrate), calibrate, options);
}

/** Tokens in windows of one length. */
export function numTokensOf(windows: readonly Int32Array[]): number {
  return windows.reduce((sum, window) => sum + window.length, 0);
}
