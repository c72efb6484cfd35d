/**
 * What a model expects in the windows of a text. Only the logits of scored tokens are computed, a batch
 * of them at a time, so memory does not grow with the text.
 */
import type { KvCache } from "../model/kv-cache.ts";
import { forwardBatch, type Llama } from "../model/llama.ts";
import type { TextWindow } from "./windows.ts";

/** A model, and memory for one window that nothing else uses meanwhile. */
export interface Scorer {
  readonly model: Llama;
  readonly cache: KvCache;
}

/** What a model expects at successive positions of a window, and what came. */
export interface ScoredRows {
  /** [targets.length · vocabSize] */
  readonly logits: Float32Array;
  readonly targets: Int32Array;
}

/**
 * What the model expects for the scored tokens of a window, at most `model.batchSize` of them at a time;
 * `pause` is awaited before each forward pass. Throws InputError for a window that the cache has no room
 * for, and for a token that the model does not have.
 */
export async function* scoredRows(
  { model, cache }: Scorer,
  tokens: Int32Array,
  { begin, end, scoreFrom, first }: TextWindow,
  pause: () => Promise<void> | void = () => undefined,
): AsyncGenerator<ScoredRows, undefined> {
  cache.truncate(0);
  // The last token is only a target.
  const input = tokens.slice(begin, end - 1);
  if (first !== undefined) input[0] = first;
  const firstWanted = scoreFrom - 1 - begin;
  for (let at = 0, next; at < input.length; at = next) {
    // Tokens whose logits nobody wants go through by themselves.
    next = Math.min(at + model.batchSize, at < firstWanted ? firstWanted : input.length);
    await pause();
    const [logits] = await forwardBatch(model, [
      {
        tokens: input.subarray(at, next),
        positions: Int32Array.from({ length: next - at }, (_, i) => at + i),
        cache,
        wanted: at < firstWanted ? "none" : "all",
      },
    ]);
    if (at < firstWanted) continue;
    yield { logits: logits!, targets: tokens.subarray(begin + at + 1, begin + next + 1) };
  }
  return undefined;
}

/** The logits of the target at `row` [vocabSize]. */
export function rowOf({ logits, targets }: ScoredRows, row: number): Float32Array {
  const width = logits.length / targets.length;
  return logits.subarray(row * width, (row + 1) * width);
}
