/**
 * A byte-level vocabulary as GGUF metadata, so that a model file brings its tokenizer along and both
 * `tokenizerFromGguf` and llama.cpp read it. The other direction is tokenizer.ts.
 */
import type { GgufValue } from "../../formats/gguf/metadata.ts";

/** A byte-level BPE vocabulary; a token's id is its place. */
export interface BytePairVocabulary {
  /** Special tokens by name, then bytes and merged tokens in the alphabet of byte-level.ts. */
  readonly tokens: readonly string[];
  /** Pairs with a space between, the earliest first. */
  readonly merges: readonly string[];
  /** So many of the first tokens are special: the first ends and begins texts, the second pads. */
  readonly numSpecials: number;
  /** llama.cpp's name of how texts are cut into words. */
  readonly preTokenizer: string;
}

/** Numbers of `tokenizer.ggml.token_type`. */
const normal = 1;
const control = 3;

/** The entries `tokenizer.ggml.*` of a model file that uses `vocabulary`; texts begin with token 0. */
export function bytePairMetadata(vocabulary: BytePairVocabulary): Map<string, GgufValue> {
  const { tokens, merges, numSpecials, preTokenizer } = vocabulary;
  const types = Int32Array.from(tokens, (_, id) => (id < numSpecials ? control : normal));
  const entries: Readonly<Record<string, GgufValue>> = {
    model: { type: "string", value: "gpt2" },
    pre: { type: "string", value: preTokenizer },
    tokens: { type: "array", itemType: "string", items: tokens },
    token_type: { type: "array", itemType: "i32", items: types },
    merges: { type: "array", itemType: "string", items: merges },
    bos_token_id: { type: "u32", value: 0 },
    eos_token_id: { type: "u32", value: 0 },
    padding_token_id: { type: "u32", value: 1 },
    add_bos_token: { type: "bool", value: true },
    add_eos_token: { type: "bool", value: false },
  };
  return new Map(
    Object.entries(entries).map(([key, value]) => [`tokenizer.ggml.${key}`, value] as const),
  );
}
