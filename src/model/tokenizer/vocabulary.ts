/**
 * A vocabulary as a GGUF file's metadata gives it: the tokens, what each of them is, and which ones
 * begin and end a text. Says nothing about how text is cut into tokens.
 */
import { InputError } from "../../core/errors.ts";
import { quoted } from "../../formats/byte-source.ts";
import type { GgufValue } from "../../formats/gguf/metadata.ts";

/** The key-value pairs of a GGUF file. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** What a token is: its number in `tokenizer.ggml.token_type` is its place in this list. */
const tokenTypes = [
  "undefined",
  "normal",
  "unknown",
  "control",
  "userDefined",
  "unused",
  "byte",
] as const;

/** Control tokens steer a model and are no text; user-defined ones are text that is never split. */
export type TokenType = (typeof tokenTypes)[number];

/** The tokens of a model; ids are places in `texts` and `types`. */
export interface Vocabulary {
  readonly texts: readonly string[];
  readonly types: readonly TokenType[];
  /** SentencePiece only: the higher, the earlier a token is merged. */
  readonly scores: Float32Array | undefined;
  /** Every token by its text. */
  readonly ids: ReadonlyMap<string, number>;
  /** The tokens that ordinary text may become: without control, unknown and byte tokens. */
  readonly textIds: ReadonlyMap<string, number>;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
  /** Tokens after which a model has finished its answer. */
  readonly endOfGeneration: ReadonlySet<number>;
}

/** What a family of tokenizers assumes where the file does not say. */
export interface SpecialTokenDefaults {
  readonly bos?: number;
  readonly eos?: number;
  readonly unknown?: number;
}

/** Files name one end token, and chat models end their turns with another, known by its text. */
const endOfTurnTexts = [
  ...["<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<EOT>", "[EOT]"],
  ...["<|endoftext|>", "<|end_of_text|>", "<end_of_utterance>", "<｜end▁of▁sentence｜>", "</s>"],
];

/**
 * Reads `tokenizer.ggml.*` of a GGUF file. Throws InputError where the tokens are missing, repeated
 * or not as many as their types or scores.
 */
export function vocabularyFromGguf(
  metadata: GgufMetadata,
  defaults: SpecialTokenDefaults,
): Vocabulary {
  const texts = stringsAt(metadata, "tokenizer.ggml.tokens").map(
    (text, id) => text || `[EMPTY_${id}]`,
  );
  const ids = idsOf(texts);
  const types = typesAt(metadata, texts.length);
  const named = (name: string, otherwise?: number): number | undefined =>
    tokenIdAt(metadata, `tokenizer.ggml.${name}_token_id`, texts.length) ??
    (otherwise === undefined || otherwise < texts.length ? otherwise : undefined);
  const eos = named("eos", defaults.eos);
  const ends = endOfTurnTexts.map((text) => ids.get(text)).filter((id) => id !== undefined);
  // llama.cpp does the same: some conversions call these tokens ordinary text.
  for (const id of ends) types[id] = "control";
  const isText = (id: number): boolean => !["control", "unknown", "byte"].includes(types[id]!);
  return {
    texts,
    types,
    ids,
    scores: scoresAt(metadata, texts.length),
    textIds: new Map([...ids].filter(([, id]) => isText(id))),
    bos: named("bos", defaults.bos),
    eos,
    unknown: named("unknown", defaults.unknown),
    endOfGeneration: new Set(
      [eos, named("eot"), named("eom"), ...ends].filter((id) => id !== undefined),
    ),
  };
}

/** The text at `key`; undefined where there is none. Throws InputError for another type. */
export function stringAt(metadata: GgufMetadata, key: string): string | undefined {
  const stored = metadata.get(key);
  if (stored === undefined || stored.type === "string") return stored?.value;
  throw wrongType(key, stored, "a string");
}

/** The truth value at `key`; undefined where there is none. Throws InputError for another type. */
export function flagAt(metadata: GgufMetadata, key: string): boolean | undefined {
  const stored = metadata.get(key);
  if (stored === undefined || stored.type === "bool") return stored?.value;
  throw wrongType(key, stored, "a truth value");
}

/** The strings at `key`. Throws InputError where there are none. */
export function stringsAt(metadata: GgufMetadata, key: string): readonly string[] {
  const stored = metadata.get(key);
  if (stored?.type === "array" && stored.itemType === "string" && stored.items.length > 0) {
    return stored.items;
  }
  if (stored !== undefined) throw wrongType(key, stored, "an array of strings");
  throw new InputError(
    `The model file has no tokenizer: its metadata has no ${key}; convert the model with its tokenizer.`,
  );
}

/** Ids beyond the vocabulary are how converters say "none" (4294967295), and count as absent. */
function tokenIdAt(metadata: GgufMetadata, key: string, size: number): number | undefined {
  const stored = metadata.get(key);
  if (stored === undefined) return undefined;
  if (stored.type === "array" || typeof stored.value !== "number") {
    throw wrongType(key, stored, "a token's number");
  }
  const isToken = Number.isInteger(stored.value) && stored.value >= 0 && stored.value < size;
  return isToken ? stored.value : undefined;
}

function idsOf(texts: readonly string[]): Map<string, number> {
  const ids = new Map<string, number>();
  for (const [id, text] of texts.entries()) {
    const earlier = ids.get(text);
    if (earlier !== undefined) {
      throw new InputError(
        `The vocabulary is damaged: tokens ${earlier} and ${id} are both ${quoted(text)}.`,
      );
    }
    ids.set(text, id);
  }
  return ids;
}

function typesAt(metadata: GgufMetadata, size: number): TokenType[] {
  const key = "tokenizer.ggml.token_type";
  const stored = metadata.get(key);
  if (stored === undefined) return new Array<TokenType>(size).fill("normal");
  if (stored.type !== "array" || (stored.itemType !== "i32" && stored.itemType !== "u32")) {
    throw wrongType(key, stored, "an array of 32-bit integers");
  }
  checkCount(key, stored.items.length, size);
  return Array.from(stored.items, (type) => tokenTypes[type] ?? "undefined");
}

function scoresAt(metadata: GgufMetadata, size: number): Float32Array | undefined {
  const key = "tokenizer.ggml.scores";
  const stored = metadata.get(key);
  if (stored === undefined) return undefined;
  if (stored.type !== "array" || stored.itemType !== "f32") {
    throw wrongType(key, stored, "an array of 32-bit floats");
  }
  checkCount(key, stored.items.length, size);
  if (stored.items.some(Number.isNaN)) {
    throw new InputError(`The vocabulary is damaged: ${key} holds a value that is no number.`);
  }
  return stored.items;
}

function checkCount(key: string, found: number, needed: number): void {
  if (found === needed) return;
  throw new InputError(
    `The vocabulary is damaged: ${key} has ${found} values for ${needed} tokens.`,
  );
}

function wrongType(key: string, stored: GgufValue, needed: string): InputError {
  const found = stored.type === "array" ? `an array of ${stored.itemType}` : stored.type;
  return new InputError(`The metadata ${key} must be ${needed}, and it is ${found}.`);
}
