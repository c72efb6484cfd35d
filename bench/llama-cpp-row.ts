/**
 * One row of `infinity bench` for llama.cpp: `node llama-cpp-row.ts '{"model": …}'` prints it. The
 * same steps as in `src/cli/bench-measure.ts`, through the interface that a user of node-llama-cpp
 * has, with the same random tokens.
 */
import type { BenchOptions, BenchRow } from "../src/cli/bench-measure.ts";
import { randomInt, seededRng } from "../src/core/rng.ts";
import { startLlamaCpp, type LlamaCppSequence } from "./llama-cpp.ts";
import { median } from "./result.ts";

/** A row, and what node-llama-cpp's own start takes, which is not part of `loadMs`. */
export interface LlamaCppRow extends BenchRow {
  readonly startMs: number;
}

export interface LlamaCppOptions extends BenchOptions {
  readonly threads: number;
  readonly vocabSize: number;
}

const options = JSON.parse(process.argv[2]!) as LlamaCppOptions;
process.stdout.write(`${JSON.stringify(await measure(options))}\n`);
// Its threads would keep the process.
process.exit(0);

async function measure(wanted: LlamaCppOptions): Promise<LlamaCppRow> {
  const { model: modelPath, threads, promptTokens, genTokens, repeat, seed, vocabSize } = wanted;
  const rng = seededRng(seed);
  const randomTokens = (count: number): number[] =>
    Array.from({ length: count }, () => randomInt(rng, vocabSize));
  const began = performance.now();
  const llama = await startLlamaCpp(threads);
  const started = performance.now();
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  // One more than the longest: node-llama-cpp shifts a context that is full.
  const contextSize = Math.max(promptTokens, genTokens) + 1;
  const context = await model.createContext({ contextSize, batchSize: contextSize, threads });
  const sequence = context.getSequence();
  const loadMs = performance.now() - started;
  const times: { prefillMs: number; decodeMs: number }[] = [];
  for (let i = 0; i <= repeat; i++) {
    const prefillMs = await timed(() => firstToken(sequence, randomTokens(promptTokens)));
    const tokens = randomTokens(i === 0 ? 1 : genTokens);
    const decodeMs = await timed(() => oneByOne(sequence, tokens));
    if (i > 0) times.push({ prefillMs, decodeMs });
  }
  const prefill = times.map(({ prefillMs }) => promptTokens / (prefillMs / 1000));
  const decode = times.map(({ decodeMs }) => genTokens / (decodeMs / 1000));
  return {
    ...{ kernels: "llama.cpp", threads, promptTokens, genTokens, loadMs },
    startMs: started - began,
    prefillTokensPerSecond: median(prefill),
    decodeTokensPerSecond: median(decode),
    firstTokenMs: median(times.map(({ prefillMs }) => prefillMs)),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    prefillRange: [Math.min(...prefill), Math.max(...prefill)],
    decodeRange: [Math.min(...decode), Math.max(...decode)],
  };
}

/** Leaves the sequence empty, as `oneByOne` does. */
async function firstToken(sequence: LlamaCppSequence, tokens: readonly number[]): Promise<void> {
  const generator = sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true });
  await generator.next();
  await generator.return();
  await sequence.clearHistory();
}

async function oneByOne(sequence: LlamaCppSequence, tokens: readonly number[]): Promise<void> {
  const generator = sequence.evaluate(tokens.slice(0, 1), { temperature: 0, yieldEogToken: true });
  await generator.next();
  for (const token of tokens.slice(1)) await generator.next(token);
  await generator.return();
  await sequence.clearHistory();
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
