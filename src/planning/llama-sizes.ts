/**
 * The published Llama models by the sizes in Meta's configurations, and what follows from those: the
 * shapes of all tensors and the bytes of a token's keys and values. Numbers only, no weights.
 */
import type { Dtype } from "../core/dtypes.ts";
import { bytesOfShape, numElements } from "../core/dtypes.ts";
import { UsageError } from "../core/errors.ts";
import { recipeDtype, recipeNamed, type RecipeModel } from "../quant/blocks/recipe.ts";

/** The sizes of a Llama model. */
export interface LlamaSizes {
  readonly numLayers: number;
  readonly dim: number;
  readonly hiddenDim: number;
  readonly numHeads: number;
  /** Heads of keys and values; fewer than `numHeads` with grouped-query attention (GQA). */
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly numTokens: number;
  readonly contextLength: number;
}

/** By the name that the command line knows. */
export const llamaModels: Readonly<Record<string, LlamaSizes>> = {
  "llama-2-7b": llama2(32, 4096, 11_008, 32, 32),
  "llama-2-13b": llama2(40, 5120, 13_824, 40, 40),
  "llama-2-70b": llama2(80, 8192, 28_672, 64, 8),
  "llama-3-8b": llama3(32, 4096, 14_336, 32),
  "llama-3-70b": llama3(80, 8192, 28_672, 64),
};

/** A model in the format its weights are stored in. */
export interface StoredModel {
  readonly name: string;
  readonly sizes: LlamaSizes;
  readonly numWeights: number;
  readonly weightBytes: number;
}

/**
 * A model by name and format, such as llama-3-8b-q4_k_m; q4 is short for q4_k_m, and without a format
 * it is f16. Throws UsageError for one that is not known.
 */
export function storedModelNamed(text: string): StoredModel {
  const wanted = text.toLowerCase();
  const name = Object.keys(llamaModels).find(
    (known) => wanted === known || wanted.startsWith(`${known}-`),
  );
  if (!name) {
    throw new UsageError(
      `${text} is no model whose sizes are known; choose ${Object.keys(llamaModels).join(", ")}, with a format behind it, such as llama-3-8b-q4.`,
    );
  }
  const format = wanted.slice(name.length + 1) || "f16";
  const sizes = llamaModels[name]!;
  const { numWeights, weightBytes } = weightsOf(sizes, format === "q4" ? "q4_k_m" : format);
  return { name: wanted, sizes, numWeights, weightBytes };
}

/** The bytes of the keys and values of one token: two rows of every head, in every layer. */
export function kvBytesPerToken(
  { numLayers, numKvHeads, headDim }: Pick<LlamaSizes, "numLayers" | "numKvHeads" | "headDim">,
  dtype: Dtype = "F16",
): number {
  return bytesOfShape([2, numLayers, numKvHeads * headDim], dtype);
}

/** Names and shapes of all tensors, outermost dimension first, as GGUF files call them. */
export function tensorShapes(sizes: LlamaSizes): readonly (readonly [string, readonly number[]])[] {
  const { numLayers, dim, hiddenDim, numHeads, numKvHeads, headDim, numTokens } = sizes;
  const layer: readonly [string, number[]][] = [
    ["attn_norm", [dim]],
    ["attn_q", [numHeads * headDim, dim]],
    ["attn_k", [numKvHeads * headDim, dim]],
    ["attn_v", [numKvHeads * headDim, dim]],
    ["attn_output", [dim, numHeads * headDim]],
    ["ffn_norm", [dim]],
    ["ffn_gate", [hiddenDim, dim]],
    ["ffn_up", [hiddenDim, dim]],
    ["ffn_down", [dim, hiddenDim]],
  ];
  return [
    ["token_embd.weight", [numTokens, dim]],
    ...Array.from({ length: numLayers }, (_, i) =>
      layer.map(([part, shape]) => [`blk.${i}.${part}.weight`, shape] as const),
    ).flat(),
    ["output_norm.weight", [dim]],
    ["output.weight", [numTokens, dim]],
  ];
}

function weightsOf(
  sizes: LlamaSizes,
  recipeName: string,
): Pick<StoredModel, "numWeights" | "weightBytes"> {
  const recipe = recipeNamed(recipeName);
  const { numLayers, numHeads, numKvHeads } = sizes;
  const model: RecipeModel = { numLayers, numHeads, numKvHeads, hasOutput: true };
  let [numWeights, weightBytes] = [0, 0];
  for (const [name, shape] of tensorShapes(sizes)) {
    numWeights += numElements(shape);
    weightBytes += bytesOfShape(shape, recipeDtype(recipe, name, shape, model) ?? "F32");
  }
  return { numWeights, weightBytes };
}

function llama2(
  ...[numLayers, dim, hiddenDim, numHeads, numKvHeads]: [number, number, number, number, number]
): LlamaSizes {
  const shared = { headDim: 128, numTokens: 32_000, contextLength: 4096 };
  return { numLayers, dim, hiddenDim, numHeads, numKvHeads, ...shared };
}

function llama3(
  ...[numLayers, dim, hiddenDim, numHeads]: [number, number, number, number]
): LlamaSizes {
  const shared = { numKvHeads: 8, headDim: 128, numTokens: 128_256, contextLength: 8192 };
  return { numLayers, dim, hiddenDim, numHeads, ...shared };
}
