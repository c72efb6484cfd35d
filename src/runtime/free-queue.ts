/**
 * The free blocks of a pool, least recently used first, as a doubly linked list through two arrays:
 * a block that is needed again leaves from the middle in constant time.
 */
import { InputError } from "../core/errors.ts";

const absent = -1;

/** A queue of the numbers 0 to `size` − 1, each at most once. */
export class FreeQueue {
  /** Slot `size` stands before the first and after the last block. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #end: number;
  #length = 0;

  /** Holds every block, in order. */
  constructor(size: number) {
    this.#end = size;
    this.#next = new Int32Array(size + 1).fill(absent);
    this.#previous = new Int32Array(size + 1).fill(absent);
    this.#next[size] = size;
    this.#previous[size] = size;
    for (let block = 0; block < size; block++) this.push(block);
  }

  get length(): number {
    return this.#length;
  }

  has(block: number): boolean {
    return block !== this.#end && (this.#next[block] ?? absent) !== absent;
  }

  /** Adds a block at the end. Throws InputError where it is no block or waits already. */
  push(block: number): void {
    if (!(Number.isInteger(block) && block >= 0 && block < this.#end) || this.has(block)) {
      throw new InputError(`Block ${block} cannot be freed: it is free already or does not exist.`);
    }
    const last = this.#previous[this.#end]!;
    this.#link(last, block);
    this.#link(block, this.#end);
    this.#length++;
  }

  /** Takes the first block; undefined where there is none. */
  pop(): number | undefined {
    if (this.#length === 0) return undefined;
    const first = this.#next[this.#end]!;
    this.remove(first);
    return first;
  }

  /** Takes a block from wherever it waits. Throws InputError where it does not. */
  remove(block: number): void {
    if (!this.has(block)) throw new InputError(`Block ${block} is not free and cannot be taken.`);
    this.#link(this.#previous[block]!, this.#next[block]!);
    this.#next[block] = absent;
    this.#previous[block] = absent;
    this.#length--;
  }

  /** The blocks, first to last. */
  *[Symbol.iterator](): IterableIterator<number> {
    for (let block = this.#next[this.#end]!; block !== this.#end; block = this.#next[block]!) {
      yield block;
    }
  }

  #link(before: number, after: number): void {
    this.#next[before] = after;
    this.#previous[after] = before;
  }
}
