/** The page that measures: our engine in a worker, or llama.cpp as wllama brings it. */
import { randomInt, seededRng } from "../../src/core/rng.ts";
import type { PageAnswer, PageRequest } from "./request.ts";

/** The part of wllama that is used; an optional package, of which type checking must not need anything. */
interface Wllama {
  loadModel(files: Blob[], options: object): Promise<void>;
  createCompletion(options: object): Promise<{ timings: WllamaTimings }>;
  exit(): Promise<void>;
}

/** As llama-server says them. */
interface WllamaTimings {
  readonly prompt_n: number;
  readonly prompt_ms: number;
  readonly predicted_n: number;
  readonly predicted_ms: number;
}

/** The first word of the vocabulary in `random-model.ts`; its words are numbers to base 36. */
const firstWord = 259;

declare const createWllama: (wasmUrl: string) => Wllama;

Object.assign(globalThis, {
  measure: (request: PageRequest): Promise<PageAnswer> =>
    request.engine === "ours" ? measureOurs(request) : measureWllama(request),
});

function measureOurs(request: PageRequest): Promise<PageAnswer> {
  const worker = new Worker("engine-worker.js");
  return new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data }: MessageEvent<PageAnswer | string>) => {
      if (typeof data === "string") reject(new Error(data));
      else resolve(data);
    });
    worker.addEventListener("error", (event) => {
      reject(new Error(event.message));
    });
    worker.postMessage(request);
  });
}

async function measureWllama(request: PageRequest): Promise<PageAnswer> {
  const { modelUrl, threads, promptTokens, genTokens, repeat, seed, vocabSize } = request;
  const blob = await (await fetch(modelUrl)).blob();
  const start = performance.now();
  const wllama = createWllama("wllama.wasm");
  // Room for a prompt, or a text and what comes before it.
  const size = Math.max(promptTokens, genTokens) + 4;
  const sizes = { n_ctx: size, n_batch: size, n_threads: threads, n_gpu_layers: 0 };
  await wllama.loadModel([blob], { ...sizes, warmup: false });
  const loadMs = performance.now() - start;
  const rng = seededRng(seed);
  // Bytes that are no UTF-8 are more than it can answer with.
  const logit_bias = Object.fromEntries(Array.from({ length: firstWord }, (_, id) => [id, -1000]));
  const complete = async (numPrompt: number, numText: number): Promise<WllamaTimings> => {
    // It takes texts only, and puts a token of its own before them.
    const word = (): string => randomInt(rng, vocabSize - firstWord).toString(36);
    const prompt = Array.from({ length: numPrompt - 1 }, word).join(" ");
    const options = { max_tokens: numText, temperature: 0, ignore_eos: true, cache_prompt: false };
    const { timings } = await wllama.createCompletion({ prompt, logit_bias, ...options });
    if (timings.prompt_n !== numPrompt || timings.predicted_n !== numText) {
      throw new Error(`wllama did another thing: ${JSON.stringify(timings)}`);
    }
    return timings;
  };
  const prefill: number[] = [];
  const decode: number[] = [];
  for (let i = 0; i <= repeat; i++) {
    const { prompt_ms } = await complete(promptTokens, 1);
    // The first token comes with the prompt.
    const { predicted_ms } = await complete(2, i === 0 ? 2 : genTokens + 1);
    if (i === 0) continue;
    prefill.push(promptTokens / (prompt_ms / 1000));
    decode.push(genTokens / (predicted_ms / 1000));
  }
  await wllama.exit();
  return { loadMs, prefill, decode };
}
