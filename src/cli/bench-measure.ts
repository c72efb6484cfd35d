/** One row of `infinity bench`: a model loaded, then timed on random tokens, in this process. */
import { InputError } from "../core/errors.ts";
import type { Progress } from "../core/progress.ts";
import { openGgufFile } from "../corpus/files.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { llamaConfigFromGguf } from "../model/config.ts";
import { loadLlama } from "../model/llama.ts";
import { openForwardKernels, type ForwardDevice } from "../tensor/open-forward.ts";
import { timeRepetitions, type Repetitions } from "./bench-repetitions.ts";
import { peakRssBytes } from "./generate-report.ts";

/** What is measured. */
export interface BenchOptions extends Repetitions {
  readonly model: string;
  readonly device?: ForwardDevice | undefined;
  readonly threads?: number | undefined;
}

/** Speeds are medians over the repetitions, in tokens a second. */
export interface BenchRow {
  readonly kernels: string;
  readonly threads: number;
  readonly promptTokens: number;
  readonly genTokens: number;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** From the prompt to the first token's logits. */
  readonly firstTokenMs: number;
  /** From the file's name to a model that is ready, kernels included. */
  readonly loadMs: number;
  /** The most memory that the process has had. */
  readonly peakRssBytes: number;
  /** The slowest and the fastest repetition. */
  readonly prefillRange: readonly [number, number];
  readonly decodeRange: readonly [number, number];
}

/** Measures. Throws InputError as loading does, and for more tokens than the model looks back on. */
export async function measureModel(options: BenchOptions, progress: Progress): Promise<BenchRow> {
  const { promptTokens, genTokens } = options;
  const started = performance.now();
  const file = await openGgufFile(options.model);
  try {
    checkLengths(file, options);
    const { kernels, numThreads, close } = await openForwardKernels(options);
    try {
      const model = await loadLlama(file, kernels);
      const loadMs = performance.now() - started;
      const times = await timeRepetitions(model, options, progress);
      const prefill = times.map(({ prefillMs }) => rate(promptTokens, prefillMs));
      const decode = times.map(({ decodeMs }) => rate(genTokens, decodeMs));
      return {
        ...{ kernels: kernels.name, threads: numThreads, promptTokens, genTokens },
        prefillTokensPerSecond: median(prefill),
        decodeTokensPerSecond: median(decode),
        firstTokenMs: median(times.map(({ prefillMs }) => prefillMs)),
        loadMs,
        peakRssBytes: peakRssBytes(),
        prefillRange: range(prefill),
        decodeRange: range(decode),
      };
    } finally {
      await close();
    }
  } finally {
    await file.close();
  }
}

function checkLengths(file: GgufFile, { promptTokens, genTokens }: BenchOptions): void {
  const { contextLength } = llamaConfigFromGguf(file);
  const most = Math.max(promptTokens, genTokens);
  if (most <= contextLength) return;
  throw new InputError(
    `${most} tokens were asked for, and ${file.name} looks back on ${contextLength}; ask for fewer.`,
  );
}

function rate(numTokens: number, ms: number): number {
  return numTokens / (ms / 1000);
}

function range(values: readonly number[]): readonly [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
