/** Log-probabilities of tokens, as the model gives them before any sampling option. */
import { InputError } from "../core/errors.ts";

/** A token and how likely it was. */
export interface TokenLogprob {
  readonly id: number;
  /** Natural logarithm. */
  readonly logprob: number;
}

/** A chosen token with the likeliest ones in its place, likeliest first. */
export interface ChosenLogprob extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
}

/** log Σ e^logit. Throws InputError where a logit is NaN or all are infinite: the weights are damaged. */
export function logNormalizer(logits: Float32Array): number {
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const normalizer = largest + Math.log(sum);
  if (Number.isFinite(normalizer)) return normalizer;
  throw new InputError(
    "The model's logits are not finite: its weights are damaged or too large for float32.",
  );
}

/** The `count` likeliest tokens, likeliest first; of equal ones the lower id. Throws as `logNormalizer`. */
export function topLogprobs(logits: Float32Array, count: number): TokenLogprob[] {
  const normalizer = logNormalizer(logits);
  const top: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (top.length === count && !(count > 0 && logit > logits[top.at(-1)!]!)) continue;
    let at = top.length;
    while (at > 0 && logits[top[at - 1]!]! < logit) at--;
    top.splice(at, 0, id);
    if (top.length > count) top.pop();
  }
  return top.map((id) => ({ id, logprob: logits[id]! - normalizer }));
}

/** The log-probability of `id` with the `count` likeliest tokens. Throws as `logNormalizer`. */
export function chosenLogprob(logits: Float32Array, id: number, count: number): ChosenLogprob {
  const top = topLogprobs(logits, count);
  return { id, logprob: logits[id]! - logNormalizer(logits), top };
}
