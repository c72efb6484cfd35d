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
export interface Extent {
  readonly at: number;
  readonly numBytes: number;
}

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
  readonly #reads = new Extents();
  readonly #writes = new Extents();
  /** Where the data begin that the program has, as a word's index, by the array that they came in. */
  readonly #data = new Map<Int32Array, number>();

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
      this.#reads.clear();
      this.#writes.clear();
    }
    this.#reads.add(reads);
    this.#writes.add(writes);
    const at = this.#head(waits ? code | barrier : code, numParts, args.length + 1);
    const { words, floats } = this.#arena;
    for (let i = 0; i < args.length; i++) words[at + i] = args[i]!;
    if (data) words[at + data.argument] = data.at;
    floats[at + args.length] = factor ?? 0;
  }

  /** Where `values` lie in the program, for the operations that follow. */
  addData(values: Int32Array): number {
    const { words } = this.#arena;
    const known = this.#data.get(values);
    // The array may hold other values by now.
    if (known !== undefined && isAt(words, known, values)) return 4 * known;
    const at = this.#head(operations.data, 0, values.length);
    words.set(values, at);
    this.#data.set(values, at);
    return 4 * at;
  }

  /** Ends the program, forgets it, and returns where it begins. */
  finish(): number {
    this.#head(barrier, 0, 0);
    this.#length = 0;
    this.#reads.clear();
    this.#writes.clear();
    this.#data.clear();
    return this.#begin;
  }

  #mustWait(reads: readonly Extent[], writes: readonly Extent[]): boolean {
    return this.#writes.touch(reads) || this.#writes.touch(writes) || this.#reads.touch(writes);
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

/** What operations since the last barrier touch. Keeps its memory: it is emptied at every barrier. */
class Extents {
  readonly #items: Extent[] = [];
  #count = 0;

  add(extents: readonly Extent[]): void {
    for (const extent of extents) this.#items[this.#count++] = extent;
  }

  clear(): void {
    this.#count = 0;
  }

  touch(others: readonly Extent[]): boolean {
    for (const other of others) {
      for (let i = 0; i < this.#count; i++) if (overlap(this.#items[i]!, other)) return true;
    }
    return false;
  }
}

/** Whether two extents have a byte in common. */
export function overlap(one: Extent, other: Extent): boolean {
  return one.at < other.at + other.numBytes && other.at < one.at + one.numBytes;
}

function isAt(words: Int32Array, at: number, values: Int32Array): boolean {
  for (let i = 0; i < values.length; i++) if (words[at + i] !== values[i]) return false;
  return true;
}
