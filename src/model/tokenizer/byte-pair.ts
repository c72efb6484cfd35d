/**
 * Byte-level BPE (tokenizer model "gpt2"): the pre-tokenizer cuts the text into words, and in each
 * word neighbouring bytes are merged in the order of the merge list. Sees no special tokens.
 */
import { InputError } from "../../core/errors.ts";
import { byteCharacters } from "./byte-level.ts";
import { MergeQueue, maxRank } from "./merge-queue.ts";
import type { Vocabulary } from "./vocabulary.ts";
import type { PreTokenizer } from "./pre-tokenizer.ts";

/** Text repeats its words: those up to this length are remembered, this many at a time. */
const maxCachedLength = 32;
const maxCachedWords = 2 ** 14;

/** Encodes text, cut at special tokens before, into the tokens of a byte-level vocabulary. */
export class BytePair {
  readonly #textIds: ReadonlyMap<string, number>;
  readonly #preTokenizer: PreTokenizer;
  readonly #merges: MergeTable;
  readonly #queue = new MergeQueue();
  readonly #words = new Map<string, readonly number[]>();

  /** `merges` are pairs with a space between, the earliest first. Throws InputError for too many. */
  constructor(vocabulary: Vocabulary, merges: readonly string[], preTokenizer: PreTokenizer) {
    this.#textIds = vocabulary.textIds;
    this.#preTokenizer = preTokenizer;
    this.#merges = new MergeTable(vocabulary.textIds, merges);
  }

  /** Appends the tokens of `text`, which holds no lone surrogates, to `output`. */
  encode(text: string, output: number[]): void {
    for (const word of this.#preTokenizer.split(text)) {
      for (const id of this.#remembered(word)) output.push(id);
    }
  }

  #remembered(word: string): readonly number[] {
    if (word.length > maxCachedLength) return this.#encodeWord(word);
    const known = this.#words.get(word);
    if (known) return known;
    const ids = this.#encodeWord(word);
    if (this.#words.size >= maxCachedWords) this.#words.clear();
    this.#words.set(word, ids);
    return ids;
  }

  #encodeWord(word: string): readonly number[] {
    const bytes = utf8.encode(word);
    if (this.#preTokenizer.ignoresMerges) {
      const whole = this.#textIds.get(Array.from(bytes, (byte) => byteCharacters[byte]).join(""));
      if (whole !== undefined) return [whole];
    }
    const table = this.#merges;
    const symbols = Int32Array.from(bytes, (byte) => table.byteSymbols[byte]!);
    const rule = {
      rank: (left: number, middle: number): number => table.find(symbols[left]!, symbols[middle]!),
      join: (left: number, middle: number): void => {
        symbols[left] = table.joined[table.find(symbols[left]!, symbols[middle]!)]!;
      },
    };
    const ids: number[] = [];
    this.#queue.merge(bytes.length, rule, (start, end) => {
      const id = table.tokens[symbols[start]!]!;
      if (id >= 0) ids.push(id);
      else this.#appendBytes(bytes.subarray(start, end), ids);
    });
    return ids;
  }

  /** A merge that yields no token leaves its bytes. Bytes without a token vanish, as in llama.cpp. */
  #appendBytes(bytes: Uint8Array, ids: number[]): void {
    for (const byte of bytes) {
      const id = this.#textIds.get(byteCharacters[byte]!);
      if (id !== undefined) ids.push(id);
    }
  }
}

const utf8 = new TextEncoder();

/** The merge list as a hash table from two symbols to their rank. Texts are numbered as symbols. */
class MergeTable {
  /** By rank: the symbol that the pair becomes. */
  readonly joined: Int32Array;
  /** By symbol: its token, or −1. */
  readonly tokens: readonly number[];
  readonly byteSymbols: Int32Array;
  readonly #lefts: Int32Array;
  readonly #rights: Int32Array;
  /** Ranks, or −1; at most half full, its length a power of two. */
  readonly #slots: Int32Array;

  constructor(textIds: ReadonlyMap<string, number>, merges: readonly string[]) {
    if (merges.length > maxRank) {
      throw new InputError(
        `The vocabulary has ${merges.length} merges, and at most ${maxRank} are read.`,
      );
    }
    const tokens: number[] = [];
    const symbols = new Map<string, number>();
    const symbolOf = (text: string): number => {
      const known = symbols.get(text);
      if (known !== undefined) return known;
      symbols.set(text, tokens.length);
      return tokens.push(textIds.get(text) ?? -1) - 1;
    };
    this.byteSymbols = Int32Array.from(byteCharacters, symbolOf);
    this.#lefts = new Int32Array(merges.length);
    this.#rights = new Int32Array(merges.length);
    this.joined = new Int32Array(merges.length);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * merges.length + 2))).fill(-1);
    for (const [rank, merge] of merges.entries()) {
      const [left, right] = parts(merge, rank);
      this.#lefts[rank] = symbolOf(left);
      this.#rights[rank] = symbolOf(right);
      this.joined[rank] = symbolOf(left + right);
      this.#insert(rank);
    }
    this.tokens = tokens;
  }

  /** The rank of joining two symbols; −1 where they are not joined. */
  find(left: number, right: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash(left, right) & mask; ; slot = (slot + 1) & mask) {
      const rank = this.#slots[slot]!;
      if (rank < 0 || (this.#lefts[rank] === left && this.#rights[rank] === right)) return rank;
    }
  }

  /** Of equal merges the first counts. */
  #insert(rank: number): void {
    const mask = this.#slots.length - 1;
    const left = this.#lefts[rank]!;
    const right = this.#rights[rank]!;
    if (this.find(left, right) >= 0) return;
    let slot = hash(left, right) & mask;
    while (this.#slots[slot]! >= 0) slot = (slot + 1) & mask;
    this.#slots[slot] = rank;
  }
}

/** Odd 32-bit multipliers from the golden ratio and from √2 spread the pairs over the table. */
function hash(left: number, right: number): number {
  const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x6a09e667);
  return mixed ^ (mixed >>> 15);
}

function parts(merge: string, rank: number): readonly [string, string] {
  // A left part may itself begin with a space, so the first character is not looked at.
  const space = merge.indexOf(" ", 1);
  if (space < 0) {
    throw new InputError(
      `The vocabulary is damaged: merge ${rank} is ${JSON.stringify(merge.slice(0, 80))}, and two texts with a space between are needed.`,
    );
  }
  return [merge.slice(0, space), merge.slice(space + 1)];
}
