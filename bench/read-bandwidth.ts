/** How fast this machine reads memory, from wasm and with a number of threads: the bound of decoding. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";

/** More than any cache holds. */
const numBytes = 2 ** 28;

/** Threads that read, each its own memory. */
export class MemoryReaders {
  readonly #workers: readonly Worker[];

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers;
  }

  static async start(numThreads: number): Promise<MemoryReaders> {
    const module = new WebAssembly.Module(compile());
    const file = join(import.meta.dirname, "read-worker.js");
    const workers = Array.from(
      { length: numThreads },
      () => new Worker(file, { workerData: { module, numBytes } }),
    );
    await Promise.all(workers.map((worker) => once(worker, "message")));
    return new MemoryReaders(workers);
  }

  /** Bytes a second of all threads together, once. */
  async measure(): Promise<number> {
    const start = performance.now();
    const done = this.#workers.map((worker) => once(worker, "message"));
    for (const worker of this.#workers) worker.postMessage("read");
    await Promise.all(done);
    return (this.#workers.length * numBytes) / ((performance.now() - start) / 1000);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

function compile(): Uint8Array<ArrayBuffer> {
  const out = join(import.meta.dirname, "build", "read-memory.wasm");
  const compiler = join(
    import.meta.dirname,
    "..",
    "node_modules",
    "assemblyscript",
    "bin",
    "asc.js",
  );
  const source = join(import.meta.dirname, "assembly", "read-memory.ts");
  mkdirSync(join(import.meta.dirname, "build"), { recursive: true });
  const options = ["-O3", "--runtime", "stub", "--importMemory", "--enable", "simd"];
  execFileSync(process.execPath, [compiler, source, ...options, "--outFile", out]);
  return readFileSync(out);
}
