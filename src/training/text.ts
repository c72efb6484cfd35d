/**
 * Text on its way to training: cut into documents, and their tokens packed one document after the
 * other, each closed by the tokenizer's end token. Where text comes from is in `src/corpus`.
 */
import { InputError } from "../core/errors.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import type { Tokens } from "./windows.ts";

/** What stands between the documents of a text file, as in the TinyStories files. */
export const documentEnd = "<|endoftext|>";

/** One text of which a part is kept for validation. */
export interface TrainingText {
  readonly train: Tokens;
  readonly validation: Tokens;
}

/** The documents of a text. Throws InputError, which calls the text `name`, where there are none. */
export function documentsOf(name: string, text: string): string[] {
  const documents = text
    .split(documentEnd)
    .map((document) => document.trim())
    .filter((document) => document !== "");
  if (documents.length > 0) return documents;
  throw new InputError(`${name} holds no text to train on.`);
}

/**
 * The tokens of documents, until they are used up or there are `mostTokens`. Throws InputError where
 * the tokenizer has no end token.
 */
export function packDocuments(
  documents: Iterable<string>,
  tokenizer: Tokenizer,
  mostTokens: number = Infinity,
): Tokens {
  const { eos } = tokenizer.vocabulary;
  if (eos === undefined) {
    throw new InputError(
      "The tokenizer names no end token, which closes every document: tokenizer.ggml.eos_token_id is needed.",
    );
  }
  const packed: Int32Array[] = [];
  let count = 0;
  for (const document of documents) {
    const tokens = tokenizer.encode(document);
    // Where one token ends a text and begins the next, as GPT-2's does, it stands there once.
    const begin = count > 0 && tokens[0] === eos ? 1 : 0;
    const end = tokens.length > 1 && tokens.at(-1) === eos ? tokens.length - 1 : tokens.length;
    packed.push(tokens.subarray(begin, end), Int32Array.of(eos));
    count += end - begin + 1;
    if (count >= mostTokens) break;
  }
  const all = new Int32Array(count);
  let offset = 0;
  for (const tokens of packed) {
    all.set(tokens, offset);
    offset += tokens.length;
  }
  return count > mostTokens ? all.slice(0, mostTokens) : all;
}

/** Keeps the last twentieth of `tokens` for validation. */
export function withHeldOutEnd(tokens: Tokens): TrainingText {
  const end = tokens.length - Math.floor(tokens.length / 20);
  return { train: tokens.subarray(0, end), validation: tokens.subarray(end) };
}
