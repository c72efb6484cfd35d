/**
 * The plain generation loop: one sequence, one token after the other. Streams text as it becomes
 * certain. Knows no clock: whoever wants figures measures around it.
 */
import type { Rng } from "../core/rng.ts";
import type { KvCache } from "../model/kv-cache.ts";
import { forward, prefill, type Llama } from "../model/llama.ts";
import { TokenStream } from "../model/tokenizer/token-stream.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { checkSampling, sampleToken, type SamplingOptions } from "./sampler.ts";

/** What generates: a model, its tokenizer, and the memory of one sequence. */
export interface Generator {
  readonly model: Llama;
  readonly tokenizer: Tokenizer;
  readonly cache: KvCache;
}

export interface GenerateOptions {
  /** The most tokens to generate. */
  readonly maxTokens: number;
  readonly sampling: SamplingOptions;
  readonly rng: Rng;
  /** Ends the generation before the next forward pass, by throwing its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Awaited before each forward pass, so that other work can run: timers, a signal's cause, a page. */
  readonly pause?: (() => Promise<void>) | undefined;
}

/** What a generation yields: tokens, and one end. */
export type GenerationEvent =
  | {
      readonly type: "token";
      readonly id: number;
      /** The text that is certain with this token; "" where a character is not complete. */
      readonly text: string;
    }
  | {
      readonly type: "end";
      /** The model ended its text, or it reached `maxTokens` or the end of the cache. */
      readonly reason: "stop" | "length";
      /** What is left of an incomplete character: U+FFFD, or "". */
      readonly text: string;
    };

/**
 * Continues `prompt` after what the cache holds. A token that ends generation is neither yielded nor
 * added to the cache. Throws UsageError for sampling options out of range, and InputError for an empty
 * prompt, one that does not fit, and damaged weights.
 */
export async function* generate(
  { model, tokenizer, cache }: Generator,
  prompt: Int32Array,
  { maxTokens, sampling, rng, signal, pause }: GenerateOptions,
): AsyncGenerator<GenerationEvent, void, void> {
  checkSampling(sampling);
  const stream = new TokenStream(tokenizer, { continuation: true });
  const sequence = [...prompt];
  const breathe = async (): Promise<void> => {
    await pause?.();
    signal?.throwIfAborted();
  };
  let logits = await prefill(model, prompt, cache, breathe);
  for (let numTokens = 1; numTokens <= maxTokens; numTokens++) {
    const id = sampleToken(logits, sampling, rng, sequence);
    if (tokenizer.vocabulary.endOfGeneration.has(id)) {
      yield { type: "end", reason: "stop", text: stream.flush() };
      return;
    }
    sequence.push(id);
    yield { type: "token", id, text: stream.push(id) };
    if (numTokens === maxTokens || cache.numFree === 0) break;
    await breathe();
    const position = Int32Array.of(cache.slots.length);
    logits = await forward(model, Int32Array.of(id), position, cache);
  }
  yield { type: "end", reason: "length", text: stream.flush() };
}
