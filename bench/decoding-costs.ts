/** What a forward pass costs by how many sequences and how many tokens of each go through together. */
import { ContiguousKvCache } from "../src/model/kv-cache.ts";
import { forwardBatch, type Llama } from "../src/model/llama.ts";
import type { SequencePart } from "../src/model/sequence-part.ts";
import { median } from "./result.ts";

/** Tokens that each sequence has already. */
const pastTokens = 96;

/** Median milliseconds of a pass over `rows` tokens of each of `batch` sequences, with all logits. */
export async function passMilliseconds(
  model: Llama,
  batch: number,
  rows: number,
  repeat: number,
): Promise<number> {
  const caches = Array.from(
    { length: batch },
    () => new ContiguousKvCache(model.kernels, model.config, pastTokens + rows),
  );
  const part = (cache: ContiguousKvCache, count: number, seed: number): SequencePart => {
    const first = cache.slots.length;
    const tokens = Int32Array.from({ length: count }, (_, i) => (7 * i + seed) % model.vocabSize);
    return { tokens, positions: tokens.map((_, i) => first + i), cache, wanted: "all" };
  };
  for (const cache of caches) {
    await forwardBatch(model, [{ ...part(cache, pastTokens, 0), wanted: "none" }]);
  }
  const times: number[] = [];
  for (let i = -3; i < repeat; i++) {
    for (const cache of caches) cache.truncate(pastTokens);
    const parts = caches.map((cache, j) => part(cache, rows, i + 3 + j));
    const started = performance.now();
    await forwardBatch(model, parts);
    if (i >= 0) times.push(performance.now() - started);
  }
  return median(times);
}
