/** Pearson's chi-square test: whether counts come from the probabilities that are claimed. */

/** The statistic; infinite where something happened that was impossible. */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => {
    const wanted = total * probabilities[i]!;
    if (wanted === 0) return count === 0 ? sum : Infinity;
    return sum + (count - wanted) ** 2 / wanted;
  }, 0);
}

/** What the statistic exceeds once in a thousand times (Wilson and Hilferty, 1931). */
export function chiSquareLimit(degreesOfFreedom: number): number {
  const ninth = 2 / (9 * degreesOfFreedom);
  return degreesOfFreedom * (1 - ninth + 3.0902 * Math.sqrt(ninth)) ** 3;
}
