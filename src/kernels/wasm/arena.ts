/**
 * A memory of the wasm forward pass with an instance of the module on it: 4 GiB at most, so large
 * models take several. It grows as it is needed and gives nothing back but all of it. Also where the
 * threads' own words and memory lie.
 */
import { InputError } from "../../core/errors.ts";

const pageBytes = 65_536;

/** What a 32-bit pointer reaches. */
export const mostArenaBytes: number = 2 ** 32 - pageBytes;

/** Two lines of a cache, which processors fetch together. */
const alignment = 128;

/** The threads' common words; what lies below is the compiler's, which places constants there. */
export const controlBegin = 32_768;

/** Indices of the common words; `assembly/forward/threads.ts` has the same as offsets. */
export const controlWords = {
  generation: 1,
  failed: 2,
  sequence: 3,
  /** Number of the arena whose program is to be run. */
  arena: 4,
  program: 5,
  /** How many pages of memory that arena has. */
  pages: 6,
} as const;

/** Where the threads' own memory begins: `threadBytes` for each. */
export const workBegin = 65_536;

const threadBytes = 65_536;

/** What `assembly/forward/interpreter.ts` exports; pointers are byte offsets. */
export interface ForwardExports {
  run(
    program: number,
    control: number,
    work: number,
    thread: number,
    numThreads: number,
    maySleep: number,
  ): number;
  awaitWork(control: number, last: number): number;
  unpackRow(format: number, W: number, row: number, dst: number, numCols: number): void;
}

export interface ArenaOptions {
  readonly module: WebAssembly.Module;
  /** Whether other threads are to see the memory. */
  readonly shared: boolean;
  readonly numThreads: number;
  readonly mostBytes: number;
}

export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly exports: ForwardExports;
  readonly #mostBytes: number;
  #end: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #words: Int32Array<ArrayBuffer>;
  #floats: Float32Array<ArrayBuffer>;

  /** Throws InputError where the engine cannot give memory or run the module. */
  constructor({ module, shared, numThreads, mostBytes }: ArenaOptions) {
    this.#end = workBegin + numThreads * threadBytes;
    this.#mostBytes = mostBytes;
    const initial = Math.ceil(this.#end / pageBytes);
    try {
      this.memory = new WebAssembly.Memory({ initial, maximum: 65_536, shared });
      const { exports } = new WebAssembly.Instance(module, { env: { memory: this.memory } });
      this.exports = exports as ForwardExports;
    } catch (error) {
      throw new InputError(
        `This JavaScript engine cannot run the wasm kernels (${(error as Error).message}); use the reference kernels.`,
      );
    }
    this.#bytes = new Uint8Array(this.memory.buffer);
    this.#words = new Int32Array(this.memory.buffer);
    this.#floats = new Float32Array(this.memory.buffer);
  }

  get numPages(): number {
    return this.#bytes.byteLength / pageBytes;
  }

  /** Bytes that can still be allocated, if the machine has them. */
  get numFree(): number {
    return this.#mostBytes - this.#end;
  }

  /** All of the memory; old views are cut off where it grows. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** As `bytes`. */
  get words(): Int32Array<ArrayBuffer> {
    return this.#words;
  }

  /** As `bytes`. */
  get floats(): Float32Array<ArrayBuffer> {
    return this.#floats;
  }

  /** Where `length` zero bytes begin. Throws InputError where memory is used up. */
  allocate(length: number): number {
    const at = this.#end;
    const end = at + Math.ceil(length / alignment) * alignment;
    if (!Number.isSafeInteger(length) || length < 0 || end > this.#mostBytes) {
      throw new InputError(
        `The wasm kernels' memory has ${this.numFree} bytes left and ${length} are needed; use a smaller model or a shorter context.`,
      );
    }
    const missing = end - this.memory.buffer.byteLength;
    if (missing > 0) this.#grow(Math.ceil(missing / pageBytes), length);
    this.#end = end;
    return at;
  }

  #grow(numPages: number, length: number): void {
    try {
      this.memory.grow(numPages);
    } catch (error) {
      throw new InputError(
        `The machine has no memory for ${length} more bytes beside the ${this.#end} that the wasm kernels hold; use a smaller model or a shorter context.`,
        { cause: error },
      );
    }
    const { buffer } = this.memory;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#floats = new Float32Array(buffer);
  }
}
