/**
 * A model timed on random tokens, as llama-bench does it. Knows no files and no kernels by name, so it
 * also runs in a page.
 */
import { silent, type Progress } from "../core/progress.ts";
import { randomInt, seededRng, type Rng } from "../core/rng.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { forward, prefill, type Llama } from "../model/llama.ts";

/** How much of it is measured. */
export interface Repetitions {
  readonly promptTokens: number;
  readonly genTokens: number;
  /** After a first time that is not measured. */
  readonly repeat: number;
  readonly seed: number;
}

/** What one repetition took. */
export interface Times {
  readonly prefillMs: number;
  readonly decodeMs: number;
}

/** Runs a prompt and then a text, each from an empty cache; the first time only warms up. */
export async function timeRepetitions(
  model: Llama,
  { promptTokens, genTokens, repeat, seed }: Repetitions,
  progress: Progress = silent,
): Promise<readonly Times[]> {
  const rng = seededRng(seed);
  const capacity = Math.max(promptTokens, genTokens);
  const cache = new ContiguousKvCache(model.kernels, model.config, capacity);
  const times: Times[] = [];
  for (let i = 0; i <= repeat; i++) {
    progress.update(i, repeat + 1);
    const prompt = randomTokens(promptTokens, model, rng);
    const prefillMs = await timed(() => prefill(model, prompt, cache));
    cache.truncate(0);
    const tokens = randomTokens(i === 0 ? 1 : genTokens, model, rng);
    const decodeMs = await timed(() => decode(model, tokens, cache));
    cache.truncate(0);
    if (i > 0) times.push({ prefillMs, decodeMs });
  }
  progress.finish();
  return times;
}

/** One forward pass after the other: what generating costs, whatever the tokens are. */
async function decode(model: Llama, tokens: Int32Array, cache: ContiguousKvCache): Promise<void> {
  for (let i = 0; i < tokens.length; i++) {
    await forward(model, tokens.subarray(i, i + 1), Int32Array.of(i), cache);
  }
}

function randomTokens(count: number, { vocabSize }: Llama, rng: Rng): Int32Array {
  return Int32Array.from({ length: count }, () => randomInt(rng, vocabSize));
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
