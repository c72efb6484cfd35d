/**
 * The threads that run programs of the wasm forward pass: the caller's own, and others that sleep in
 * shared memory until there is work. How a thread is started is passed in; what it does is in
 * `kernel-thread.js`.
 */
import { controlBegin, controlWords, workBegin, type Arena } from "./arena.ts";

/** A thread that was started; `src/tensor/kernel-worker.js` is one of Node's. */
export interface KernelThread {
  /** Sends what `kernel-thread.js` receives. */
  post(message: ArenaMessage): void;
  end(): Promise<void>;
}

/** An arena that a thread is to know; arenas are numbered in the order of their messages. */
export interface ArenaMessage {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: number;
  readonly work: number;
  readonly thread: number;
  readonly numThreads: number;
}

/**
 * Starts a thread, and resolves when messages reach it even while the caller's thread computes.
 * `failed` is called with the reason when it stops.
 */
export type StartThread = (failed: (reason: string) => void) => Promise<KernelThread>;

export class KernelThreads {
  readonly count: number;
  readonly #module: WebAssembly.Module;
  readonly #maySleep: boolean;
  readonly #others: KernelThread[] = [];
  readonly #arenas: Arena[] = [];
  #failure: string | undefined;

  private constructor(module: WebAssembly.Module, count: number, maySleep: boolean) {
    this.#module = module;
    this.count = count;
    this.#maySleep = maySleep;
  }

  /**
   * Starts `count - 1` threads beside the caller's, which may not sleep where `maySleep` is false, as a
   * page's own.
   */
  static async start(
    module: WebAssembly.Module,
    count: number,
    maySleep: boolean,
    start: StartThread,
  ): Promise<KernelThreads> {
    const threads = new KernelThreads(module, count, maySleep);
    const failed = (reason: string): void => {
      threads.#failure ??= reason;
    };
    try {
      for (let i = 1; i < count; i++) threads.#others.push(await start(failed));
    } catch (error) {
      await threads.close();
      throw error;
    }
    return threads;
  }

  /** Tells all threads of another arena; the first one has the words that they wait for each other with. */
  addArena(arena: Arena): void {
    this.#arenas.push(arena);
    const { memory } = arena;
    this.#others.forEach((thread, i) => {
      thread.post({
        module: this.#module,
        memory,
        control: controlBegin,
        work: workBegin,
        thread: i + 1,
        numThreads: this.count,
      });
    });
  }

  /** Runs a program to its end. Throws Error where a thread has stopped, and ever after. */
  run(arena: Arena, program: number): void {
    if (this.#failure === undefined) {
      if (this.count > 1) this.#wake(arena, program);
      const maySleep = Number(this.#maySleep);
      try {
        const { exports } = arena;
        if (exports.run(program, controlBegin, workBegin, 0, this.count, maySleep)) return;
        this.#failure = "it has failed or does not answer";
      } catch (error) {
        this.#failure = (error as Error).message;
      }
    }
    throw new Error(`A thread of the wasm kernels has stopped: ${this.#failure}.`);
  }

  /** Ends the other threads; nothing can be run any more. */
  async close(): Promise<void> {
    this.#failure ??= "the kernels are closed";
    await Promise.all(this.#others.map((thread) => thread.end()));
  }

  #wake(arena: Arena, program: number): void {
    const { words } = this.#arenas[0]!;
    const at = controlBegin / 4;
    words[at + controlWords.arena] = this.#arenas.indexOf(arena);
    words[at + controlWords.program] = program;
    words[at + controlWords.pages] = arena.numPages;
    Atomics.add(words, at + controlWords.sequence, 1);
    Atomics.notify(words, at + controlWords.sequence);
  }
}
