/**
 * Which blocks hold the keys and values of which prefix. A prefix of whole blocks is an entry that
 * knows its last block's tokens and the entry before it, so that equal entries are equal prefixes
 * whatever their hashes. Knows nothing of who uses the blocks.
 */
import { rootHash, type BlockHash } from "./block-hash.ts";

/** A prefix of whole blocks under one salt. */
export interface PrefixEntry {
  /** The prefix without its last block; undefined for the empty one. */
  readonly parent: PrefixEntry | undefined;
  readonly hash: number;
  readonly salt: string;
  /** The tokens of the last block. */
  readonly tokens: readonly number[];
  /** The blocks that hold them, oldest first: requests that ran side by side may each have one. */
  readonly blocks: Set<number>;
  /** Entries that continue this one. */
  numChildren: number;
}

/** The blocks of a pool that can be found by what they hold. */
export class PrefixCache {
  readonly #hash: BlockHash;
  readonly #entries = new Map<number, PrefixEntry[]>();
  readonly #entryOfBlock = new Map<number, PrefixEntry>();

  constructor(hash: BlockHash) {
    this.#hash = hash;
  }

  /** Blocks that can be found. */
  get numBlocks(): number {
    return this.#entryOfBlock.size;
  }

  /** Entries that are kept, those whose own blocks are gone included. */
  get numEntries(): number {
    return [...this.#entries.values()].reduce((sum, { length }) => sum + length, 0);
  }

  has(block: number): boolean {
    return this.#entryOfBlock.has(block);
  }

  /** The entry that continues `parent` by a block of `tokens`, where some block holds it. */
  find(
    parent: PrefixEntry | undefined,
    tokens: readonly number[],
    salt: string,
  ): PrefixEntry | undefined {
    const entry = this.#lookUp(this.#hashOf(parent, tokens, salt), parent, tokens, salt);
    return entry && entry.blocks.size > 0 ? entry : undefined;
  }

  /** Notes that `block` holds `tokens` after `parent`, and returns their entry. */
  add(
    block: number,
    parent: PrefixEntry | undefined,
    tokens: readonly number[],
    salt: string,
  ): PrefixEntry {
    const hash = this.#hashOf(parent, tokens, salt);
    const entry =
      this.#lookUp(hash, parent, tokens, salt) ?? this.#open(hash, parent, tokens, salt);
    entry.blocks.add(block);
    this.#entryOfBlock.set(block, entry);
    return entry;
  }

  /** Forgets what `block` holds, if it was noted. */
  delete(block: number): void {
    const entry = this.#entryOfBlock.get(block);
    if (!entry) return;
    this.#entryOfBlock.delete(block);
    entry.blocks.delete(block);
    this.#prune(entry);
  }

  #hashOf(parent: PrefixEntry | undefined, tokens: readonly number[], salt: string): number {
    return this.#hash(parent ? parent.hash : rootHash(salt), tokens);
  }

  #lookUp(
    hash: number,
    parent: PrefixEntry | undefined,
    tokens: readonly number[],
    salt: string,
  ): PrefixEntry | undefined {
    return this.#entries
      .get(hash)
      ?.find(
        (entry) =>
          entry.parent === parent &&
          entry.salt === salt &&
          entry.tokens.every((token, i) => token === tokens[i]),
      );
  }

  #open(
    hash: number,
    parent: PrefixEntry | undefined,
    tokens: readonly number[],
    salt: string,
  ): PrefixEntry {
    const entry = { parent, hash, salt, tokens, blocks: new Set<number>(), numChildren: 0 };
    const bucket = this.#entries.get(hash);
    if (bucket) bucket.push(entry);
    else this.#entries.set(hash, [entry]);
    if (parent) parent.numChildren++;
    return entry;
  }

  /** An entry without blocks stays while another continues it: its block may be computed again. */
  #prune(from: PrefixEntry): void {
    let entry: PrefixEntry | undefined = from;
    while (entry && entry.blocks.size === 0 && entry.numChildren === 0) {
      const bucket = this.#entries.get(entry.hash)!;
      bucket.splice(bucket.indexOf(entry), 1);
      if (bucket.length === 0) this.#entries.delete(entry.hash);
      if (entry.parent) entry.parent.numChildren--;
      entry = entry.parent;
    }
  }
}
