/**
 * Text to tokens and back, for the two families of the Llama world: SentencePiece and byte-level BPE.
 * Built from a GGUF file's metadata alone, and meant to give llama.cpp's tokens for every text. Does
 * not know chats: see ../chat-template.ts.
 */
import { InputError } from "../../core/errors.ts";
import { quoted } from "../../formats/byte-source.ts";
import { bytesOfCharacters } from "./byte-level.ts";
import { BytePair } from "./byte-pair.ts";
import { preTokenizerNamed } from "./pre-tokenizer.ts";
import { SentencePiece, spaceMark } from "./sentencepiece.ts";
import { SpecialTokens } from "./special-tokens.ts";
import { TokenStream, type DecodeOptions } from "./token-stream.ts";
import { flagAt, stringAt, stringsAt, vocabularyFromGguf } from "./vocabulary.ts";
import type { GgufMetadata, Vocabulary } from "./vocabulary.ts";

/** How `encode` treats special tokens. */
export interface EncodeOptions {
  /** Put the begin and end tokens around the text, as the model file asks; true if not given. */
  readonly addSpecial?: boolean;
  /**
   * Read the text of a control token, such as "<|im_end|>", as that token; false if not given. Only
   * for text that is trusted: a user's message could end its own turn.
   */
  readonly parseSpecial?: boolean;
}

/** What a family of tokenizers does to text without special tokens. */
interface Family {
  readonly encode: (text: string, output: number[]) => void;
  readonly bytesOfText: (text: string) => Uint8Array;
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** A text begins with a space that is not its own, and so does text after a special token. */
  readonly addSpacePrefix: boolean;
}

/** The tokenizer of a model. */
export class Tokenizer {
  readonly vocabulary: Vocabulary;
  readonly #family: Family;
  readonly #specials: SpecialTokens;

  /** For `tokenizerFromGguf`. Throws InputError where a begin or end token is asked for and unnamed. */
  constructor(vocabulary: Vocabulary, family: Family) {
    for (const [isAdded, name, id] of [
      [family.addBos, "bos", vocabulary.bos],
      [family.addEos, "eos", vocabulary.eos],
    ] as const) {
      if (!isAdded || id !== undefined) continue;
      throw new InputError(
        `The vocabulary asks for ${name} tokens and names none: tokenizer.ggml.${name}_token_id is needed.`,
      );
    }
    this.vocabulary = vocabulary;
    this.#family = family;
    this.#specials = new SpecialTokens(vocabulary);
  }

  /** Whether an encoded text begins with a space that is not its own. */
  get addsSpacePrefix(): boolean {
    return this.#family.addSpacePrefix;
  }

  /** The tokens of `text`; lone surrogates count as U+FFFD. */
  encode(text: string, options: EncodeOptions = {}): Int32Array<ArrayBuffer> {
    const { addSpecial = true, parseSpecial = false } = options;
    const { addBos, addEos, addSpacePrefix, encode } = this.#family;
    const output: number[] = [];
    if (addSpecial && addBos) output.push(this.vocabulary.bos!);
    let followsText = false;
    for (const fragment of this.#specials.partition(wellFormed(text), parseSpecial)) {
      if (typeof fragment === "number") output.push(fragment);
      else encode(addSpacePrefix && !followsText ? ` ${fragment}` : fragment, output);
      followsText = typeof fragment === "string";
    }
    if (addSpecial && addEos) output.push(this.vocabulary.eos!);
    return Int32Array.from(output);
  }

  /** The text of tokens; bytes that are no UTF-8 become U+FFFD. Throws InputError for an unknown id. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const stream = new TokenStream(this, options);
    const parts = Array.from(ids, (id) => stream.push(id));
    return parts.join("") + stream.flush();
  }

  /**
   * The bytes that a token stands for: of control tokens their name, of others their text, which may
   * begin or end inside a character. Throws InputError for an unknown id.
   */
  pieceOf(id: number): Uint8Array {
    const { texts, types } = this.vocabulary;
    const text = texts[id];
    const type = types[id];
    if (text === undefined || type === undefined) {
      throw new InputError(`${id} is no token: the vocabulary has ${texts.length}, from 0 on.`);
    }
    switch (type) {
      case "normal":
        return this.#family.bytesOfText(text);
      case "byte":
        return Uint8Array.of(Number.parseInt(text.slice(3, 5), 16));
      case "unknown":
      case "control":
      case "userDefined":
        return utf8.encode(text);
      case "undefined":
      case "unused":
        return new Uint8Array();
    }
    return type satisfies never;
  }
}

/**
 * The tokenizer that a GGUF file describes. Throws InputError where `tokenizer.ggml.model` or
 * `tokenizer.ggml.pre` names one that is not supported, or where the vocabulary is damaged.
 */
export function tokenizerFromGguf(metadata: GgufMetadata): Tokenizer {
  const model = stringAt(metadata, "tokenizer.ggml.model");
  if (model === "llama") return sentencePieceTokenizer(metadata);
  if (model === "gpt2") return bytePairTokenizer(metadata);
  throw new InputError(
    model === undefined
      ? "The model file has no tokenizer: its metadata has no tokenizer.ggml.model; convert the model with its tokenizer."
      : `The tokenizer model ${quoted(model)} is not supported; "llama" (SentencePiece) and "gpt2" (byte-level BPE) are.`,
  );
}

function sentencePieceTokenizer(metadata: GgufMetadata): Tokenizer {
  const vocabulary = vocabularyFromGguf(metadata, { bos: 1, eos: 2, unknown: 0 });
  const model = new SentencePiece(vocabulary);
  return new Tokenizer(vocabulary, {
    encode: (text, output) => {
      model.encode(text, output);
    },
    bytesOfText: (text) => utf8.encode(text.replaceAll(spaceMark, " ")),
    ...additions(metadata, true),
    addSpacePrefix: flagAt(metadata, "tokenizer.ggml.add_space_prefix") ?? true,
  });
}

/** Files without a pre-tokenizer are older than the key; llama.cpp reads them by its "default". */
function bytePairTokenizer(metadata: GgufMetadata): Tokenizer {
  const vocabulary = vocabularyFromGguf(metadata, {});
  const preTokenizer = preTokenizerNamed(stringAt(metadata, "tokenizer.ggml.pre") ?? "default");
  const merges = stringsAt(metadata, "tokenizer.ggml.merges");
  const model = new BytePair(vocabulary, merges, preTokenizer);
  return new Tokenizer(vocabulary, {
    encode: (text, output) => {
      model.encode(text, output);
    },
    bytesOfText: (text) => bytesOfCharacters(text) ?? utf8.encode(text),
    ...additions(metadata, preTokenizer.addsBos),
    addSpacePrefix: false,
  });
}

function additions(
  metadata: GgufMetadata,
  addsBos: boolean,
): { readonly addBos: boolean; readonly addEos: boolean } {
  return {
    addBos: flagAt(metadata, "tokenizer.ggml.add_bos_token") ?? addsBos,
    addEos: flagAt(metadata, "tokenizer.ggml.add_eos_token") ?? false,
  };
}

const utf8 = new TextEncoder();

/** A lone surrogate is no character and has no UTF-8; every encoder writes U+FFFD for it. */
function wellFormed(text: string): string {
  return text.replaceAll(/\p{Surrogate}/gu, "\ufffd");
}
