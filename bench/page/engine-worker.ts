/** Our engine in a worker of a page, where it may sleep until its threads have done their part. */
import { timeRepetitions } from "../../src/cli/bench-repetitions.ts";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { openGguf } from "../../src/formats/gguf/gguf-file.ts";
import { startWasmForward } from "../../src/kernels/wasm/wasm-forward.ts";
import type { KernelThread } from "../../src/kernels/wasm/kernel-threads.ts";
import { loadLlama } from "../../src/model/llama.ts";
import { dequantizeBlocks } from "../../src/quant/blocks/dequantize.ts";
import type { PageAnswer, PageRequest } from "./request.ts";

addEventListener("message", (event: MessageEvent<PageRequest>) => {
  void measure(event.data).then(
    (answer) => {
      postMessage(answer);
    },
    (error: unknown) => {
      postMessage(String(error));
    },
  );
});

async function measure(request: PageRequest): Promise<PageAnswer> {
  const bytes = await (await fetch(request.modelUrl)).bytes();
  const module = await WebAssembly.compileStreaming(fetch(request.kernelsUrl));
  const start = performance.now();
  const numThreads = request.threads;
  const kernels = await startWasmForward({ module, shared: true, numThreads, startThread });
  const file = await openGguf(bytesSource("model.gguf", bytes), dequantizeBlocks);
  const model = await loadLlama(file, kernels);
  const loadMs = performance.now() - start;
  const times = await timeRepetitions(model, request);
  await kernels.close();
  return {
    loadMs,
    prefill: times.map(({ prefillMs }) => request.promptTokens / (prefillMs / 1000)),
    decode: times.map(({ decodeMs }) => request.genTokens / (decodeMs / 1000)),
  };
}

function startThread(failed: (reason: string) => void): Promise<KernelThread> {
  const worker = new Worker("kernel-thread.js");
  worker.addEventListener("error", (event) => {
    failed(event.message);
  });
  const thread = {
    post: (message: unknown): void => {
      worker.postMessage(message);
    },
    end: (): Promise<void> => {
      worker.terminate();
      return Promise.resolve();
    },
  };
  return new Promise((resolve) => {
    worker.addEventListener("message", () => {
      resolve(thread);
    });
  });
}
