/**
 * SentencePiece's BPE as Llama 1 and 2 use it (tokenizer model "llama"): characters are joined as
 * long as the result is a token, tokens of the highest score first; a character that is no token
 * becomes its UTF-8 bytes. Normalises nothing but spaces.
 */
import { InputError } from "../../core/errors.ts";
import { MergeQueue, maxRank } from "./merge-queue.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** What stands for a space in a token's text: "▁", the lower one eighth block. */
export const spaceMark = "\u2581";

/** Encodes text, cut at special tokens before, into the tokens of a SentencePiece vocabulary. */
export class SentencePiece {
  readonly #textIds: ReadonlyMap<string, number>;
  readonly #byteIds: readonly (number | undefined)[];
  readonly #unknown: number | undefined;
  /** By token: 0 for the highest score, equal scores equal. */
  readonly #ranks: Int32Array;
  readonly #maxLength: number;
  readonly #queue = new MergeQueue();

  /** Throws InputError for a vocabulary without scores. */
  constructor(vocabulary: Vocabulary) {
    const { textIds, ids, scores, unknown } = vocabulary;
    if (!scores || scores.length > maxRank) {
      throw new InputError(
        `A SentencePiece vocabulary needs tokenizer.ggml.scores for at most ${maxRank} tokens, and this file has ${scores?.length ?? "none"}.`,
      );
    }
    this.#textIds = textIds;
    this.#unknown = unknown;
    this.#ranks = ranksOf(scores);
    this.#maxLength = [...textIds.keys()].reduce((most, text) => Math.max(most, text.length), 0);
    this.#byteIds = Array.from({ length: 256 }, (_, byte) =>
      ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
    );
  }

  /** Appends the tokens of `text`, which holds no lone surrogates, to `output`. */
  encode(text: string, output: number[]): void {
    const marked = text.replaceAll(" ", spaceMark);
    const starts = characterStarts(marked);
    const between = (start: number, end: number): string =>
      marked.slice(starts[start], starts[end]);
    const rank = (left: number, _middle: number, end: number): number => {
      if (starts[end]! - starts[left]! > this.#maxLength) return -1;
      const id = this.#textIds.get(between(left, end));
      return id === undefined ? -1 : this.#ranks[id]!;
    };
    this.#queue.merge(starts.length - 1, { rank, join: () => undefined }, (start, end) => {
      const symbol = between(start, end);
      const id = this.#textIds.get(symbol);
      if (id === undefined) this.#appendBytes(symbol, output);
      else output.push(id);
    });
  }

  /** A vocabulary without byte tokens says "unknown" instead, as SentencePiece does. */
  #appendBytes(character: string, output: number[]): void {
    const ids = Array.from(utf8.encode(character), (byte) => this.#byteIds[byte]);
    if (ids.every((id) => id !== undefined)) {
      output.push(...ids);
    } else if (this.#unknown !== undefined) {
      output.push(this.#unknown);
    } else {
      throw new InputError(
        `The text cannot be encoded: the vocabulary has no token for ${JSON.stringify(character)}, no byte tokens and no unknown token.`,
      );
    }
  }
}

const utf8 = new TextEncoder();

/** Where the characters of `text` begin, and last where it ends. */
function characterStarts(text: string): Int32Array {
  const starts = new Int32Array(text.length + 1);
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    starts[count++] = at;
    if (text.codePointAt(at)! > 0xffff) at++;
  }
  starts[count] = text.length;
  return starts.subarray(0, count + 1);
}

function ranksOf(scores: Float32Array): Int32Array {
  const descending = [...new Set(scores)].sort((a, b) => b - a);
  const rankOfScore = new Map(descending.map((score, rank) => [score, rank]));
  return Int32Array.from(scores, (score) => rankOfScore.get(score)!);
}
