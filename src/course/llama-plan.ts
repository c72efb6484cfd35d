/**
 * What is written before the weights of a Llama 3 file: names, shapes and formats as llama.cpp's
 * converter and quantiser give them. A plan: there are no weights, and tokens are stand-ins.
 */
import { numElements } from "../core/dtypes.ts";
import type { GgufValue } from "../formats/gguf/metadata.ts";
import type { GgufOutline, GgufTensor } from "../formats/gguf/gguf-writer.ts";
import { llamaModels, tensorShapes, type LlamaSizes } from "../planning/llama-sizes.ts";
import { recipeDtype, recipeNamed, type RecipeModel } from "../quant/blocks/recipe.ts";

/** A published size of Llama 3. */
export type LlamaSize = "8B" | "70B";

/** The outline of Llama 3 in a recipe such as q4_k_m. Throws UsageError for an unknown recipe. */
export function llamaPlan(size: LlamaSize, recipeName: string): GgufOutline {
  const sizes = llamaModels[`llama-3-${size.toLowerCase()}`]!;
  const recipe = recipeNamed(recipeName);
  const { numLayers, numHeads, numKvHeads } = sizes;
  const model: RecipeModel = { numLayers, numHeads, numKvHeads, hasOutput: true };
  const tensors = tensorShapes(sizes).map(([name, shape]): GgufTensor => ({
    name,
    shape,
    dtype: recipeDtype(recipe, name, shape, model) ?? "F32",
  }));
  const metadata = planMetadata(`Llama-3-${size} in ${recipeName}: a plan`, sizes);
  metadata.set("general.file_type", u32(recipe.fileType));
  return { version: 3, littleEndian: true, metadata, tensors };
}

/** How many weights the tensors hold. */
export function numWeights(tensors: readonly Pick<GgufTensor, "shape">[]): number {
  return tensors.reduce((sum, { shape }) => sum + numElements(shape), 0);
}

function planMetadata(name: string, sizes: LlamaSizes): Map<string, GgufValue> {
  const tokens = Array.from({ length: sizes.numTokens }, (_, i) => `token ${i}`);
  return new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: "llama" }],
    ["general.name", { type: "string", value: name }],
    ["llama.block_count", u32(sizes.numLayers)],
    ["llama.context_length", u32(sizes.contextLength)],
    ["llama.embedding_length", u32(sizes.dim)],
    ["llama.feed_forward_length", u32(sizes.hiddenDim)],
    ["llama.attention.head_count", u32(sizes.numHeads)],
    ["llama.attention.head_count_kv", u32(sizes.numKvHeads)],
    ["llama.rope.freq_base", { type: "f32", value: 500_000 }],
    ["tokenizer.ggml.model", { type: "string", value: "gpt2" }],
    ["tokenizer.ggml.tokens", { type: "array", itemType: "string", items: tokens }],
  ]);
}

function u32(value: number): GgufValue {
  return { type: "u32", value };
}
