/**
 * How far a compressed model's distributions are from the original's, position by position: what
 * perplexity, which only looks at the one token that came, cannot see.
 */
import { InputError } from "../core/errors.ts";
import { logSumExp } from "./log-probability.ts";

/** Means over all positions. */
export interface DivergenceFigures {
  /** KL(original ‖ compressed), in nats. */
  readonly kl: number;
  /** Share of positions at which both think the same token likeliest. */
  readonly top1: number;
  /** Root mean square of the change of the probability of the token that came. */
  readonly rmsDeltaP: number;
  readonly numPositions: number;
}

/** Adds up over the positions of a text. */
export class Divergence {
  #kl = 0;
  #numSame = 0;
  #squares = 0;
  #numPositions = 0;

  /**
   * Adds a position: the logits of both models [vocabSize] and the token that came. Throws InputError
   * where the two do not have the same vocabulary.
   */
  add(original: Float32Array, compressed: Float32Array, target: number): void {
    if (original.length !== compressed.length) {
      throw new InputError(
        `Distributions over ${original.length} and over ${compressed.length} tokens cannot be compared.`,
      );
    }
    const totals = [logSumExp(original), logSumExp(compressed)] as const;
    const [p, q] = [
      Math.exp(original[target]! - totals[0]),
      Math.exp(compressed[target]! - totals[1]),
    ];
    this.#kl += klDivergence(original, compressed, totals);
    this.#numSame += Number(likeliest(original) === likeliest(compressed));
    this.#squares += (q - p) ** 2;
    this.#numPositions++;
  }

  /** Throws InputError where no position was added. */
  figures(): DivergenceFigures {
    const n = this.#numPositions;
    if (n === 0) throw new InputError("No position was compared, so there is no divergence.");
    return {
      kl: this.#kl / n,
      top1: this.#numSame / n,
      rmsDeltaP: Math.sqrt(this.#squares / n),
      numPositions: n,
    };
  }
}

/** The token that has the greatest logit, the first of them where some are equal. */
export function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) {
    if (logits[token]! > logits[best]!) best = token;
  }
  return best;
}

/** Σ p · (ln p − ln q); `totals` are the logSumExp of both. */
function klDivergence(
  original: Float32Array,
  compressed: Float32Array,
  totals: readonly [number, number],
): number {
  let kl = 0;
  for (let token = 0; token < original.length; token++) {
    const logP = original[token]! - totals[0];
    const p = Math.exp(logP);
    // A token that p gives nothing adds nothing, whatever q says.
    if (p > 0) kl += p * (logP - (compressed[token]! - totals[1]));
  }
  // The exact sum is never negative; rounding may leave one that is, by 1e-16.
  return Math.max(0, kl);
}
