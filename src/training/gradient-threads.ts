/**
 * Gradients on several threads, each with a backend of its own: tfjs's wasm backend has one thread in
 * Node. They take the shards of a step as they come; the sums are made in the order of the shards.
 */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { DeviceName } from "../tensor/backend.ts";
import type { GradientAnswer, GradientTask, GradientThreadData } from "./gradient-messages.ts";
import { addTo, scaleBy, type GradientSource, type Shard } from "./gradients.ts";
import { numParameters, type TransformerShape } from "./transformer-shape.ts";

/** Starts `numThreads` threads on `device`. Throws where one does not start. */
export async function openGradientThreads(
  shape: TransformerShape,
  device: DeviceName,
  numThreads: number,
): Promise<GradientSource> {
  const parameters = new SharedArrayBuffer(4 * numParameters(shape));
  const threads = Array.from(
    { length: numThreads },
    () => new GradientThread({ shape, device, parameters }),
  );
  try {
    const names = await Promise.all(threads.map((thread) => thread.ready()));
    return new ThreadedGradients(`${names[0]!}, ${numThreads} threads`, parameters, threads);
  } catch (error) {
    await Promise.all(threads.map((thread) => thread.close()));
    throw error;
  }
}

class ThreadedGradients implements GradientSource {
  readonly name: string;
  readonly #shared: SharedArrayBuffer;
  readonly #threads: readonly GradientThread[];
  /** Room for the gradient of each shard of a step. */
  readonly #slots: SharedArrayBuffer[] = [];

  constructor(name: string, parameters: SharedArrayBuffer, threads: readonly GradientThread[]) {
    this.name = name;
    this.#shared = parameters;
    this.#threads = threads;
  }

  async gradients(
    parameters: Float32Array,
    shards: readonly Shard[],
    gradient: Float32Array,
  ): Promise<number> {
    while (this.#slots.length < shards.length) {
      this.#slots.push(new SharedArrayBuffer(this.#shared.byteLength));
    }
    const loss = await this.#run(
      parameters,
      shards.map((shard, i) => ({ shard, gradient: this.#slots[i] })),
    );
    gradient.fill(0);
    for (const i of shards.keys()) addTo(gradient, new Float32Array(this.#slots[i]!));
    scaleBy(gradient, 1 / shards.length);
    return loss;
  }

  async loss(parameters: Float32Array, shards: readonly Shard[]): Promise<number> {
    return this.#run(
      parameters,
      shards.map((shard) => ({ shard, gradient: undefined })),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  /** The mean loss of all tasks. */
  async #run(parameters: Float32Array, tasks: readonly GradientTask[]): Promise<number> {
    new Float32Array(this.#shared).set(parameters);
    const losses = new Float64Array(tasks.length);
    let next = 0;
    const work = async (thread: GradientThread): Promise<void> => {
      while (next < tasks.length) {
        const i = next++;
        losses[i] = await thread.run(tasks[i]!);
      }
    };
    await Promise.all(this.#threads.map(work));
    return losses.reduce((sum, loss) => sum + loss, 0) / tasks.length;
  }
}

/** One thread, which has one task at a time. */
class GradientThread {
  readonly #worker: Worker;
  #settle:
    { resolve: (answer: GradientAnswer) => void; reject: (error: Error) => void } | undefined;
  readonly #first: Promise<GradientAnswer>;
  #hasEnded = false;

  constructor(data: GradientThreadData) {
    this.#worker = new Worker(join(import.meta.dirname, "gradient-thread.js"), {
      workerData: data,
      execArgv: [],
    });
    this.#first = this.#answer();
    this.#worker.on("message", (answer: GradientAnswer) => this.#settle?.resolve(answer));
    this.#worker.on("error", (error) => this.#settle?.reject(error));
    this.#worker.on("exit", () => {
      this.#hasEnded = true;
      this.#settle?.reject(ended());
    });
  }

  /** The name of its backend, once it has one. */
  async ready(): Promise<string> {
    const answer = await this.#first;
    if (answer.kind === "ready") return answer.name;
    throw unexpected(answer);
  }

  async run(task: GradientTask): Promise<number> {
    if (this.#hasEnded) throw ended();
    const answered = this.#answer();
    this.#worker.postMessage(task);
    const answer = await answered;
    if (answer.kind === "loss") return answer.loss;
    throw unexpected(answer);
  }

  async close(): Promise<void> {
    this.#settle = undefined;
    await this.#worker.terminate();
  }

  #answer(): Promise<GradientAnswer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }
}

function ended(): Error {
  return new Error("A thread that computes gradients has ended.");
}

function unexpected(answer: GradientAnswer): Error {
  const reason = answer.kind === "failed" ? answer.reason : `it answered "${answer.kind}"`;
  return new Error(`A thread that computes gradients failed: ${reason}`);
}
