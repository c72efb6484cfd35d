/** Who guesses. A source costs little beside the target model and need not be right. */
import type { Rng } from "../../core/rng.ts";
import type { SamplingOptions } from "../sampler.ts";
import type { Draft } from "../speculative.ts";

export interface DraftSource {
  /** Reads a sequence, so that guesses after it are there sooner. */
  prepare(sequence: readonly number[]): Promise<void>;
  /**
   * Guesses at most `length` tokens in a row after `sequence`, or none. Any sequence will do; one that
   * begins like the last is cheapest. What is drawn is drawn with `rng` and with these options.
   */
  propose(
    sequence: readonly number[],
    length: number,
    sampling: SamplingOptions,
    rng: Rng,
  ): Promise<Draft>;
}
