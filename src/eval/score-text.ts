/**
 * Runs a model over the windows of a text and compares what it expects with what came, and with what
 * the model expected before it was compressed.
 */
import { silent, type Progress } from "../core/progress.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { Divergence, type DivergenceFigures } from "./divergence.ts";
import { logProbability } from "./log-probability.ts";
import type { TextLosses } from "./perplexity.ts";
import type { Expectations } from "./expectations.ts";
import { rowOf, scoredRows, type Scorer } from "./scored-rows.ts";
import type { TextWindow } from "./windows.ts";

export interface ScoreOptions {
  /** What the model before compression makes of the same windows. */
  readonly original?: Expectations | undefined;
  /** Counts windows. */
  readonly progress?: Progress;
  /** Awaited before each forward pass: a place to let other work run, and to throw. */
  readonly pause?: () => Promise<void> | void;
  /** Milliseconds from any beginning. */
  readonly now?: () => number;
}

/** What the original makes of a text, and how far the compressed model is from it. */
export interface OriginalScores {
  /** Nats, one for each scored token. */
  readonly losses: Float64Array;
  readonly divergence: DivergenceFigures;
}

/** What a text says about a model. */
export interface TextScores extends TextLosses {
  /** What the original makes of the same; undefined where there is none. */
  readonly original: OriginalScores | undefined;
  /** Tokens that went through the model, scored or not. */
  readonly numRun: number;
  /** What that took, without the original and the comparison; undefined without a clock. */
  readonly elapsedMs: number | undefined;
}

/**
 * Scores `tokens` in `windows`. Throws InputError for a window that the cache has no room for, for a
 * token that the model does not have, and for an original with another vocabulary.
 */
export async function scoreText(
  scorer: Scorer,
  tokens: Int32Array,
  windows: readonly TextWindow[],
  { original, progress = silent, pause = () => undefined, now }: ScoreOptions = {},
): Promise<TextScores> {
  const windowCounts = windows.map(({ end, scoreFrom }) => end - scoreFrom);
  const losses = new Float64Array(windowCounts.reduce((total, count) => total + count, 0));
  const originalLosses = losses.slice();
  const divergence = new Divergence();
  let numScored = 0;
  let elapsedMs = 0;
  try {
    for (const [i, window] of windows.entries()) {
      progress.update(i, windows.length);
      const rows = scoredRows(scorer, tokens, window, pause);
      const expectations = original?.rows(window);
      for (;;) {
        const started = now?.() ?? 0;
        const { value } = await rows.next();
        elapsedMs += (now?.() ?? 0) - started;
        if (!value) break;
        for (const [row, target] of value.targets.entries()) {
          const logits = rowOf(value, row);
          losses[numScored] = -logProbability(logits, target);
          const expected = (await expectations?.next())?.value;
          if (expected) {
            originalLosses[numScored] = -logProbability(expected, target);
            divergence.add(expected, logits, target);
          }
          numScored++;
        }
      }
    }
  } finally {
    progress.finish();
  }
  return {
    ...{ losses, windowCounts },
    original: original && { losses: originalLosses, divergence: divergence.figures() },
    numRun: windows.reduce((total, { begin, end }) => total + end - begin - 1, 0),
    elapsedMs: now && elapsedMs,
  };
}

/**
 * Bytes of text that the scored tokens stand for; control tokens stand for none, and neither does a
 * space that the tokenizer puts before the text.
 */
export function scoredBytes(
  tokenizer: Tokenizer,
  tokens: Int32Array,
  windows: readonly TextWindow[],
): number {
  const { types } = tokenizer.vocabulary;
  const isText = (token: number): boolean => types[token] !== "control";
  const firstText = tokenizer.addsSpacePrefix ? tokens.findIndex(isText) : -1;
  let numBytes = 0;
  for (const { scoreFrom, end } of windows) {
    for (const token of tokens.subarray(scoreFrom, end)) {
      if (isText(token)) numBytes += tokenizer.pieceOf(token).length;
    }
    if (scoreFrom <= firstText && firstText < end) numBytes--;
  }
  return numBytes;
}
