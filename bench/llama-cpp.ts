/**
 * llama.cpp through node-llama-cpp, as far as it is measured and asked here: an optional package, of
 * which type checking must not need anything.
 */
import { InputError } from "../src/core/errors.ts";

/** Yields the next token each time; what `next` is given takes its place. */
export type TokenGenerator = AsyncGenerator<number, void, number | undefined>;

export interface LlamaCppSequence {
  evaluate(
    tokens: readonly number[],
    options: { temperature: number; yieldEogToken: boolean },
  ): TokenGenerator;
  controlledEvaluate(
    input: readonly (number | readonly [number, { generateNext: { logits: true } }])[],
  ): Promise<readonly ({ next: { logits?: ReadonlyMap<number, number> } } | undefined)[]>;
  clearHistory(): Promise<void>;
}

export interface LlamaCppContext {
  getSequence(): LlamaCppSequence;
}

export interface LlamaCppModel {
  createContext(options: {
    contextSize: number;
    batchSize: number;
    threads: number;
    experimentalKvCacheKeyType?: "F32";
    experimentalKvCacheValueType?: "F32";
    flashAttention?: false;
  }): Promise<LlamaCppContext>;
  dispose(): Promise<void>;
}

export interface LlamaCpp {
  loadModel(options: { modelPath: string; gpuLayers: 0 }): Promise<LlamaCppModel>;
  dispose(): Promise<void>;
}

interface NodeLlamaCpp {
  getLlama(options: {
    gpu: false;
    build: "never";
    skipDownload: true;
    logLevel: string;
    maxThreads: number;
  }): Promise<LlamaCpp>;
}

/** Loads the engine. Throws InputError where the package is not installed. */
export async function startLlamaCpp(maxThreads: number): Promise<LlamaCpp> {
  // Not a literal, so that type checking does not need it.
  const packageName: string = "node-llama-cpp";
  const found = (await import(packageName).catch((error: unknown) => {
    throw new InputError("node-llama-cpp is not installed: `make bench-engine` installs it.", {
      cause: error,
    });
  })) as NodeLlamaCpp;
  const options = { gpu: false, build: "never", skipDownload: true, logLevel: "error" } as const;
  return found.getLlama({ ...options, maxThreads });
}
