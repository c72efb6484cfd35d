/**
 * Keys and values in blocks that sequences share (Kwon et al., 2023): one memory for all, and a cache
 * for each sequence that the forward pass uses as any other.
 */
import { InputError } from "../core/errors.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import type { KvDtype } from "../kernels/kv-rows.ts";
import type { LlamaConfig } from "../model/config.ts";
import { allocatePools, poolBytes, type KvCache, type KvPool } from "../model/kv-cache.ts";
import { BlockManager, type BlockCopy, type BlockManagerOptions } from "./block-manager.ts";
import { PagedSequence } from "./paged-sequence.ts";

export interface PagedKvOptions extends BlockManagerOptions {
  /** What keys and values are rounded to; F32, and so not at all, unless given. */
  readonly dtype?: KvDtype | undefined;
}

/** Keys and values of some tokens outside the kernels' memory, for each pool. */
export type SavedKv = readonly Uint8Array<ArrayBuffer>[];

/** The memory that all sequences have together. */
export class PagedKvMemory {
  readonly blocks: BlockManager;
  readonly pools: readonly KvPool[];
  readonly dtype: KvDtype;
  /** Bytes of all keys and values. */
  readonly numBytes: number;
  readonly #kernels: ForwardKernels;

  /** Throws UsageError for sizes out of range, and InputError as `allocatePools`. */
  constructor(kernels: ForwardKernels, config: LlamaConfig, options: PagedKvOptions) {
    this.blocks = new BlockManager(options);
    const capacity = options.numBlocks * options.blockSize;
    this.dtype = options.dtype ?? "F32";
    this.numBytes = poolBytes(config, capacity, this.dtype);
    this.pools = allocatePools(kernels, config, capacity, this.dtype);
    this.#kernels = kernels;
  }

  /** Copies blocks, each to one that is in no other copy. */
  copy(copies: readonly BlockCopy[]): void {
    if (copies.length === 0) return;
    const from = this.#slotsOf(copies.map((copy) => copy.from));
    const to = this.#slotsOf(copies.map((copy) => copy.to));
    for (const { keys, values } of this.pools) {
      this.#kernels.copyRows(keys, from, to);
      this.#kernels.copyRows(values, from, to);
    }
  }

  /** What lies at these slots. */
  async save(slots: Int32Array): Promise<SavedKv> {
    const saved: Uint8Array<ArrayBuffer>[] = [];
    for (const { keys, values } of this.pools) {
      saved.push(await this.#kernels.saveRows(keys, slots));
      saved.push(await this.#kernels.saveRows(values, slots));
    }
    return saved;
  }

  /** Brings back the saved tokens from number `first` on, to these slots. */
  restore(slots: Int32Array, saved: SavedKv, first = 0): void {
    this.pools.forEach(({ keys, values }, i) => {
      [keys, values].forEach((pool, j) => {
        const all = saved[2 * i + j]!;
        const rowBytes = all.length / (first + slots.length);
        this.#kernels.restoreRows(pool, slots, all.subarray(first * rowBytes));
      });
    });
  }

  /** Bytes of the keys and values of so many tokens. */
  bytesOf(numTokens: number): number {
    return (this.numBytes / (this.blocks.numBlocks * this.blocks.blockSize)) * numTokens;
  }

  #slotsOf(blocks: readonly number[]): Int32Array {
    const { blockSize } = this.blocks;
    return Int32Array.from({ length: blocks.length * blockSize }, (_, i) => {
      return blocks[Math.floor(i / blockSize)]! * blockSize + (i % blockSize);
    });
  }
}

/**
 * One sequence of a memory. What a scheduler has reserved for it is used first; without one it takes
 * blocks as it grows.
 */
export class PagedKvCache implements KvCache {
  readonly pools: readonly KvPool[];
  readonly sequence: PagedSequence;
  readonly #memory: PagedKvMemory;

  /** An empty cache under an id that is not in use, or that of a sequence that exists. */
  constructor(memory: PagedKvMemory, sequence: number | PagedSequence) {
    this.#memory = memory;
    this.pools = memory.pools;
    this.sequence =
      typeof sequence === "number" ? new PagedSequence(memory.blocks, sequence) : sequence;
  }

  get slots(): Int32Array {
    return this.sequence.slots.subarray(0, this.sequence.numComputed);
  }

  get numFree(): number {
    const { numReserved, numComputed, numFree } = this.sequence;
    return numReserved - numComputed + numFree;
  }

  /**
   * Takes over what other sequences have computed of the first tokens of `prompt`, under the same salt,
   * and returns how many tokens that is: the rest has to go through the model. For an empty cache.
   */
  adoptPrefix(prompt: Int32Array, salt = ""): number {
    const adopted = this.#memory.blocks.numFound(prompt, salt);
    if (adopted > 0) this.sequence.start(prompt, { salt, maxNew: 0 });
    return this.sequence.numComputed;
  }

  /** Whole blocks can be adopted by others as soon as the next tokens are added. */
  extend(tokens: Int32Array): Int32Array {
    const { sequence } = this;
    const begin = sequence.numComputed;
    this.#reserve(tokens.subarray(sequence.numReserved - begin));
    sequence.compute(tokens.length);
    return sequence.slots.subarray(begin, begin + tokens.length);
  }

  truncate(length: number): void {
    if (!(Number.isInteger(length) && length >= 0 && length <= this.sequence.numComputed)) {
      throw new InputError(
        `The cache holds ${this.sequence.numComputed} tokens and cannot be cut to ${length}.`,
      );
    }
    if (this.sequence.isStarted) this.sequence.truncate(length);
  }

  /** A cache with the same tokens, which shares all blocks until one of the two is extended. */
  fork(id: number): PagedKvCache {
    return new PagedKvCache(this.#memory, this.sequence.fork(id));
  }

  /** Gives the blocks back. */
  release(): void {
    this.sequence.release();
  }

  #reserve(tokens: Int32Array): void {
    if (tokens.length === 0) return;
    const { sequence } = this;
    if (!sequence.isStarted) {
      if (sequence.start(tokens, { reusesPrefix: false })) return;
    } else {
      sequence.commit();
      const appended = sequence.append(tokens);
      if (appended?.copy) this.#memory.copy([appended.copy]);
      if (appended) return;
    }
    const { numFree, blockSize } = this.#memory.blocks;
    throw new InputError(
      `The cache has no blocks for ${tokens.length} tokens more: ${numFree} blocks of ${blockSize} are free. End a sequence, or take more memory.`,
    );
  }
}
