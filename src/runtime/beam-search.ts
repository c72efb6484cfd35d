/**
 * Beam search: which continuations of several texts to keep. Decides by log-probabilities alone; the
 * texts' memory is the caller's, who has every continuation named by its parent.
 */
import { topLogprobs } from "./token-logprobs.ts";

/** A text that may still grow. */
export interface Beam {
  /** The tokens that were written. */
  readonly ids: readonly number[];
  /** The sum of their log-probabilities. */
  readonly logprob: number;
}

/** A text at its end. */
export interface FinishedBeam {
  readonly ids: readonly number[];
  readonly score: number;
  readonly reason: "stop" | "length";
}

/** A beam that goes on. */
export interface Continuation extends Beam {
  /** Its number among those that were advanced. */
  readonly parent: number;
}

export interface BeamSearchOptions {
  readonly width: number;
  /** A score is the sum of log-probabilities over the number of tokens to this power. */
  readonly lengthPenalty: number;
  /** The most tokens of a text. */
  readonly maxTokens: number;
  readonly endOfGeneration: ReadonlySet<number>;
}

export class BeamSearch {
  readonly #options: BeamSearchOptions;
  /** The best so far, best first; at most `width`. */
  readonly #finished: FinishedBeam[] = [];

  constructor(options: BeamSearchOptions) {
    this.#options = options;
  }

  /** Best first; complete when `advance` has returned no more beams. */
  get finished(): readonly FinishedBeam[] {
    return this.#finished;
  }

  /**
   * The beams that go on after `beams`, best first, and none when the search has ended: when no text can
   * become better than those that are finished, counting the length that it has, or all are too long.
   */
  advance(beams: readonly Beam[], logits: readonly Float32Array[]): Continuation[] {
    const { width, endOfGeneration, maxTokens } = this.#options;
    const next: Continuation[] = [];
    for (const { parent, id, logprob } of this.#candidates(beams, logits)) {
      const { ids } = beams[parent]!;
      if (endOfGeneration.has(id)) this.#finish(ids, logprob, ids.length + 1, "stop");
      else if (next.length < width) next.push({ parent, ids: [...ids, id], logprob });
      if (next.length === width) break;
    }
    const length = beams[0]!.ids.length + 1;
    if (length === maxTokens) {
      for (const { ids, logprob } of next) this.#finish(ids, logprob, length, "length");
      return [];
    }
    const worst = this.#finished.length === width ? this.#finished.at(-1)!.score : -Infinity;
    return next.length > 0 && this.#scoreOf(next[0]!.logprob, length) > worst ? next : [];
  }

  /** Twice as many as needed, so that enough are left when some end; likeliest first. */
  #candidates(
    beams: readonly Beam[],
    logits: readonly Float32Array[],
  ): { parent: number; id: number; logprob: number }[] {
    const count = 2 * this.#options.width;
    return beams
      .flatMap((beam, parent) =>
        topLogprobs(logits[parent]!, count).map(({ id, logprob }) => ({
          ...{ parent, id },
          logprob: beam.logprob + logprob,
        })),
      )
      .sort((a, b) => b.logprob - a.logprob)
      .slice(0, count);
  }

  #finish(
    ids: readonly number[],
    logprob: number,
    length: number,
    reason: FinishedBeam["reason"],
  ): void {
    const beam = { ids, score: this.#scoreOf(logprob, length), reason };
    const later = this.#finished.findIndex(({ score }) => score < beam.score);
    this.#finished.splice(later < 0 ? this.#finished.length : later, 0, beam);
    this.#finished.length = Math.min(this.#finished.length, this.#options.width);
  }

  #scoreOf(logprob: number, length: number): number {
    return logprob / length ** this.#options.lengthPenalty;
  }
}
