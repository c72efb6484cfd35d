/**
 * Writes a program of the wasm forward pass into an arena: operations as words of 32 bits, which
 * `assembly/forward/interpreter.ts` runs and describes. Puts a barrier before an operation only where
 * it touches what those since the last barrier have written, or writes what they have read.
 */
import type { Arena } from "./arena.ts";

/** The interpreter's numbers; operation 0 is the program's end. */
export const operations = {
  data: 1,
  pack: 2,
  vector: 3,
  tiles: 4,
  matvec: 5,
  gemm: 6,
  norm: 7,
  add: 8,
  silu: 9,
  rope: 10,
  scatter: 11,
  softmax: 12,
  attention: 13,
  copy: 14,
} as const;

const barrier = 256;

/** Code, length, counter and number of parts. */
const headWords = 4;

/** Room for the programs of large models; memory that is not touched costs nothing. */
const firstCapacity = 2 ** 18;

/** Bytes that an operation reads or writes: where they begin and how many. */
export type Extent = readonly [at: number, length: number];

export interface Operation {
  readonly code: number;
  readonly reads: readonly Extent[];
  readonly writes: readonly Extent[];
  /** How many parts it is cut into. */
  readonly numParts: number;
  /** The interpreter's arguments that are whole numbers or pointers. */
  readonly args: readonly number[];
  /** One that is a float32, after them. */
  readonly factor?: number;
}

export class ForwardProgram {
  readonly #arena: Arena;
  #begin: number;
  #capacity = firstCapacity;
  /** Words so far. */
  #length = 0;
  readonly #reads: Extent[] = [];
  readonly #writes: Extent[] = [];
  /** Data that the program has, by the array that they came in. */
  readonly #data = new Map<Int32Array, Int32Array>();

  /** Throws InputError where memory is used up. */
  constructor(arena: Arena) {
    this.#arena = arena;
    this.#begin = arena.allocate(4 * firstCapacity);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Whether an operation with so many arguments or data still fits. */
  hasRoom(numWords: number): boolean {
    return this.#length + 2 * headWords + numWords <= this.#capacity;
  }

  /** Makes room in a program that is empty. Throws InputError where memory is used up. */
  reserve(numWords: number): void {
    if (this.hasRoom(numWords)) return;
    this.#capacity = 2 * (numWords + 2 * headWords);
    this.#begin = this.#arena.allocate(4 * this.#capacity);
  }

  /** The caller has seen to it that there is room. `data` is an argument that points to data. */
  add(
    { code, reads, writes, numParts, args, factor }: Operation,
    data?: { readonly at: number; readonly argument: number },
  ): void {
    const waits = this.#mustWait(reads, writes);
    if (waits) {
      this.#reads.length = 0;
      this.#writes.length = 0;
    }
    this.#reads.push(...reads);
    this.#writes.push(...writes);
    const at = this.#head(waits ? code | barrier : code, numParts, args.length + 1);
    const { words, floats } = this.#arena;
    for (let i = 0; i < args.length; i++) words[at + i] = args[i]!;
    if (data) words[at + data.argument] = data.at;
    floats[at + args.length] = factor ?? 0;
  }

  /** Where `values` lie in the program, for the operations that follow. */
  addData(values: Int32Array): number {
    const known = this.#data.get(values);
    // The array may hold other values by now; a view of memory that has grown is empty.
    if (known?.length === values.length && known.every((value, i) => value === values[i])) {
      return known.byteOffset;
    }
    const at = this.#head(operations.data, 0, values.length);
    const { words } = this.#arena;
    words.set(values, at);
    this.#data.set(values, words.subarray(at, at + values.length));
    return 4 * at;
  }

  /** Ends the program, forgets it, and returns where it begins. */
  finish(): number {
    this.#head(barrier, 0, 0);
    this.#length = 0;
    this.#reads.length = 0;
    this.#writes.length = 0;
    this.#data.clear();
    return this.#begin;
  }

  #mustWait(reads: readonly Extent[], writes: readonly Extent[]): boolean {
    return (
      touches(reads, this.#writes) || touches(writes, this.#writes) || touches(writes, this.#reads)
    );
  }

  /** Returns the index of the word behind the head. */
  #head(code: number, numParts: number, numWords: number): number {
    const { words } = this.#arena;
    const at = this.#begin / 4 + this.#length;
    words[at] = code;
    words[at + 1] = headWords + numWords;
    words[at + 2] = 0;
    words[at + 3] = numParts;
    this.#length += headWords + numWords;
    return at + headWords;
  }
}

function touches(some: readonly Extent[], others: readonly Extent[]): boolean {
  for (const one of some) {
    for (const other of others) if (overlap(one, other)) return true;
  }
  return false;
}

/** Whether two extents have a byte in common. */
export function overlap([at, length]: Extent, [otherAt, otherLength]: Extent): boolean {
  return at < otherAt + otherLength && otherAt < at + length;
}
