/**
 * Our byte-level vocabularies as tokenizer.json, the file of Hugging Face's `tokenizers`, and the one
 * that ships in `datasets/tokenizer`. Reads the files that it writes, not those of other models.
 */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { InputError } from "../core/errors.ts";
import {
  type BytePairVocabulary,
  bytePairMetadata,
} from "../model/tokenizer/byte-pair-metadata.ts";
import { type Tokenizer, tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { fileSource } from "./files.ts";

/** The vocabulary that all our models share. */
export const storyTokenizerPath: string = join(
  import.meta.dirname,
  "../../datasets/tokenizer/tokenizer.json",
);

/** Digits one by one, then GPT-2's words: what llama.cpp calls "smollm". */
export const storyPreTokenizer = "smollm";

/** The end, and beginning, of a text; padding; and the marks of turns, for models that learn to chat. */
export const storySpecials: readonly string[] = [
  ...["<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"],
];

/** A vocabulary of ours has some thousand tokens; a file beyond this is none. */
const mostBytes = 16 * 2 ** 20;

const preTokenizer = {
  type: "Sequence",
  pretokenizers: [
    { type: "Digits", individual_digits: true },
    { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  ],
} as const;

const fileSchema = z.object({
  added_tokens: z.array(z.object({ id: z.number(), content: z.string(), special: z.boolean() })),
  pre_tokenizer: z.unknown(),
  model: z.object({
    type: z.literal("BPE"),
    vocab: z.record(z.string(), z.number()),
    merges: z.array(z.string()),
  }),
});

/**
 * The vocabulary in a tokenizer.json, by default the shipped one. Throws InputError where the file is
 * missing, damaged or not one that `tokenizerJson` wrote.
 */
export async function readTokenizerFile(
  path: string = storyTokenizerPath,
): Promise<BytePairVocabulary> {
  const source = await fileSource(path);
  await source.close();
  if (source.size > mostBytes) throw wrongFile(path, `it has ${source.size} bytes`);
  const { added_tokens, pre_tokenizer, model } = parse(path, await readFile(path, "utf8"));
  if (!isDeepStrictEqual(pre_tokenizer, preTokenizer)) {
    throw wrongFile(path, "its pre-tokenizer is another");
  }
  const entries = Object.entries(model.vocab).sort(([, a], [, b]) => a - b);
  if (entries.some(([, id], i) => id !== i)) throw wrongFile(path, "ids are missing or repeated");
  const tokens = entries.map(([token]) => token);
  if (added_tokens.some(({ id, content }, i) => id !== i || tokens[i] !== content)) {
    throw wrongFile(path, "its special tokens are not the first ones");
  }
  return {
    tokens,
    merges: model.merges,
    numSpecials: added_tokens.length,
    preTokenizer: storyPreTokenizer,
  };
}

/** The tokenizer of a tokenizer.json, by default the shipped one. Throws as `readTokenizerFile`. */
export async function loadTokenizer(path: string = storyTokenizerPath): Promise<Tokenizer> {
  return tokenizerFromGguf(bytePairMetadata(await readTokenizerFile(path)));
}

/** A vocabulary that uses `storyPreTokenizer` as the text of a tokenizer.json. */
export function tokenizerJson({ tokens, merges, numSpecials }: BytePairVocabulary): string {
  const specials = tokens.slice(0, numSpecials);
  const first = specials[0]!;
  const begin = { SpecialToken: { id: first, type_id: 0 } };
  const byteLevel = preTokenizer.pretokenizers[1];
  const file = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({
      ...{ id, content, single_word: false, lstrip: false, rstrip: false },
      ...{ normalized: false, special: true },
    })),
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: {
      type: "TemplateProcessing",
      single: [begin, { Sequence: { id: "A", type_id: 0 } }],
      pair: [begin, { Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { [first]: { id: first, ids: [0], tokens: [first] } },
    },
    decoder: byteLevel,
    model: {
      ...{ type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null },
      ...{ end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false },
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}

function parse(path: string, text: string): z.infer<typeof fileSchema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${basename(path)} is no JSON.`, { cause: error });
  }
  const parsed = fileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path: at, message } = parsed.error.issues[0]!;
  throw wrongFile(path, `at ${at.join(".") || "the top"}: ${message}`);
}

function wrongFile(path: string, found: string): InputError {
  return new InputError(
    `${basename(path)} is no vocabulary of ours: ${found}; give a tokenizer.json that infinity corpus tokenizer wrote.`,
  );
}
