/** The wasm kernels of the forward pass on Node: the build that its engine runs best, and its threads. */
import { once } from "node:events";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { InputError } from "../core/errors.ts";
import type { KernelThread } from "../kernels/wasm/kernel-threads.ts";
import { startWasmForward, type WasmForwardKernels } from "../kernels/wasm/wasm-forward.ts";
import { forwardBuild, kernelModule, type ForwardVariant } from "./kernel-module.ts";

const mostThreads = 64;

/** A module with one function: a relaxed dot product of two vectors of zeros. */
const relaxedProbe = new Uint8Array([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0],
  ...[65, 0, 253, 15, 65, 0, 253, 15, 253, 146, 2, 11],
]);

export interface WasmForwardRequest {
  /** Threads that compute, the caller's included: 1 to 64, and 1 unless given. */
  readonly threads?: number;
  /** Instead of the fastest that the engine runs, with shared memory. */
  readonly variant?: Partial<ForwardVariant>;
  /** The size of one memory; 4 GiB unless given. */
  readonly arenaBytes?: number;
}

/**
 * Opens the kernels; the caller closes them, or they end with the process. Throws InputError for a
 * number of threads that is out of range and where this engine cannot run them.
 */
export async function openWasmForward(
  request: WasmForwardRequest = {},
): Promise<WasmForwardKernels> {
  const { threads = 1, variant, ...options } = request;
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= mostThreads)) {
    throw new InputError(
      `${threads} threads were asked for; the wasm kernels run on 1 to ${mostThreads}.`,
    );
  }
  const { relaxed = hasRelaxedSimd(), shared = true } = variant ?? {};
  if (!shared && threads > 1) {
    throw new InputError(`${threads} threads need shared memory; ask for it, or for 1 thread.`);
  }
  const module = await WebAssembly.compile(await kernelModule(forwardBuild({ relaxed, shared })));
  return startWasmForward({
    ...options,
    module,
    shared,
    numThreads: threads,
    startThread,
  });
}

/** The variant of the kernels that this engine runs best. */
export function hasRelaxedSimd(): boolean {
  // Finished in V8 11.4, behind this flag until 11.8; the flag is gone where it is not needed.
  if (Number(process.versions.node.split(".")[0]) < 22) {
    setFlagsFromString("--experimental-wasm-relaxed-simd");
  }
  return WebAssembly.validate(relaxedProbe);
}

/** Starts a worker that serves the kernels; the process does not wait for its end. */
export async function startThread(failed: (reason: string) => void): Promise<KernelThread> {
  // Without the options of this process: a transpiler would take a second to start.
  const worker = new Worker(join(import.meta.dirname, "kernel-worker.js"), { execArgv: [] });
  worker.on("error", (error) => {
    failed(error.message);
  });
  worker.on("exit", () => {
    failed("it has ended");
  });
  await once(worker, "message");
  worker.unref();
  return {
    post: (message) => {
      worker.postMessage(message);
    },
    end: async () => {
      await worker.terminate();
    },
  };
}
