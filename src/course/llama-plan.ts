/**
 * What is written before the weights of a Llama 3 file: names, shapes and formats as llama.cpp's
 * converter and quantiser give them. A plan: there are no weights, and tokens are stand-ins.
 */
import { numElements } from "../core/dtypes.ts";
import type { GgufValue } from "../formats/gguf/metadata.ts";
import type { GgufOutline, GgufTensor } from "../formats/gguf/gguf-writer.ts";
import { recipeDtype, recipeNamed, type RecipeModel } from "../quant/blocks/recipe.ts";

interface LlamaSizes {
  readonly numLayers: number;
  readonly dim: number;
  readonly hiddenDim: number;
  readonly numHeads: number;
}

/** The sizes in Meta's published configurations. */
const llama3: Readonly<Record<"8B" | "70B", LlamaSizes>> = {
  "8B": { numLayers: 32, dim: 4096, hiddenDim: 14_336, numHeads: 32 },
  "70B": { numLayers: 80, dim: 8192, hiddenDim: 28_672, numHeads: 64 },
};
const numTokens = 128_256;
const numKvHeads = 8;
const headDim = 128;

/** A published size. */
export type LlamaSize = keyof typeof llama3;

/** The outline of Llama 3 in a recipe such as q4_k_m. Throws UsageError for an unknown recipe. */
export function llamaPlan(size: LlamaSize, recipeName: string): GgufOutline {
  const sizes = llama3[size];
  const recipe = recipeNamed(recipeName);
  const { numLayers, numHeads } = sizes;
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

/** Shapes outermost dimension first. */
function tensorShapes({ numLayers, dim, hiddenDim }: LlamaSizes): [string, number[]][] {
  const kvDim = numKvHeads * headDim;
  const layer: readonly [string, number[]][] = [
    ["attn_norm", [dim]],
    ["attn_q", [dim, dim]],
    ["attn_k", [kvDim, dim]],
    ["attn_v", [kvDim, dim]],
    ["attn_output", [dim, dim]],
    ["ffn_norm", [dim]],
    ["ffn_gate", [hiddenDim, dim]],
    ["ffn_up", [hiddenDim, dim]],
    ["ffn_down", [dim, hiddenDim]],
  ];
  return [
    ["token_embd.weight", [numTokens, dim]],
    ...Array.from({ length: numLayers }, (_, i) =>
      layer.map(([part, shape]): [string, number[]] => [`blk.${i}.${part}.weight`, shape]),
    ).flat(),
    ["output_norm.weight", [dim]],
    ["output.weight", [numTokens, dim]],
  ];
}

function planMetadata(
  name: string,
  { numLayers, dim, hiddenDim, numHeads }: LlamaSizes,
): Map<string, GgufValue> {
  const tokens = Array.from({ length: numTokens }, (_, i) => `token ${i}`);
  return new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: "llama" }],
    ["general.name", { type: "string", value: name }],
    ["llama.block_count", u32(numLayers)],
    ["llama.context_length", u32(8192)],
    ["llama.embedding_length", u32(dim)],
    ["llama.feed_forward_length", u32(hiddenDim)],
    ["llama.attention.head_count", u32(numHeads)],
    ["llama.attention.head_count_kv", u32(numKvHeads)],
    ["llama.rope.freq_base", { type: "f32", value: 500_000 }],
    ["tokenizer.ggml.model", { type: "string", value: "gpt2" }],
    ["tokenizer.ggml.tokens", { type: "array", itemType: "string", items: tokens }],
  ]);
}

function u32(value: number): GgufValue {
  return { type: "u32", value };
}
