/**
 * One sequence in a block manager: the slots of its tokens, those that are reserved and those whose
 * keys and values are there already. Knows no model and no memory: it is what a scheduler moves.
 */
import { UsageError } from "../core/errors.ts";
import type { AppendedTokens, BlockManager, StartOptions } from "./block-manager.ts";

const firstCapacity = 64;

/** Its slots grow with it; `slots` and `table` name memory only while it is started. */
export class PagedSequence {
  readonly id: number;
  readonly #manager: BlockManager;
  #slots: Int32Array<ArrayBuffer> = new Int32Array(firstCapacity);
  #numReserved = 0;
  #numComputed = 0;
  #numCommittedBlocks = 0;
  #isStarted = false;

  constructor(manager: BlockManager, id: number) {
    this.#manager = manager;
    this.id = id;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Tokens that have a slot. */
  get numReserved(): number {
    return this.#numReserved;
  }

  /** The first so many of them have their keys and values. */
  get numComputed(): number {
    return this.#numComputed;
  }

  /** The slots of all reserved tokens. */
  get slots(): Int32Array {
    return this.#slots.subarray(0, this.#numReserved);
  }

  /** The block of every `blockSize` tokens. */
  get table(): readonly number[] {
    return this.#isStarted ? this.#manager.blockTable(this.id) : [];
  }

  /** Tokens that can be reserved before memory is used up. */
  get numFree(): number {
    const { blockSize, numFree, numFreeToStart } = this.#manager;
    if (!this.#isStarted) return numFreeToStart * blockSize;
    const slack = this.table.length * blockSize - this.#numReserved;
    const isShared = slack > 0 && this.#manager.numOwners(this.table.at(-1)!) > 1;
    if (!isShared) return numFree * blockSize + slack;
    return numFree === 0 ? 0 : (numFree - 1) * blockSize + slack;
  }

  /**
   * Takes what the cache holds of `tokens`, and slots for the others. Returns whether there was memory.
   * Throws UsageError as `BlockManager.start`.
   */
  start(tokens: ArrayLike<number>, options: StartOptions = {}): boolean {
    const started = this.#manager.start(this.id, tokens, options);
    if (!started) return false;
    this.#isStarted = true;
    this.#numComputed = started.numCached;
    this.#numReserved = 0;
    const numTokens = started.numCached + started.slots.length;
    this.#append(numTokens === started.slots.length ? started.slots : this.#manager.slots(this.id));
    return true;
  }

  /** Slots for more tokens; undefined, and nothing changes, where there is no memory. */
  append(tokens: ArrayLike<number>): AppendedTokens | undefined {
    const appended = this.#manager.append(this.id, tokens);
    if (!appended) return undefined;
    const { copy, slots } = appended;
    if (copy) {
      const { blockSize } = this.#manager;
      const begin = this.#numReserved - (this.#numReserved % blockSize);
      for (let t = begin; t < this.#numReserved; t++) {
        this.#slots[t] = copy.to * blockSize + (t - begin);
      }
    }
    this.#append(slots);
    return appended;
  }

  /** Notes that `count` more tokens have their keys and values. Throws UsageError beyond those reserved. */
  compute(count: number): void {
    if (this.#numComputed + count > this.#numReserved) {
      throw new UsageError(
        `Sequence ${this.id} has slots for ${this.#numReserved} tokens and ${this.#numComputed} computed ones; ${count} more were named.`,
      );
    }
    this.#numComputed += count;
  }

  /**
   * Lets others find the first `length` tokens, by default those that are computed. Whoever names more
   * sees to it that they are when another reads them.
   */
  commit(length: number = this.#numComputed): void {
    const numBlocks = Math.floor(length / this.#manager.blockSize);
    if (numBlocks <= this.#numCommittedBlocks) return;
    this.#manager.commit(this.id, length);
    this.#numCommittedBlocks = numBlocks;
  }

  /** Forgets all tokens but the first `length`. Throws UsageError where there are fewer. */
  truncate(length: number): void {
    this.#manager.truncate(this.id, length);
    this.#numReserved = length;
    this.#numComputed = Math.min(this.#numComputed, length);
    const numBlocks = Math.floor(length / this.#manager.blockSize);
    this.#numCommittedBlocks = Math.min(this.#numCommittedBlocks, numBlocks);
  }

  /** Another with the same tokens and blocks, until one of the two writes. */
  fork(id: number): PagedSequence {
    this.#manager.fork(this.id, id);
    const child = new PagedSequence(this.#manager, id);
    child.#isStarted = true;
    child.#append(this.slots);
    child.#numComputed = this.#numComputed;
    child.#numCommittedBlocks = this.#numCommittedBlocks;
    return child;
  }

  /** Gives everything back; it may start again. */
  release(): void {
    if (!this.#isStarted) return;
    this.#manager.release(this.id);
    this.#isStarted = false;
    this.#numReserved = this.#numComputed = this.#numCommittedBlocks = 0;
  }

  #append(slots: Int32Array): void {
    const needed = this.#numReserved + slots.length;
    if (needed > this.#slots.length) {
      const grown = new Int32Array(Math.max(needed, 2 * this.#slots.length));
      grown.set(this.#slots.subarray(0, this.#numReserved));
      this.#slots = grown;
    }
    this.#slots.set(slots, this.#numReserved);
    this.#numReserved = needed;
  }
}
