/**
 * A small model that guesses for a large one. With one branch it writes on; with several it names
 * further candidates at each position, and goes on from the first, so that its own memory stays one
 * chain.
 */
import type { Rng } from "../../core/rng.ts";
import type { KvCache } from "../../model/kv-cache.ts";
import { forward, prefill, type Llama } from "../../model/llama.ts";
import { candidatesOf, likeliest, penalizeRepeats, type SamplingOptions } from "../sampler.ts";
import { chainDraft, distributionOf, drawFrom, without, type Draft } from "../speculative.ts";
import type { DraftSource } from "./draft-source.ts";

/** Candidates for one position, and what they were drawn from. */
interface Level {
  readonly tokens: readonly number[];
  readonly proposal: Float64Array | undefined;
}

/** A model as a source of drafts; its cache is used by nobody else. */
export class ModelDraft implements DraftSource {
  readonly #model: Llama;
  readonly #cache: KvCache;
  readonly #branches: number;
  /** The tokens whose keys and values the cache holds. */
  readonly #held: number[] = [];

  /** `branches` candidates for each position; the cache is empty. */
  constructor(model: Llama, cache: KvCache, branches = 1) {
    this.#model = model;
    this.#cache = cache;
    this.#branches = branches;
  }

  async prepare(sequence: readonly number[]): Promise<void> {
    if (sequence.length > 1 && sequence.length <= this.#capacity) {
      await this.#read(sequence.slice(0, -1));
    }
  }

  async propose(
    sequence: readonly number[],
    length: number,
    sampling: SamplingOptions,
    rng: Rng,
  ): Promise<Draft> {
    // The last guess is not read.
    const depth = Math.min(length, this.#capacity - sequence.length + 1);
    if (depth < 1) return chainDraft(new Int32Array());
    const text = [...sequence];
    const levels: Level[] = [];
    let logits = await this.#read(text);
    for (;;) {
      const level = this.#candidates(logits, text, sampling, rng);
      levels.push(level);
      if (levels.length === depth) return spineWithBranches(levels);
      text.push(level.tokens[0]!);
      logits = await this.#read(text);
    }
  }

  get #capacity(): number {
    return this.#cache.slots.length + this.#cache.numFree;
  }

  /** Makes the cache hold `sequence` and returns the logits after it. */
  async #read(sequence: readonly number[]): Promise<Float32Array> {
    const held = this.#held;
    let shared = 0;
    while (shared < sequence.length - 1 && sequence[shared] === held[shared]) shared += 1;
    held.length = shared;
    this.#cache.truncate(shared);
    const fresh = Int32Array.from(sequence.slice(shared));
    const logits =
      fresh.length === 1
        ? await forward(this.#model, fresh, Int32Array.of(shared), this.#cache)
        : await prefill(this.#model, fresh, this.#cache);
    for (const token of fresh) held.push(token);
    return logits;
  }

  #candidates(
    logits: Float32Array,
    text: readonly number[],
    sampling: SamplingOptions,
    rng: Rng,
  ): Level {
    if (sampling.temperature === 0) {
      const penalized = penalizeRepeats(logits, text, sampling);
      return { tokens: likeliestTokens(penalized, this.#branches), proposal: undefined };
    }
    const proposal = distributionOf(logits, sampling, text);
    return { tokens: drawDifferent(proposal, this.#branches, rng), proposal };
  }
}

/** The `count` likeliest tokens, likeliest first. */
function likeliestTokens(logits: Float32Array, count: number): readonly number[] {
  if (count === 1) return [likeliest(logits)];
  return [...candidatesOf(logits, { ...allTokens, topK: count }).ids];
}

const allTokens: SamplingOptions = {
  ...{ temperature: 1, topK: 0, topP: 1, minP: 0, repeatPenalty: 1, repeatWindow: 0 },
};

/** At most `count` tokens drawn without replacement; fewer where no more are possible. */
function drawDifferent(distribution: Float64Array, count: number, rng: Rng): readonly number[] {
  const tokens: number[] = [];
  for (let left = distribution; tokens.length < count;) {
    const token = drawFrom(left, rng);
    tokens.push(token);
    const rest = without(left, token);
    if (rest === left) break;
    left = rest;
  }
  return tokens;
}

/** The first candidates as a chain, then the others: what is likeliest to stay lies in one piece. */
function spineWithBranches(levels: readonly Level[]): Draft {
  const others = levels.flatMap(({ tokens }, depth) =>
    tokens.slice(1).map((token) => ({ token, parent: depth - 1 })),
  );
  return {
    tokens: Int32Array.from([
      ...levels.map(({ tokens }) => tokens[0]!),
      ...others.map(({ token }) => token),
    ]),
    parents: Int32Array.from([
      ...levels.map((_, depth) => depth - 1),
      ...others.map(({ parent }) => parent),
    ]),
    proposals: levels.map(({ proposal }) => proposal),
  };
}
