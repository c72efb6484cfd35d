/**
 * What a model without a past can reach, to hold a loss against: every token equally likely, each as
 * often as in the training text, and each as often as after the token before.
 */
import type { Tokens } from "./windows.ts";

/** Nats per token on the validation text. */
export interface Baselines {
  readonly uniform: number;
  readonly unigram: number;
  readonly bigram: number;
}

/** How much a bigram counts that was never seen: this, times what the unigram expects. */
const smoothing = 1;

/**
 * Unigrams are counted with one added to each; bigrams are mixed with the unigrams as by a Dirichlet
 * prior (MacKay and Peto, 1995), so that no probability is 0.
 */
export function baselinesOf(train: Tokens, validation: Tokens, vocabSize: number): Baselines {
  const unigrams = new Float64Array(vocabSize).fill(1);
  const bigrams = new Map<number, number>();
  const followed = new Float64Array(vocabSize);
  for (const [i, token] of train.entries()) {
    unigrams[token]!++;
    if (i === 0) continue;
    const before = train[i - 1]!;
    const pair = before * vocabSize + token;
    bigrams.set(pair, (bigrams.get(pair) ?? 0) + 1);
    followed[before]!++;
  }
  const total = train.length + vocabSize;
  let unigram = 0;
  let bigram = 0;
  for (let i = 1; i < validation.length; i++) {
    const [before, token] = [validation[i - 1]!, validation[i]!];
    const p = unigrams[token]! / total;
    const pair = bigrams.get(before * vocabSize + token) ?? 0;
    unigram -= Math.log(p);
    bigram -= Math.log((pair + smoothing * p) / (followed[before]! + smoothing));
  }
  const count = Math.max(1, validation.length - 1);
  return { uniform: Math.log(vocabSize), unigram: unigram / count, bigram: bigram / count };
}
