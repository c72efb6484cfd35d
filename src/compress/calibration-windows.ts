/**
 * The text that a model is quantised with, as windows of tokens: some to calibrate with, and others,
 * apart from them, to judge by. Where text comes from a file, its end is held out; without a file,
 * stories of the training split calibrate and stories of the validation split judge.
 */
import { InputError, UsageError } from "../core/errors.ts";
import { storyDocuments, type StorySplit } from "../corpus/stories.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";

/** How much text, and in windows of which length. */
export interface WindowOptions {
  /** Tokens to calibrate with, at most; whole windows are taken. */
  readonly numTokens: number;
  /** Tokens to judge by, at most. */
  readonly numHeldOut: number;
  /** Tokens of a window; the model's context at most. */
  readonly contextLength: number;
}

/** Windows [contextLength] of tokens; where the model's texts begin with a token, each begins with it. */
export interface CalibrationWindows {
  readonly calibration: readonly Int32Array[];
  readonly heldOut: readonly Int32Array[];
}

/** Of the windows of one text, so many are held out, unless that is more than was asked for. */
const heldOutShare = 1 / 5;

/** Seed of the stories; training uses others. */
const storySeed = 20_262;

/**
 * The windows of `text`, called `name` in messages. Throws InputError where it is too short for one
 * window to calibrate with and one to judge by, UsageError for lengths that are no windows.
 */
export function windowsOfText(
  tokenizer: Tokenizer,
  text: string,
  name: string,
  options: WindowOptions,
): CalibrationWindows {
  checkOptions(options);
  const { contextLength, numTokens, numHeldOut } = options;
  const tokens = tokenizer.encode(text, { addSpecial: false });
  const windows = cut(tokens, tokenizer, contextLength);
  if (windows.length < 2) {
    throw new InputError(
      `${name} has ${tokens.length} tokens, and two windows of ${contextLength} are needed, one to calibrate with and one to judge by; give a longer text, or a shorter --context.`,
    );
  }
  const numJudges = Math.max(1, Math.floor(windows.length * heldOutShare));
  const heldOut = windows.slice(windows.length - numJudges);
  return {
    calibration: atMost(windows.slice(0, windows.length - numJudges), numTokens, contextLength),
    heldOut: atMost(heldOut, numHeldOut, contextLength),
  };
}

/** The windows of our own stories. Throws UsageError as `windowsOfText` does. */
export function windowsOfStories(tokenizer: Tokenizer, options: WindowOptions): CalibrationWindows {
  checkOptions(options);
  const { contextLength, numTokens, numHeldOut } = options;
  const windows = (split: StorySplit, count: number): Int32Array[] =>
    atMost(
      cut(storyTokens(tokenizer, split, count), tokenizer, contextLength),
      count,
      contextLength,
    );
  return {
    calibration: windows("train", numTokens),
    heldOut: windows("validation", numHeldOut),
  };
}

/** A little more than `count` tokens: documents one after the other, as models see them in training. */
function storyTokens(tokenizer: Tokenizer, split: StorySplit, count: number): Int32Array {
  const tokens: number[] = [];
  const documents = storyDocuments(split, storySeed);
  while (tokens.length < count) {
    for (const token of tokenizer.encode(documents.next().value)) tokens.push(token);
  }
  return Int32Array.from(tokens);
}

/** Whole windows, each begun with the token that the model's texts begin with. */
function cut(tokens: Int32Array, tokenizer: Tokenizer, contextLength: number): Int32Array[] {
  const { bos } = tokenizer.vocabulary;
  const beginsTexts = bos !== undefined && tokenizer.encode("")[0] === bos;
  const first = beginsTexts ? [bos] : [];
  const step = contextLength - first.length;
  return Array.from({ length: Math.floor(tokens.length / step) }, (_, i) =>
    Int32Array.of(...first, ...tokens.subarray(i * step, (i + 1) * step)),
  );
}

function atMost(windows: Int32Array[], numTokens: number, contextLength: number): Int32Array[] {
  return windows.slice(0, Math.max(1, Math.floor(numTokens / contextLength)));
}

function checkOptions({ numTokens, numHeldOut, contextLength }: WindowOptions): void {
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 2;
  if (isCount(contextLength) && numTokens >= contextLength && numHeldOut >= contextLength) return;
  throw new UsageError(
    `Calibration takes windows of at least 2 tokens, and at least one window of each kind: windows of ${contextLength} do not fit ${numTokens} tokens to calibrate with and ${numHeldOut} held out.`,
  );
}
