/**
 * The memory that wasm kernels compute in: what callers keep there, and above it room for pieces of
 * arrays that lie elsewhere. It never grows, because growing would cut off every array that a caller
 * holds; its pages cost nothing before they are touched. Nothing is freed but all of it at once,
 * with the last array in it.
 */
import { InputError } from "../../core/errors.ts";

type Bytes = Uint8Array | Int8Array | Float32Array;

const pageBytes = 65_536;

/** What a 32-bit pointer reaches. */
const mostBytes = 2 ** 32 - pageBytes;

/** A cache line: no two arrays share one. */
const alignment = 64;

/** Where arrays begin; below lies what the compiler places, and the null pointer. */
const firstByte = 1024;

export class KernelMemory {
  readonly memory: WebAssembly.Memory;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #next = firstByte;
  #nextScratch: number;

  /** Throws InputError where `bytes` and `scratchBytes` together are more than a memory holds. */
  constructor(bytes: number, scratchBytes: number) {
    const wanted = firstByte + aligned(bytes) + scratchBytes;
    if (!Number.isSafeInteger(bytes) || bytes < 0 || wanted > mostBytes) {
      throw new InputError(
        `A kernel memory of ${bytes} bytes is out of range: one memory holds up to ${mostBytes - firstByte - scratchBytes}; use several.`,
      );
    }
    const pages = Math.ceil(wanted / pageBytes);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#bytes = new Uint8Array(this.memory.buffer);
    this.#end = firstByte + aligned(bytes);
    this.#nextScratch = this.#end;
  }

  /** Where `length` zeros begin that nobody else uses. Throws InputError where too few are left. */
  allocate(length: number): number {
    const left = this.#end - this.#next;
    if (!Number.isSafeInteger(length) || length < 0 || length > left) {
      throw new InputError(
        `The kernels' memory has ${left} bytes left and ${length} are asked for; create the kernels with more memoryBytes.`,
      );
    }
    const at = this.#next;
    this.#next += aligned(length);
    return at;
  }

  /** Where `values` lie, or room for them in scratch that lasts until `endPiece`. */
  place(values: Bytes): number {
    if (this.#holds(values)) return values.byteOffset;
    const at = this.#nextScratch;
    this.#nextScratch += aligned(values.byteLength);
    return at;
  }

  /** As `place`, with the values there. */
  bring(values: Bytes): number {
    const at = this.place(values);
    if (!this.#holds(values)) this.#bytes.set(bytesOf(values), at);
    return at;
  }

  /** Copies what a kernel wrote at `at = place(values)` to where the values lie. */
  takeBack(values: Bytes, at: number): void {
    if (this.#holds(values)) return;
    bytesOf(values).set(this.#bytes.subarray(at, at + values.byteLength));
  }

  /** Gives the scratch room back. */
  endPiece(): void {
    this.#nextScratch = this.#end;
  }

  #holds(values: Bytes): boolean {
    return values.buffer === this.memory.buffer;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Bytes): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
