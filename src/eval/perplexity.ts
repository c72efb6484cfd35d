/**
 * What the losses of a text's tokens say about a model, and how surely: perplexity, bits per byte and
 * the difference of two models on one text. A loss is −ln p of the token that came, in nats.
 */
import { InputError } from "../core/errors.ts";

/** The losses of one text, in its order. */
export interface TextLosses {
  /** Nats, one for each scored token. */
  readonly losses: Float64Array;
  /** How many of them each window scored. */
  readonly windowCounts: readonly number[];
}

/** A mean with the standard error of it; undefined where there is too little to tell. */
export interface Estimate {
  readonly mean: number;
  readonly standardError: number | undefined;
}

/** e^(mean loss), with its standard error. */
export interface Perplexity {
  readonly perplexity: number;
  readonly standardError: number | undefined;
}

/**
 * The mean loss as llama.cpp states it: √(variance / (n − 1)), as if tokens were independent of each
 * other. They are not, so it is somewhat too small.
 */
export function tokenEstimate(losses: Float64Array): Estimate {
  const n = checkedCount(losses);
  const mean = sum(losses) / n;
  const squares = losses.reduce((total, loss) => total + (loss - mean) ** 2, 0);
  return { mean, standardError: n > 1 ? Math.sqrt(squares / n / (n - 1)) : undefined };
}

/**
 * The mean loss with a standard error between windows, which holds however much the tokens of one
 * window have in common. It is a ratio of sums (Cochran, Sampling Techniques, §2.11):
 * √(k / (k − 1) · Σ (sum of window − mean · count of window)²) / n, for k windows and n tokens.
 * Throws InputError where the counts are not those of the losses.
 */
export function windowEstimate({ losses, windowCounts }: TextLosses): Estimate {
  const n = checkedCount(losses);
  if (windowCounts.reduce((total, count) => total + count, 0) !== n) {
    throw new InputError(`The windows do not have the ${n} losses of the text between them.`);
  }
  const mean = sum(losses) / n;
  let begin = 0;
  let squares = 0;
  for (const count of windowCounts) {
    const total = sum(losses.subarray(begin, begin + count));
    squares += (total - mean * count) ** 2;
    begin += count;
  }
  const k = windowCounts.length;
  return { mean, standardError: k > 1 ? Math.sqrt((k / (k - 1)) * squares) / n : undefined };
}

/** The perplexity of a mean loss; its standard error to first order, as llama.cpp states it. */
export function perplexityOf({ mean, standardError }: Estimate): Perplexity {
  const perplexity = Math.exp(mean);
  return {
    perplexity,
    standardError: standardError === undefined ? undefined : perplexity * standardError,
  };
}

/**
 * How much greater the mean loss of `b` is than that of `a`, in nats, on the same tokens: what they
 * share falls out, so the error is much smaller than that of either. Throws InputError where the two
 * have not scored the same windows.
 */
export function pairedDifference(a: TextLosses, b: TextLosses): Estimate {
  const isSame =
    a.losses.length === b.losses.length &&
    a.windowCounts.length === b.windowCounts.length &&
    a.windowCounts.every((count, i) => count === b.windowCounts[i]);
  if (!isSame) {
    throw new InputError(
      `Losses of ${a.losses.length} and of ${b.losses.length} tokens are no pairs; score the same windows of the same text.`,
    );
  }
  const losses = b.losses.map((loss, i) => loss - a.losses[i]!);
  return windowEstimate({ losses, windowCounts: a.windowCounts });
}

/**
 * Bits that a byte of the text costs, for a loss of `nats` over text of `numBytes` bytes; unlike
 * perplexity it does not depend on how a tokenizer cuts the text. Throws InputError for no bytes.
 */
export function bitsPerByte(nats: number, numBytes: number): number {
  if (numBytes > 0) return nats / Math.LN2 / numBytes;
  throw new InputError(
    "The scored tokens stand for no byte of text, so there are no bits per byte.",
  );
}

/** The sum of losses, in nats. */
export function sum(losses: Float64Array): number {
  return losses.reduce((total, loss) => total + loss, 0);
}

function checkedCount(losses: Float64Array): number {
  if (losses.length > 0) return losses.length;
  throw new InputError("No token was scored, so there is no perplexity.");
}
