/**
 * Trains byte-level BPE (Sennrich et al. 2016, on the bytes of GPT-2): words are cut into bytes, and
 * the most frequent pair of neighbours becomes a token, again and again. Ties go to the pair whose
 * left token is older, then to the one whose right token is. With the counting rules of Hugging
 * Face's `tokenizers`, so that the same text gives the same merges. Encoding is ../model/tokenizer's.
 */
import { InputError, UsageError } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import { byteCharacters } from "../model/tokenizer/byte-level.ts";
import type { BytePairVocabulary } from "../model/tokenizer/byte-pair-metadata.ts";
import { preTokenizerNamed } from "../model/tokenizer/pre-tokenizer.ts";
import { PairQueue, tokenRange, type QueuedPair } from "./pair-queue.ts";

/** What to train. */
export interface BpeOptions {
  /** Special tokens, bytes and merged tokens together. */
  readonly vocabSize: number;
  /** Tokens of no text; they get the first numbers. */
  readonly specials: readonly string[];
  /** How texts are cut into words, by llama.cpp's name. */
  readonly preTokenizer: string;
  readonly progress?: Progress;
}

/** How often each word occurs in the texts, cut as `preTokenizer` says. */
export function countWords(texts: Iterable<string>, preTokenizer: string): Map<string, number> {
  const { split } = preTokenizerNamed(preTokenizer);
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of split(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/**
 * Learns a vocabulary from texts. Throws UsageError for a vocabulary that cannot hold the specials
 * and the 256 bytes or for specials that are taken, InputError where the texts are empty or too few
 * for so many tokens.
 */
export function trainBpe(texts: Iterable<string>, options: BpeOptions): BytePairVocabulary {
  const { vocabSize, specials, preTokenizer, progress = silent } = options;
  const tokens = [...specials, ...byteCharacters.toSorted()];
  checkSizes(tokens, specials, vocabSize);
  const words = new WordTable(countWords(texts, preTokenizer), specials.length);
  if (words.numWords === 0) {
    throw new InputError("The text is empty: a tokenizer needs text to learn from.");
  }
  const merges: string[] = [];
  while (tokens.length < vocabSize) {
    const pair = words.mostFrequent();
    if (!pair) throw tooLittleText(tokens.length, vocabSize);
    const left = tokens[leftOf(pair.key)]!;
    const right = tokens[rightOf(pair.key)]!;
    // Every piece of text is merged in the same way wherever it stands, so no token forms twice.
    if (specials.includes(left + right)) throw takenBySpecial(left + right);
    merges.push(`${left} ${right}`);
    words.merge(pair, tokens.push(left + right) - 1);
    progress.update(tokens.length, vocabSize, left + right);
  }
  progress.finish();
  return { tokens, merges, numSpecials: specials.length, preTokenizer };
}

const utf8 = new TextEncoder();

/** The words as tokens, with the counts of their pairs kept up to date. */
class WordTable {
  readonly #words: number[][];
  readonly #counts: readonly number[];
  /** By key. What a merged pair's count is does not matter any more. */
  readonly #pairCounts = new Map<number, number>();
  readonly #queue = new PairQueue();

  /** `firstByte` is the token of the first character of the byte alphabet, in code point order. */
  constructor(words: ReadonlyMap<string, number>, firstByte: number) {
    const alphabet = byteCharacters.toSorted();
    const tokenOfByte = byteCharacters.map((character) => firstByte + alphabet.indexOf(character));
    this.#words = Array.from(words.keys(), (word) =>
      Array.from(utf8.encode(word), (byte) => tokenOfByte[byte]!),
    );
    this.#counts = [...words.values()];
    const found = new Map<number, Set<number>>();
    for (const [i, word] of this.#words.entries()) {
      for (let at = 1; at < word.length; at++) this.#count(word[at - 1]!, word[at]!, i, 1, found);
    }
    this.#enqueue(found);
  }

  get numWords(): number {
    return this.#words.length;
  }

  /** The pair to merge next; undefined where no two tokens are neighbours any more. */
  mostFrequent(): QueuedPair | undefined {
    for (;;) {
      const pair = this.#queue.pop();
      if (!pair) return undefined;
      const count = this.#pairCounts.get(pair.key)!;
      if (count === pair.count) return count > 0 ? pair : undefined;
      this.#queue.push({ ...pair, count });
    }
  }

  /** Puts `id` in the place of a pair in all words where it was when it was queued. */
  merge(pair: QueuedPair, id: number): void {
    const found = new Map<number, Set<number>>();
    for (const i of pair.words) this.#mergeWord(i, pair.key, id, found);
    this.#enqueue(found);
  }

  #mergeWord(i: number, key: number, id: number, found: Map<number, Set<number>>): void {
    const word = this.#words[i]!;
    const [left, right] = [leftOf(key), rightOf(key)];
    for (let at = 0; at + 1 < word.length; at++) {
      if (word[at] !== left || word[at + 1] !== right) continue;
      const before = word[at - 1];
      const after = word[at + 2];
      word.splice(at, 2, id);
      if (before !== undefined) {
        this.#count(before, left, i, -1, found);
        this.#count(before, id, i, 1, found);
      }
      if (after !== undefined) {
        this.#count(right, after, i, -1, found);
        this.#count(id, after, i, 1, found);
      }
    }
  }

  #count(
    left: number,
    right: number,
    word: number,
    change: 1 | -1,
    found: Map<number, Set<number>>,
  ): void {
    const key = left * tokenRange + right;
    this.#pairCounts.set(key, (this.#pairCounts.get(key) ?? 0) + change * this.#counts[word]!);
    if (change < 0) return;
    const words = found.get(key);
    if (words) words.add(word);
    else found.set(key, new Set([word]));
  }

  #enqueue(found: ReadonlyMap<number, ReadonlySet<number>>): void {
    for (const [key, words] of found) {
      const count = this.#pairCounts.get(key)!;
      if (count > 0) this.#queue.push({ key, count, words });
    }
  }
}

function leftOf(key: number): number {
  return Math.floor(key / tokenRange);
}

function rightOf(key: number): number {
  return key % tokenRange;
}

function checkSizes(
  tokens: readonly string[],
  specials: readonly string[],
  vocabSize: number,
): void {
  if (!Number.isInteger(vocabSize) || vocabSize < tokens.length || vocabSize > tokenRange) {
    throw new UsageError(
      `A vocabulary of ${vocabSize} tokens is not possible: 256 bytes and ${specials.length} special tokens need ${tokens.length} or more, and at most ${tokenRange} are possible.`,
    );
  }
  if (new Set(tokens).size === tokens.length && !specials.includes("")) return;
  throw new UsageError(
    `The special tokens ${JSON.stringify(specials)} cannot be used: each needs a text of its own, longer than one character.`,
  );
}

function takenBySpecial(token: string): InputError {
  return new InputError(
    `The text often has ${JSON.stringify(token)} as an ordinary word, and it is a special token: give the special token another name.`,
  );
}

function tooLittleText(found: number, needed: number): InputError {
  return new InputError(
    `The text has only ${found} tokens to offer, and ${needed} are wanted: give more text or ask for fewer.`,
  );
}
