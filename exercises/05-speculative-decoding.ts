/**
 * Project 5: guess, check, keep. Write each function below, here or in the notebook's `%%exercise`
 * cells (a cell saves itself into its region), then run `npx infinity grade 05`. A distribution is a
 * Float64Array: one probability for each token of the vocabulary. Exercises may import types, nothing
 * else.
 */

// #region acceptProb
/**
 * How likely token `x`, which the draft has drawn from `q`, is accepted by a target that would draw
 * from `p`. A token that the target never writes is never accepted.
 */
export function acceptProb(p: Float64Array, q: Float64Array, x: number): number {
  throw new Error("not written yet");
}
// #endregion

// #region residual
/**
 * What the target draws from after it has refused a token that was drawn from `q`: the part of `p` that
 * `q` did not cover, made to sum to 1. Where `q` covers all of it, a copy of `p`. A new array: `p` and
 * `q` stay as they are.
 */
export function residual(p: Float64Array, q: Float64Array): Float64Array {
  throw new Error("not written yet");
}
// #endregion

// #region verify
/** Draws a token: `u` is a random number from 0 to 1. Given; write the function below it. */
export function drawFrom(distribution: Float64Array, u: number): number {
  let left = u;
  for (let id = 0; id < distribution.length; id++) {
    left -= distribution[id]!;
    if (left < 0) return id;
  }
  return distribution.findLastIndex((probability) => probability > 0);
}

/**
 * Checks the guesses `draft` in order. Guess i was drawn from `q[i]`; the target would draw from `p[i]`
 * in its place. `p` has one row more: what the target would draw after the last guess. Returns how many
 * guesses are accepted before the first refusal, and the token that the target draws after those. Calls
 * `rng`, a random number from 0 to 1, once for each guess that it checks and once for that token.
 */
export function verify(
  draft: Int32Array,
  q: Float64Array[],
  p: Float64Array[],
  rng: () => number,
): { accepted: number; next: number } {
  throw new Error("not written yet");
}
// #endregion

// #region optimalGamma
/**
 * The number of guesses, 0 to `max`, that is fastest, where each is accepted with probability `alpha`
 * and costs `c` to make, and `v(gamma)` is what it costs to check `gamma` of them: all in passes of the
 * target over a single token. 0 where guessing does not pay; of equally fast ones the smallest.
 */
export function optimalGamma(
  alpha: number,
  c: number,
  v: (gamma: number) => number,
  max: number,
): number {
  throw new Error("not written yet");
}
// #endregion

// #region promptLookup
/**
 * Guesses without a model. Takes the last n tokens of `ids`, finds where they occurred before, and
 * copies the tokens that followed there: at most `k`, fewer where the text ends. Of several places the
 * most recent; if there is none, looks for the last n − 1 tokens, down to one. Empty where even the last
 * token is new.
 */
export function promptLookup(ids: Int32Array, n: number, k: number): Int32Array {
  throw new Error("not written yet");
}
// #endregion

// #region rewind
/** The memory of a sequence, in blocks that it may share with other sequences. */
interface KvBlocks {
  /** Tokens in the cache. */
  length: number;
  readonly blockSize: number;
  /** The blocks that hold them, in order; the last may be partly filled. */
  blockTable: number[];
  /** How many sequences use each block. */
  references: number[];
  /** Blocks that nobody uses. */
  free: number[];
}

/**
 * Forgets all tokens but the first `length`, after a refusal. Blocks that are no longer needed leave the
 * table and lose one reference; one that nobody uses any more becomes free. Throws where the cache holds
 * fewer tokens.
 */
export function rewind(cache: KvBlocks, length: number): void {
  throw new Error("not written yet");
}
// #endregion
