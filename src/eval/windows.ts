/**
 * How a text that is longer than what a model looks back on is cut into windows, and which tokens of a
 * window are scored: the method decides the perplexity, so two figures compare only if made by the same.
 */
import { InputError, UsageError } from "../core/errors.ts";

/**
 * Tokens from `begin` to `end` of a text, which a model reads from nothing. Those from `scoreFrom` on
 * are scored, each by what the model expects after the tokens of the window before it.
 */
export interface TextWindow {
  readonly begin: number;
  readonly end: number;
  readonly scoreFrom: number;
  /** What the model reads in the place of the window's first token. */
  readonly first?: number;
}

/** What a window needs before there is something to score in it. */
const fewestTokens = 2;

/**
 * Windows of `context` tokens that begin `stride` tokens apart; each scores what no window before it
 * reached (Hugging Face, "Perplexity of fixed-length models"). Every token but the text's first is
 * scored once where stride < context. With stride = context nothing is read twice, and the first token
 * of each window, which nothing comes before, is left out. Throws UsageError for a context below 2 and
 * a stride that is not from 1 to context, InputError for a text of fewer than 2 tokens.
 */
export function stridedWindows(numTokens: number, context: number, stride: number): TextWindow[] {
  checkContext(context, fewestTokens);
  if (!Number.isInteger(stride) || stride < 1 || stride > context) {
    throw new UsageError(
      `The stride ${stride} is not a whole number from 1 to the context, ${context}: tokens between windows would be left out.`,
    );
  }
  if (numTokens < fewestTokens) {
    throw new InputError(
      `The text has ${numTokens} tokens; perplexity needs at least ${fewestTokens}.`,
    );
  }
  const windows: TextWindow[] = [];
  for (let begin = 0, reached = 0; reached < numTokens; begin += stride) {
    const end = Math.min(begin + context, numTokens);
    const scoreFrom = Math.max(reached, begin + 1);
    if (scoreFrom < end) windows.push({ begin, end, scoreFrom });
    reached = end;
  }
  return windows;
}

/**
 * llama-perplexity's chunks: disjoint, of `context` tokens, a rest left out. The first token of each is
 * read as `bos`, where the model has one, and the second half is scored but for its first token, so each
 * has at least half the context before it. Throws UsageError for a context below 3, InputError for a text
 * of fewer than 2 · context tokens, as llama.cpp does.
 */
export function llamaCppWindows(numTokens: number, context: number, bos?: number): TextWindow[] {
  checkContext(context, 3);
  if (numTokens < 2 * context) {
    throw new InputError(
      `The text has ${numTokens} tokens, and llama.cpp's method needs two contexts, ${2 * context}; take a longer text, a smaller --context or --method strided.`,
    );
  }
  return Array.from({ length: Math.floor(numTokens / context) }, (_, chunk) => {
    const begin = chunk * context;
    const scoreFrom = begin + Math.floor(context / 2) + 1;
    const window = { begin, end: begin + context, scoreFrom };
    return bos === undefined ? window : { ...window, first: bos };
  });
}

function checkContext(context: number, least: number): void {
  if (Number.isInteger(context) && context >= least) return;
  throw new UsageError(
    `A context of ${context} tokens cannot be scored; at least ${least} are needed.`,
  );
}
