/** What a tensor's values look like, in one pass and with memory for a piece of it. */

/** Figures over the finite values; NaN where there are none. */
export interface TensorSummary {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std: number;
  readonly numValues: number;
  /** NaN and infinities. */
  readonly numNonFinite: number;
}

/** Summarises the pieces of one tensor. */
export async function summarizePieces(pieces: AsyncIterable<Float32Array>): Promise<TensorSummary> {
  let [min, max, mean, squares] = [Infinity, -Infinity, 0, 0];
  let [numValues, numFinite] = [0, 0];
  for await (const piece of pieces) {
    numValues += piece.length;
    for (const value of piece) {
      if (!Number.isFinite(value)) continue;
      if (value < min) min = value;
      if (value > max) max = value;
      // Welford (1962): no cancellation, however far the mean is from 0.
      const difference = value - mean;
      mean += difference / ++numFinite;
      squares += difference * (value - mean);
    }
  }
  const numNonFinite = numValues - numFinite;
  if (numFinite === 0) {
    return { min: NaN, max: NaN, mean: NaN, std: NaN, numValues, numNonFinite };
  }
  return { min, max, mean, std: Math.sqrt(squares / numFinite), numValues, numNonFinite };
}
