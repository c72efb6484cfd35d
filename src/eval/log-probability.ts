/**
 * From a model's logits to the logarithms of its probabilities, in natural units (nats). Sums are taken
 * in float64 and after the greatest logit is subtracted, so that no power of e overflows.
 */

/** ln Σ e^x over `logits`; −∞ where there are none. */
export function logSumExp(logits: Float32Array): number {
  let greatest = -Infinity;
  for (const logit of logits) if (logit > greatest) greatest = logit;
  if (greatest === -Infinity) return -Infinity;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - greatest);
  return greatest + Math.log(sum);
}

/** ln p of the token `target` under softmax(logits) [vocabSize]. */
export function logProbability(logits: Float32Array, target: number): number {
  return logits[target]! - logSumExp(logits);
}

/** ln p of every token under softmax(logits) [vocabSize]. */
export function logSoftmax(logits: Float32Array): Float64Array<ArrayBuffer> {
  const total = logSumExp(logits);
  return Float64Array.from(logits, (logit) => logit - total);
}
