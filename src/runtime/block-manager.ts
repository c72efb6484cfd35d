/**
 * The memory of many sequences in blocks (Kwon et al., 2023): each sequence has a table of blocks,
 * which it shares with others that began with the same tokens or were forked from it. Decides which
 * slot each token has and who may keep it; the keys and values themselves are the caller's.
 */
import { UsageError } from "../core/errors.ts";
import { defaultWatermark } from "./allocators/paged.ts";
import { hashBlock, type BlockHash } from "./block-hash.ts";
import { FreeQueue } from "./free-queue.ts";
import { PrefixCache, type PrefixEntry } from "./prefix-cache.ts";

/** What a block manager is made with. */
export interface BlockManagerOptions {
  readonly numBlocks: number;
  /** Tokens of a block. */
  readonly blockSize: number;
  /** The part of all blocks that stays free when a sequence starts beside others. */
  readonly watermark?: number;
  /** Whether a sequence may start on the blocks of another with the same beginning. */
  readonly sharesPrefixes?: boolean;
  readonly hash?: BlockHash;
  /** Is told at once what happens to every block. */
  readonly observe?: ((event: BlockEvent) => void) | undefined;
}

/** What happens to a block. */
export type BlockEvent =
  | {
      readonly type: "assigned";
      readonly sequence: number;
      /** The number of the block in the sequence's table. */
      readonly index: number;
      readonly block: number;
      /** Whether a prefix that it held can no longer be found. */
      readonly evicts: boolean;
    }
  | {
      readonly type: "shared";
      readonly sequence: number;
      /** As above. */
      readonly index: number;
      readonly block: number;
      /** How many use it now; 1 where it was free and still held a prefix. */
      readonly numOwners: number;
    }
  | {
      readonly type: "copied";
      readonly sequence: number;
      /** As above. */
      readonly index: number;
      readonly from: number;
      readonly to: number;
    }
  | {
      /** A sequence has given it back. */
      readonly type: "returned";
      readonly sequence: number;
      readonly block: number;
      /** How many still use it; with 0 it is free. */
      readonly numOwners: number;
      /** Whether what it holds can still be found. */
      readonly isCached: boolean;
    };

/** How a sequence starts. */
export interface StartOptions {
  /** Sequences share blocks only under the same salt. */
  readonly salt?: string;
  /** Whether it starts on what the cache holds; true unless given. */
  readonly reusesPrefix?: boolean;
  /** The most tokens to store beyond those found in the cache; the rest is appended later. */
  readonly maxNew?: number;
}

/** Where a new sequence's tokens are. */
export interface StartedSequence {
  /** Tokens whose keys and values are there already; always fewer than the prompt has. */
  readonly numCached: number;
  /** The slots of the tokens after those, to be computed. */
  readonly slots: Int32Array;
}

/** A block whose contents the caller copies before it writes to the new slots. */
export interface BlockCopy {
  readonly from: number;
  readonly to: number;
}

/** Where appended tokens go. */
export interface AppendedTokens {
  readonly slots: Int32Array;
  /** Present where the last block was shared (copy-on-write). */
  readonly copy: BlockCopy | undefined;
}

interface Sequence {
  readonly id: number;
  readonly salt: string;
  readonly tokens: number[];
  /** The block of every `blockSize` tokens. */
  readonly table: number[];
  /** What the cache calls the first blocks; as many as are committed. */
  readonly entries: PrefixEntry[];
}

/** Blocks of a pool, their owners, and what the free ones still hold. */
export class BlockManager {
  readonly numBlocks: number;
  readonly blockSize: number;
  readonly #watermarkBlocks: number;
  readonly #sharesPrefixes: boolean;
  /** How many tables name each block. Free blocks have 0, and only they are in the queue. */
  readonly #numOwners: Int32Array;
  readonly #free: FreeQueue;
  readonly #cache: PrefixCache;
  readonly #sequences = new Map<number, Sequence>();
  readonly #observe: BlockManagerOptions["observe"];

  /** Every block is free. Throws UsageError for sizes out of range. */
  constructor(options: BlockManagerOptions) {
    const { numBlocks, blockSize, watermark = defaultWatermark } = options;
    for (const [what, value] of Object.entries({ numBlocks, blockSize })) {
      if (Number.isInteger(value) && value >= 1 && value <= 2 ** 24) continue;
      throw new UsageError(`${what} is ${value} and has to be a whole number of 1 to 2²⁴.`);
    }
    if (!(watermark >= 0 && watermark < 1)) {
      throw new UsageError(`The watermark is ${watermark} and has to be at least 0 and below 1.`);
    }
    this.numBlocks = numBlocks;
    this.blockSize = blockSize;
    this.#watermarkBlocks = Math.floor(watermark * numBlocks);
    this.#sharesPrefixes = options.sharesPrefixes ?? true;
    this.#numOwners = new Int32Array(numBlocks);
    this.#free = new FreeQueue(numBlocks);
    this.#cache = new PrefixCache(options.hash ?? hashBlock);
    this.#observe = options.observe;
  }

  /** Blocks that belong to nobody; cached ones among them are found until they are taken. */
  get numFree(): number {
    return this.#free.length;
  }

  /** As `numFree`, less what stays free for others when a sequence starts. */
  get numFreeToStart(): number {
    return Math.max(0, this.numFree - this.#keptFree);
  }

  /** Blocks that a sequence with the same beginning would find. */
  get numCached(): number {
    return this.#cache.numBlocks;
  }

  /** The free blocks, the next one to be taken first. */
  get freeBlocks(): readonly number[] {
    return [...this.#free];
  }

  /** The sequences, in the order in which they started. */
  get ids(): readonly number[] {
    return [...this.#sequences.keys()];
  }

  /** How many sequences use a block. */
  numOwners(block: number): number {
    return this.#numOwners[block] ?? 0;
  }

  isCached(block: number): boolean {
    return this.#cache.has(block);
  }

  /** Whether a sequence of `numTokens` could be stored if there were no other. */
  couldEverFit(numTokens: number): boolean {
    return this.#blocksOf(numTokens) <= this.numBlocks;
  }

  /** The number of the first tokens of `tokens` that a sequence would find in the cache. */
  numFound(tokens: ArrayLike<number>, salt = ""): number {
    return this.#find(tokens, salt).length * this.blockSize;
  }

  /**
   * Begins a sequence with what the cache holds of its tokens, and slots for the others; undefined,
   * and nothing changes, where too few blocks are free. Throws UsageError where `id` is in use or
   * there is no token.
   */
  start(
    id: number,
    tokens: ArrayLike<number>,
    { salt = "", maxNew = Infinity, reusesPrefix = true }: StartOptions = {},
  ): StartedSequence | undefined {
    this.#checkNew(id);
    if (tokens.length === 0) throw new UsageError("A sequence starts with at least one token.");
    const entries = reusesPrefix ? this.#find(tokens, salt) : [];
    const found = entries.map(({ blocks }) => firstOf(blocks));
    const numCached = found.length * this.blockSize;
    const numTokens = Math.min(tokens.length, numCached + Math.max(0, Math.floor(maxNew)));
    const numNew = this.#blocksOf(numTokens) - found.length;
    const numRevived = found.filter((block) => this.#free.has(block)).length;
    if (numNew + numRevived + this.#keptFree > this.numFree) return undefined;
    // Found blocks leave the queue before others are taken from it, so that none of them is.
    found.forEach((block, index) => {
      this.#share(block, id, index);
    });
    const table = [...found];
    for (let i = 0; i < numNew; i++) table.push(this.#take(id, table.length));
    this.#sequences.set(id, { id, salt, tokens: sliced(tokens, 0, numTokens), table, entries });
    return { numCached, slots: this.#slotsOf(table, numCached, numTokens) };
  }

  /**
   * Slots for more tokens of a sequence; undefined, and nothing changes, where too few blocks are free.
   */
  append(id: number, tokens: ArrayLike<number>): AppendedTokens | undefined {
    const sequence = this.#sequence(id);
    const { tokens: all, table } = sequence;
    const first = all.length;
    const last = table.at(-1);
    const isPartial = first % this.blockSize !== 0 && tokens.length > 0;
    const isShared = isPartial && this.#numOwners[last!]! > 1;
    const numNew = this.#blocksOf(first + tokens.length) - table.length;
    if (numNew + Number(isShared) > this.numFree) return undefined;
    // After a rewind, a block may hold more than its sequence still has: what is written replaces it.
    if (isPartial && !isShared) this.#cache.delete(last!);
    const copy = isShared ? this.#replaceLast(sequence) : undefined;
    for (let i = 0; i < numNew; i++) table.push(this.#take(id, table.length));
    for (let i = 0; i < tokens.length; i++) all.push(tokens[i]!);
    return { slots: this.#slotsOf(table, first, all.length), copy };
  }

  /**
   * Notes that the first `numComputed` tokens have their keys and values, so that full blocks of them
   * can be shared from now on. Throws UsageError where the sequence is shorter.
   */
  commit(id: number, numComputed?: number): void {
    const { tokens, table, entries, salt } = this.#sequence(id);
    const length = numComputed ?? tokens.length;
    this.#checkLength(id, length);
    if (!this.#sharesPrefixes) return;
    const { blockSize } = this;
    for (let i = entries.length; i < Math.floor(length / blockSize); i++) {
      const block = tokens.slice(i * blockSize, (i + 1) * blockSize);
      entries.push(this.#cache.add(table[i]!, entries[i - 1], block, salt));
    }
  }

  /** Begins a sequence with the tokens of another and shares all its blocks, until one is written to. */
  fork(id: number, child: number): void {
    const { salt, tokens, table, entries } = this.#sequence(id);
    this.#checkNew(child);
    table.forEach((block, index) => {
      this.#share(block, child, index);
    });
    this.#sequences.set(child, {
      id: child,
      salt,
      tokens: [...tokens],
      table: [...table],
      entries: [...entries],
    });
  }

  /** Forgets all tokens but the first `length`. Throws UsageError where there are fewer. */
  truncate(id: number, length: number): void {
    this.#checkLength(id, length);
    const { tokens, table, entries } = this.#sequence(id);
    tokens.length = length;
    entries.length = Math.min(entries.length, Math.floor(length / this.blockSize));
    while (table.length > this.#blocksOf(length)) this.#give(table.pop()!, id);
  }

  /** Ends a sequence. Its last blocks are taken again first: fewer others could begin with them. */
  release(id: number): void {
    this.truncate(id, 0);
    this.#sequences.delete(id);
  }

  numTokens(id: number): number {
    return this.#sequence(id).tokens.length;
  }

  /** The block of every `blockSize` tokens of a sequence. */
  blockTable(id: number): readonly number[] {
    return this.#sequence(id).table;
  }

  /** The slot of each token of a sequence: block · blockSize + place in the block. */
  slots(id: number): Int32Array {
    const { table, tokens } = this.#sequence(id);
    return this.#slotsOf(table, 0, tokens.length);
  }

  /**
   * The entries of the whole blocks that `tokens` begin with. The last token is always left out: its
   * logits have to be computed.
   */
  #find(tokens: ArrayLike<number>, salt: string): PrefixEntry[] {
    const entries: PrefixEntry[] = [];
    if (!this.#sharesPrefixes) return entries;
    const { blockSize } = this;
    for (let end = blockSize; end < tokens.length; end += blockSize) {
      const block = sliced(tokens, end - blockSize, end);
      const entry = this.#cache.find(entries.at(-1), block, salt);
      if (!entry) break;
      entries.push(entry);
    }
    return entries;
  }

  #replaceLast({ id, table }: Sequence): BlockCopy {
    const from = table.pop()!;
    const index = table.length;
    const to = this.#take(id, index);
    table.push(to);
    this.#observe?.({ type: "copied", sequence: id, index, from, to });
    this.#give(from, id);
    return { from, to };
  }

  /** The block that was free longest; what it held is lost. */
  #take(sequence: number, index: number): number {
    const block = this.#free.pop()!;
    const evicts = this.#cache.has(block);
    this.#cache.delete(block);
    this.#numOwners[block] = 1;
    this.#observe?.({ type: "assigned", sequence, index, block, evicts });
    return block;
  }

  #share(block: number, sequence: number, index: number): void {
    if (this.#numOwners[block] === 0) this.#free.remove(block);
    const numOwners = ++this.#numOwners[block]!;
    this.#observe?.({ type: "shared", sequence, index, block, numOwners });
  }

  #give(block: number, sequence: number): void {
    const numOwners = --this.#numOwners[block]!;
    if (numOwners === 0) this.#free.push(block);
    const isCached = this.#cache.has(block);
    this.#observe?.({ type: "returned", sequence, block, numOwners, isCached });
  }

  get #keptFree(): number {
    return this.#sequences.size > 0 ? this.#watermarkBlocks : 0;
  }

  #blocksOf(numTokens: number): number {
    return Math.ceil(numTokens / this.blockSize);
  }

  #slotsOf(table: readonly number[], from: number, to: number): Int32Array {
    const { blockSize } = this;
    const slots = new Int32Array(to - from);
    for (let position = from; position < to; position++) {
      const block = table[Math.floor(position / blockSize)]!;
      slots[position - from] = block * blockSize + (position % blockSize);
    }
    return slots;
  }

  #sequence(id: number): Sequence {
    const sequence = this.#sequences.get(id);
    if (!sequence) throw new UsageError(`There is no sequence ${id}; start it first.`);
    return sequence;
  }

  #checkNew(id: number): void {
    if (!this.#sequences.has(id)) return;
    throw new UsageError(`Sequence ${id} runs already; release it before it starts again.`);
  }

  #checkLength(id: number, length: number): void {
    const { tokens } = this.#sequence(id);
    if (Number.isInteger(length) && length >= 0 && length <= tokens.length) return;
    throw new UsageError(`Sequence ${id} has ${tokens.length} tokens, and ${length} were named.`);
  }
}

function sliced(tokens: ArrayLike<number>, start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => tokens[start + i]!);
}

function firstOf(blocks: ReadonlySet<number>): number {
  for (const block of blocks) return block;
  throw new Error("An entry that is found has a block.");
}
