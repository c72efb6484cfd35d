/**
 * Which format each tensor of a model gets: the choices of llama.cpp's quantiser for models without
 * experts, by its names. A recipe has one format for most tensors and more bits where they pay.
 */
import { dtypeLayouts } from "../../core/dtypes.ts";
import { UsageError } from "../../core/errors.ts";
import type { QuantizableDtype } from "./quantize.ts";

/** A format that a recipe gives to a tensor. */
export type RecipeDtype = QuantizableDtype | "F32";

/** What a recipe has to know about the model. */
export interface RecipeModel {
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  /** False where the token embeddings are the output matrix too. */
  readonly hasOutput: boolean;
}

/** Parts of a layer that some recipes treat apart. */
type Part = "attn_v" | "attn_output" | "attn_qkv" | "ffn_down";
type Choice = (layer: number, model: RecipeModel) => RecipeDtype | false;

/** What a recipe gives to which tensor. */
export interface Recipe {
  /** llama.cpp's number for `general.file_type`. */
  readonly fileType: number;
  readonly base: RecipeDtype;
  readonly parts?: Readonly<Partial<Record<Part, Choice>>>;
  /** Token embeddings, where they are not the output matrix. */
  readonly embeddings?: RecipeDtype;
}

const sixBitsWhereTheyPay: Choice = (layer, model) => needsMoreBits(layer, model) && "Q6_K";

const recipes: Readonly<Record<string, Recipe>> = {
  f32: { fileType: 0, base: "F32" },
  f16: { fileType: 1, base: "F16" },
  bf16: { fileType: 32, base: "BF16" },
  q4_0: { fileType: 2, base: "Q4_0" },
  q4_1: { fileType: 3, base: "Q4_1" },
  q8_0: { fileType: 7, base: "Q8_0" },
  q5_0: { fileType: 8, base: "Q5_0" },
  q5_1: { fileType: 9, base: "Q5_1" },
  q2_k: {
    fileType: 10,
    base: "Q2_K",
    parts: {
      attn_v: (_, model) => (sharedHeads(model) >= 4 ? "Q4_K" : "Q3_K"),
      attn_output: () => "Q3_K",
      ffn_down: () => "Q3_K",
    },
  },
  q3_k_s: { fileType: 11, base: "Q3_K" },
  q3_k_m: {
    fileType: 12,
    base: "Q3_K",
    parts: {
      attn_v: (layer) => (layer < 2 ? "Q5_K" : "Q4_K"),
      attn_output: () => "Q4_K",
      attn_qkv: () => "Q4_K",
      ffn_down: (layer, { numLayers }) => (layer < Math.floor(numLayers / 16) ? "Q5_K" : "Q4_K"),
    },
  },
  q3_k_l: {
    fileType: 13,
    base: "Q3_K",
    parts: {
      attn_v: () => "Q5_K",
      attn_output: () => "Q5_K",
      attn_qkv: () => "Q4_K",
      ffn_down: () => "Q5_K",
    },
  },
  q4_k_s: {
    fileType: 14,
    base: "Q4_K",
    parts: {
      attn_v: (layer) => layer < 4 && "Q5_K",
      ffn_down: (layer, model) => isEarly(layer, model) && "Q5_K",
    },
  },
  q4_k_m: {
    fileType: 15,
    base: "Q4_K",
    parts: {
      attn_v: sixBitsWhereTheyPay,
      attn_qkv: () => "Q5_K",
      ffn_down: sixBitsWhereTheyPay,
    },
  },
  q5_k_s: { fileType: 16, base: "Q5_K" },
  q5_k_m: {
    fileType: 17,
    base: "Q5_K",
    parts: {
      attn_v: sixBitsWhereTheyPay,
      attn_qkv: () => "Q6_K",
      ffn_down: sixBitsWhereTheyPay,
    },
  },
  q6_k: { fileType: 18, base: "Q6_K" },
  iq4_nl: {
    fileType: 25,
    base: "IQ4_NL",
    parts: {
      attn_v: (_, model) => sharedHeads(model) >= 4 && "Q5_K",
      ffn_down: (layer, model) => isEarly(layer, model) && "Q5_K",
    },
  },
  tq1_0: { fileType: 36, base: "TQ1_0", embeddings: "Q4_K" },
  tq2_0: { fileType: 37, base: "TQ2_0", embeddings: "Q4_K" },
};

const aliases: Readonly<Record<string, string>> = {
  q3_k: "q3_k_m",
  q4_k: "q4_k_m",
  q5_k: "q5_k_m",
};

/** The names that `recipeNamed` knows. */
export const recipeNames: readonly string[] = [...Object.keys(recipes), ...Object.keys(aliases)];

/** Tensors that stay as they are: small, or read element by element. */
const kept =
  /_norm\.weight$|ffn_gate_inp\.weight|altup|laurel|per_layer_model_proj|^position_embd\.weight$|^token_types\.weight$|ssm_conv1d\.weight|shortconv\.conv\.weight|time_mix_(first|[wvag]\d|decay_w\d|lerp_fused)\.weight|attn_rel_b\.weight/;

/** Where a row does not divide into blocks of 256: a format of 32 with about as many bits. */
const fallbacks: Readonly<Partial<Record<RecipeDtype, RecipeDtype>>> = {
  Q2_K: "IQ4_NL",
  Q3_K: "IQ4_NL",
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
  TQ1_0: "Q4_0",
  TQ2_0: "Q4_0",
};

/** The recipe called `name`, such as q8_0 or q4_k_m. Throws UsageError where there is none. */
export function recipeNamed(name: string): Recipe {
  const lower = name.toLowerCase();
  const recipe = recipes[aliases[lower] ?? lower];
  if (recipe) return recipe;
  throw new UsageError(`${name} is no format to convert to; choose ${recipeNames.join(", ")}.`);
}

/**
 * The format of the tensor called `name`, `shape` outermost dimension first; undefined where it keeps
 * the one that it has.
 */
export function recipeDtype(
  { base, parts, embeddings }: Recipe,
  name: string,
  shape: readonly number[],
  model: RecipeModel,
): RecipeDtype | undefined {
  const isMatrix = shape.slice(0, -1).some((dimension) => dimension > 1);
  if (!name.endsWith("weight") || !isMatrix || kept.test(name)) return undefined;
  if (base === "F32" || base === "F16" || base === "BF16") return base;
  const cols = shape.at(-1)!;
  const isEmbedding = name === "token_embd.weight";
  if (name === "output.weight" || (isEmbedding && !model.hasOutput)) {
    const divides = cols % dtypeLayouts[base].blockElements === 0;
    return fitting(divides && base !== "Q8_0" ? "Q6_K" : "Q8_0", cols);
  }
  if (isEmbedding) return fitting(embeddings ?? base, cols);
  const found = /^blk\.(\d+)\.(attn_v|attn_output|attn_qkv|ffn_down)\.weight$/.exec(name);
  const part = found?.[2] as Part | undefined;
  const choice = part && parts?.[part]?.(Number(found![1]), model);
  const dtype = choice === undefined || choice === false ? base : choice;
  return fitting(part === "attn_v" ? moreFor70B(dtype, model) : dtype, cols);
}

/** `dtype`, or what takes its place where a row of `cols` does not divide into its blocks. */
function fitting(dtype: RecipeDtype, cols: number): RecipeDtype {
  const divides = (each: RecipeDtype): boolean => cols % dtypeLayouts[each].blockElements === 0;
  if (divides(dtype)) return dtype;
  const fallback = fallbacks[dtype];
  return fallback && divides(fallback) ? fallback : "F16";
}

/** The first eighth of the layers, the last, and every third between. */
function needsMoreBits(layer: number, model: RecipeModel): boolean {
  const eighth = Math.floor(model.numLayers / 8);
  const last = layer >= Math.floor((7 * model.numLayers) / 8);
  return isEarly(layer, model) || last || (layer - eighth) % 3 === 2;
}

function isEarly(layer: number, { numLayers }: RecipeModel): boolean {
  return layer < Math.floor(numLayers / 8);
}

/** Query heads that share one key and value head. */
function sharedHeads({ numHeads, numKvHeads }: RecipeModel): number {
  return numHeads / numKvHeads;
}

/** Llama 2 and 3 of 70B have 80 layers and an attn_v an eighth as wide as attn_q: bits are cheap. */
function moreFor70B(dtype: RecipeDtype, model: RecipeModel): RecipeDtype {
  const is70B = model.numLayers === 80 && model.numHeads !== model.numKvHeads;
  return is70B && (dtype === "Q3_K" || dtype === "Q4_K") ? "Q5_K" : dtype;
}
