/**
 * From logits to the next token. Pure functions: what is random comes from the `rng` that is passed
 * in. The filters run in llama.cpp's order: repetition penalty, top-k, top-p, min-p, temperature.
 */
import { InputError, UsageError } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";

/** How tokens are chosen. */
export interface SamplingOptions {
  /** 0 takes the likeliest token; 1 draws as the model says; less prefers likely ones. */
  readonly temperature: number;
  /** Only the `topK` likeliest tokens; 0 for all. */
  readonly topK: number;
  /** Only the likeliest tokens whose probabilities add up to `topP`; 1 for all. */
  readonly topP: number;
  /** Only tokens at least `minP` times as likely as the likeliest; 0 for all. */
  readonly minP: number;
  /** What the logits of recent tokens are divided by where positive, else multiplied; 1 for nothing. */
  readonly repeatPenalty: number;
  /** How many tokens count as recent. */
  readonly repeatWindow: number;
}

/** llama.cpp's defaults. */
export const defaultSampling: SamplingOptions = {
  temperature: 0.8,
  topK: 40,
  topP: 0.95,
  minP: 0.05,
  repeatPenalty: 1,
  repeatWindow: 64,
};

/** Tokens that may come next, likeliest first; of equal ones the lower id. */
export interface Candidates {
  readonly ids: Int32Array;
  /** As many as `ids`; their sum is 1. */
  readonly probabilities: Float64Array;
}

/** Throws UsageError for an option that is out of its range. */
export function checkSampling(options: SamplingOptions): void {
  const { temperature, topK, topP, minP, repeatPenalty, repeatWindow } = options;
  const rules: readonly (readonly [boolean, string])[] = [
    [temperature >= 0 && temperature < Infinity, `temperature is ${temperature}: 0 or more`],
    [Number.isSafeInteger(topK) && topK >= 0, `top-k is ${topK}: a whole number of at least 0`],
    [topP > 0 && topP <= 1, `top-p is ${topP}: more than 0 and at most 1`],
    [minP >= 0 && minP <= 1, `min-p is ${minP}: 0 to 1`],
    [
      repeatPenalty > 0 && repeatPenalty < Infinity,
      `repeat penalty is ${repeatPenalty}: more than 0`,
    ],
    [
      Number.isSafeInteger(repeatWindow) && repeatWindow >= 0,
      `repeat window is ${repeatWindow}: a whole number of at least 0`,
    ],
  ];
  const broken = rules.find(([isKept]) => !isKept);
  if (broken) throw new UsageError(`The ${broken[1]} is needed.`);
}

/**
 * The next token after `recent`, the tokens so far. Throws InputError where a logit is NaN or none is
 * finite: the weights are damaged.
 */
export function sampleToken(
  logits: Float32Array,
  options: SamplingOptions,
  rng: Rng,
  recent: readonly number[] = [],
): number {
  const penalized = penalizeRepeats(logits, recent, options);
  if (options.temperature === 0) return likeliest(penalized);
  return draw(candidatesOf(penalized, options), rng);
}

/** The token of the largest logit; of equal ones the lowest. Throws InputError as `sampleToken`. */
export function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (Number.isNaN(logit)) throw notFinite(id, logit);
    if (logit > logits[best]!) best = id;
  }
  if (!Number.isFinite(logits[best])) throw notFinite(best, logits[best]);
  return best;
}

/** Copies `logits` with those of the last `repeatWindow` of `recent` made smaller (Keskar et al., 2019). */
export function penalizeRepeats(
  logits: Float32Array,
  recent: readonly number[],
  { repeatPenalty, repeatWindow }: Pick<SamplingOptions, "repeatPenalty" | "repeatWindow">,
): Float32Array {
  if (repeatPenalty === 1 || repeatWindow === 0) return logits;
  const penalized = logits.slice();
  for (const id of new Set(recent.slice(-repeatWindow))) {
    const logit = logits[id]!;
    penalized[id] = logit > 0 ? logit / repeatPenalty : logit * repeatPenalty;
  }
  return penalized;
}

/**
 * The tokens that pass top-k, top-p and min-p, with their probabilities at a temperature above 0.
 * Throws InputError as `sampleToken`.
 */
export function candidatesOf(
  logits: Float32Array,
  { temperature, topK, topP, minP }: SamplingOptions,
): Candidates {
  likeliest(logits);
  const ids = likeliestFirst(logits, topK === 0 ? logits.length : topK);
  const probabilities = softmax(ids, logits, 1);
  const kept = Math.min(countForMass(probabilities, topP), countAbove(probabilities, minP));
  const rest = ids.subarray(0, kept);
  return { ids: rest, probabilities: softmax(rest, logits, temperature) };
}

/** One of the candidates, each as often as its probability says. */
export function draw({ ids, probabilities }: Candidates, rng: Rng): number {
  let left = rng();
  for (let i = 0; i < ids.length - 1; i++) {
    left -= probabilities[i]!;
    if (left < 0) return ids[i]!;
  }
  // Rounding can leave the sum a little below 1.
  return ids.at(-1)!;
}

/** The `count` likeliest tokens. */
function likeliestFirst(logits: Float32Array, count: number): Int32Array {
  const ids = Int32Array.from({ length: logits.length }, (_, id) => id);
  if (count < logits.length) return ids.filter(isAmongLargest(logits, count)).sort(byLogit(logits));
  return ids.sort(byLogit(logits));
}

function byLogit(logits: Float32Array): (a: number, b: number) => number {
  // −∞ − −∞ is NaN: equal logits are compared first.
  return (a, b) => (logits[a] === logits[b] ? a - b : logits[b]! - logits[a]!);
}

/** Whether a token is among the `count` with the largest logits; of equal ones the lower come first. */
function isAmongLargest(logits: Float32Array, count: number): (id: number) => boolean {
  const threshold = logits.slice().sort()[logits.length - count]!;
  let numEqual = count - logits.reduce((above, logit) => above + Number(logit > threshold), 0);
  return (id) => logits[id]! > threshold || (logits[id] === threshold && numEqual-- > 0);
}

/** How many of the likeliest have `mass` together; at least 1. */
function countForMass(probabilities: Float64Array, mass: number): number {
  if (mass >= 1) return probabilities.length;
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    sum += probabilities[i]!;
    if (sum >= mass) return i + 1;
  }
  return probabilities.length;
}

/** How many are at least `share` times as likely as the first. */
function countAbove(probabilities: Float64Array, share: number): number {
  const least = share * probabilities[0]!;
  const end = probabilities.findIndex((probability) => probability < least);
  return end < 0 ? probabilities.length : end;
}

/** Probabilities of `ids`, likeliest first, among each other. */
function softmax(ids: Int32Array, logits: Float32Array, temperature: number): Float64Array {
  const largest = logits[ids[0]!]!;
  const weights = Float64Array.from(ids, (id) => Math.exp((logits[id]! - largest) / temperature));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function notFinite(id: number, logit: number | undefined): InputError {
  return new InputError(
    `The model's logit of token ${id} is ${String(logit)}: its weights are damaged or too large for float32.`,
  );
}
