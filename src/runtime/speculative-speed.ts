/**
 * What speculation gains: the formulas of Leviathan et al. (2023), section 3, without their assumption
 * that checking many tokens costs as much as one. Acceptance is taken to be the same and independent
 * for every token.
 */

/** What passes cost, in passes of the target over one token. */
export interface SpeculationCosts {
  /** One token of the draft. */
  readonly draft: number;
  /** A pass of the target over the last token and `length` guessed ones; 1 where length is 0. */
  readonly verify: (length: number) => number;
}

/**
 * Tokens that a pass of the target gives on average, where each of `length` guesses is accepted with
 * probability `acceptance`: (1 - a^(n+1)) / (1 - a), equation 1.
 */
export function expectedTokens(acceptance: number, length: number): number {
  if (acceptance === 1) return length + 1;
  return (1 - acceptance ** (length + 1)) / (1 - acceptance);
}

/** Speed against one token a pass: theorem 3.8 with the cost of checking in it. */
export function expectedSpeedup(
  acceptance: number,
  length: number,
  { draft, verify }: SpeculationCosts,
): number {
  return expectedTokens(acceptance, length) / (length * draft + verify(length));
}

/** The number of guesses up to `most` that is fastest, the smallest of equals; 0 is not to speculate. */
export function fastestLength(acceptance: number, costs: SpeculationCosts, most: number): number {
  let best = 0;
  for (let length = 1; length <= most; length++) {
    if (expectedSpeedup(acceptance, length, costs) > expectedSpeedup(acceptance, best, costs)) {
      best = length;
    }
  }
  return best;
}

/** Acceptance from counts: of the tokens that were checked; those behind a refusal were not. */
export function acceptanceRate(numAccepted: number, numRefusals: number): number | null {
  const numChecked = numAccepted + numRefusals;
  return numChecked === 0 ? null : numAccepted / numChecked;
}

/** The probability that a token drawn from `q` is accepted for `p`: the sum of min(p, q). */
export function overlap(p: Float64Array, q: Float64Array): number {
  return p.reduce((sum, probability, id) => sum + Math.min(probability, q[id]!), 0);
}
