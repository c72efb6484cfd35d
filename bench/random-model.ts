/**
 * Models with random weights: the shape and formats of a real one, to measure speed on and to compare
 * engines with. The same seed gives the same file. Few blocks are quantised and many are picked from
 * them, because quantising a billion weights takes minutes and changes nothing.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { bytesOfShape } from "../src/core/dtypes.ts";
import { normal, randomInt, seededRng, type Rng } from "../src/core/rng.ts";
import { writeAtomically } from "../src/corpus/files.ts";
import { writeGguf, type GgufTensor } from "../src/formats/gguf/gguf-writer.ts";
import type { GgufValue } from "../src/formats/gguf/metadata.ts";
import { quantizeBlocks } from "../src/quant/blocks/quantize.ts";
import { recipeDtype, recipeNamed, type RecipeDtype } from "../src/quant/blocks/recipe.ts";

/** The shape of a Llama. */
export interface RandomShape {
  readonly name: string;
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly vocabSize: number;
  readonly contextLength: number;
}

/** TinyLlama's shape. */
export const shape1B: RandomShape = {
  ...{ name: "random-1.1b", numLayers: 22, hiddenSize: 2048, intermediateSize: 5632 },
  ...{ numHeads: 32, numKvHeads: 4, vocabSize: 32_000, contextLength: 2048 },
};

/** The shape of stories15M. */
export const shape15M: RandomShape = {
  ...{ name: "random-15m", numLayers: 6, hiddenSize: 288, intermediateSize: 768 },
  ...{ numHeads: 6, numKvHeads: 6, vocabSize: 32_000, contextLength: 256 },
};

/** Where every group of formats fits into blocks, and yet small enough to be made in a moment. */
export const shapeSmall: RandomShape = {
  ...{ name: "random-small", numLayers: 2, hiddenSize: 256, intermediateSize: 512 },
  ...{ numHeads: 4, numKvHeads: 2, vocabSize: 512, contextLength: 256 },
};

/** Weights of a piece that is picked: the longest block. */
const pieceWeights = 256;
const poolPieces = 1024;
/** As models are initialised before training. */
const deviation = 0.02;

/** Writes a model in the mixture of formats that llama.cpp calls `recipe`, unless the file is there. */
export async function makeRandomModel(
  path: string,
  shape: RandomShape,
  recipe: string,
  seed = 0,
): Promise<void> {
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  const tensors = tensorsOf(shape, recipe);
  const pools = new Map<string, Uint8Array>();
  const rng = seededRng(seed);
  await writeAtomically(path, (sink) =>
    writeGguf(
      sink,
      { version: 3, littleEndian: true, metadata: metadataOf(shape, recipe), tensors },
      (tensor) => [tensorBytes(tensor, pools, rng)],
    ),
  );
}

interface RandomTensor extends GgufTensor {
  readonly dtype: RecipeDtype;
}

function tensorsOf(shape: RandomShape, recipeName: string): readonly RandomTensor[] {
  const { numLayers, hiddenSize, intermediateSize, numHeads, numKvHeads, vocabSize } = shape;
  const kvSize = (hiddenSize / numHeads) * numKvHeads;
  const recipe = recipeNamed(recipeName);
  const tensor = (name: string, ...size: readonly number[]): RandomTensor => {
    const dtype = recipeDtype(recipe, name, size, { ...shape, hasOutput: true }) ?? "F32";
    return { name, shape: size, dtype };
  };
  const layer = (i: number): readonly RandomTensor[] => [
    tensor(`blk.${i}.attn_norm.weight`, hiddenSize),
    tensor(`blk.${i}.attn_q.weight`, hiddenSize, hiddenSize),
    tensor(`blk.${i}.attn_k.weight`, kvSize, hiddenSize),
    tensor(`blk.${i}.attn_v.weight`, kvSize, hiddenSize),
    tensor(`blk.${i}.attn_output.weight`, hiddenSize, hiddenSize),
    tensor(`blk.${i}.ffn_norm.weight`, hiddenSize),
    tensor(`blk.${i}.ffn_gate.weight`, intermediateSize, hiddenSize),
    tensor(`blk.${i}.ffn_up.weight`, intermediateSize, hiddenSize),
    tensor(`blk.${i}.ffn_down.weight`, hiddenSize, intermediateSize),
  ];
  return [
    tensor("token_embd.weight", vocabSize, hiddenSize),
    ...Array.from({ length: numLayers }, (_, i) => layer(i)).flat(),
    tensor("output_norm.weight", hiddenSize),
    tensor("output.weight", vocabSize, hiddenSize),
  ];
}

function tensorBytes(
  { shape, dtype }: RandomTensor,
  pools: Map<string, Uint8Array>,
  rng: Rng,
): Uint8Array {
  // Norms are the only vectors, and 1 everywhere.
  if (shape.length === 1) return plainBytes(new Float32Array(shape[0]!).fill(1));
  const pool = pools.get(dtype) ?? poolOf(dtype);
  pools.set(dtype, pool);
  const pieceBytes = pool.length / poolPieces;
  const bytes = new Uint8Array(bytesOfShape(shape, dtype));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const from = randomInt(rng, poolPieces) * pieceBytes;
    const length = Math.min(pieceBytes, bytes.length - at);
    bytes.set(pool.subarray(from, from + length), at);
  }
  return bytes;
}

/** The same for every model, so that formats differ only by what they round away. */
function poolOf(dtype: RecipeDtype): Uint8Array {
  const rng = seededRng(1);
  const length = poolPieces * pieceWeights;
  const weights = Float32Array.from({ length }, () => normal(rng) * deviation);
  return dtype === "F32" ? plainBytes(weights) : quantizeBlocks(dtype, weights);
}

function plainBytes(values: Float32Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(values.buffer);
}

function metadataOf(shape: RandomShape, recipe: string): Map<string, GgufValue> {
  const u32 = (value: number): GgufValue => ({ type: "u32", value });
  const text = (value: string): GgufValue => ({ type: "string", value });
  return new Map([
    ["general.architecture", text("llama")],
    ["general.name", text(shape.name)],
    ["general.file_type", u32(recipeNamed(recipe).fileType)],
    ["general.quantization_version", u32(2)],
    ["llama.context_length", u32(shape.contextLength)],
    ["llama.embedding_length", u32(shape.hiddenSize)],
    ["llama.block_count", u32(shape.numLayers)],
    ["llama.feed_forward_length", u32(shape.intermediateSize)],
    ["llama.attention.head_count", u32(shape.numHeads)],
    ["llama.attention.head_count_kv", u32(shape.numKvHeads)],
    ["llama.attention.layer_norm_rms_epsilon", { type: "f32", value: 1e-5 }],
    ["llama.rope.dimension_count", u32(shape.hiddenSize / shape.numHeads)],
    ["llama.vocab_size", u32(shape.vocabSize)],
    ...vocabulary(shape.vocabSize),
  ]);
}

/** A SentencePiece vocabulary: three control tokens, 256 bytes, and words that never occur. */
function vocabulary(size: number): readonly (readonly [string, GgufValue])[] {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const special = ["<unk>", "<s>", "</s>", ...bytes];
  const words = Array.from({ length: size - special.length }, (_, i) => `▁${i.toString(36)}`);
  const tokens = [...special, ...words];
  const types = tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < special.length ? 6 : 1));
  return [
    ["tokenizer.ggml.model", { type: "string", value: "llama" }],
    ["tokenizer.ggml.tokens", { type: "array", itemType: "string", items: tokens }],
    [
      "tokenizer.ggml.scores",
      { type: "array", itemType: "f32", items: Float32Array.from(tokens, (_, id) => -id) },
    ],
    [
      "tokenizer.ggml.token_type",
      { type: "array", itemType: "i32", items: Int32Array.from(types) },
    ],
    ["tokenizer.ggml.unknown_token_id", { type: "u32", value: 0 }],
    ["tokenizer.ggml.bos_token_id", { type: "u32", value: 1 }],
    ["tokenizer.ggml.eos_token_id", { type: "u32", value: 2 }],
  ];
}
