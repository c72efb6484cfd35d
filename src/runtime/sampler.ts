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

/** A logit's order, 32 bits, and a token make up one exact number. */
const mostTokens = 2 ** 21;

/** Up to so many are found by insertion, which costs less than to sort all. */
const mostInserted = 64;

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

/**
 * The `count` likeliest tokens. One number holds a logit's order and the token, so that the engine
 * sorts numbers, several times faster than with a function that compares.
 */
function likeliestFirst(logits: Float32Array, count: number): Int32Array {
  const numTokens = logits.length;
  if (numTokens > mostTokens) {
    throw new InputError(
      `The model has a vocabulary of ${numTokens} tokens; at most ${mostTokens} can be drawn from.`,
    );
  }
  const value = new Float32Array(1);
  const bits = new Int32Array(value.buffer);
  const keys = new Float64Array(numTokens);
  for (let id = 0; id < numTokens; id++) {
    // -0 becomes 0, its equal.
    value[0] = logits[id]! + 0;
    const order = bits[0]! < 0 ? bits[0]! ^ 0x7fffffff : bits[0]!;
    keys[id] = id - order * numTokens;
  }
  const ids = new Int32Array(Math.min(count, numTokens));
  smallest(keys, ids.length).forEach((key, i) => {
    const remainder = key % numTokens;
    ids[i] = remainder < 0 ? remainder + numTokens : remainder;
  });
  return ids;
}

/** The `count` smallest keys in order; changes `keys`. */
function smallest(keys: Float64Array, count: number): Float64Array {
  if (count > mostInserted) return keys.sort().subarray(0, count);
  const found = keys.slice(0, count).sort();
  const last = count - 1;
  for (let i = count; i < keys.length; i++) {
    const key = keys[i]!;
    if (key > found[last]!) continue;
    let at = last;
    for (; at > 0 && found[at - 1]! > key; at--) found[at] = found[at - 1]!;
    found[at] = key;
  }
  return found;
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
  const weights = new Float64Array(ids.length);
  let sum = 0;
  for (let i = 0; i < ids.length; i++) {
    weights[i] = Math.exp((logits[ids[i]!]! - largest) / temperature);
    sum += weights[i]!;
  }
  for (let i = 0; i < weights.length; i++) weights[i]! /= sum;
  return weights;
}

function notFinite(id: number, logit: number | undefined): InputError {
  return new InputError(
    `The model's logit of token ${id} is ${String(logit)}: its weights are damaged or too large for float32.`,
  );
}
