/**
 * Trained parameters as a GGUF file of the architecture "llama", which our engine and llama.cpp run.
 * The tokenizer's metadata is passed in.
 */
import { f32ArrayToF16 } from "../core/half.ts";
import { InputError } from "../core/errors.ts";
import type { ByteSink } from "../formats/byte-sink.ts";
import { writeGguf, type GgufTensor } from "../formats/gguf/gguf-writer.ts";
import type { GgufValue } from "../formats/gguf/metadata.ts";
import { littleEndianBytes } from "../formats/plain-values.ts";
import { valuesOf } from "./parameters.ts";
import {
  headDimOf,
  parameterSpecs,
  rmsEpsilon,
  ropeOf,
  type ParameterSpec,
  type TransformerShape,
} from "./transformer-shape.ts";

/** How matrices are stored; norms are float32 in both, as llama.cpp wants them. */
export type ExportDtype = "F32" | "F16";

/** A model to write. */
export interface ExportedModel {
  /** For people, such as "Infinity Stories target". */
  readonly name: string;
  readonly shape: TransformerShape;
  readonly parameters: Float32Array;
  /** The keys `tokenizer.*`. */
  readonly tokenizer: ReadonlyMap<string, GgufValue>;
}

/** llama.cpp's numbers for a file of mostly this format (`llama_ftype`). */
const fileTypes: Readonly<Record<ExportDtype, number>> = { F32: 0, F16: 1 };

/**
 * Writes `model` to `sink`. The output matrix is left out: readers then take the embedding for it.
 * Throws InputError where the tokenizer has another vocabulary than the model, and for weights that
 * are no numbers or too large for float16.
 */
export async function exportGguf(
  sink: ByteSink,
  model: ExportedModel,
  dtype: ExportDtype,
): Promise<void> {
  checkTokens(model);
  const tensors: (GgufTensor & { spec: ParameterSpec })[] = parameterSpecs(model.shape).map(
    (spec) => ({
      name: spec.name,
      shape: spec.shape,
      dtype: spec.kind === "norm" ? "F32" : dtype,
      spec,
    }),
  );
  const metadata = new Map([...metadataOf(model, dtype), ...model.tokenizer]);
  await writeGguf(sink, { version: 3, littleEndian: true, metadata, tensors }, (tensor) => [
    bytesOf(tensor, valuesOf(model.parameters, tensor.spec)),
  ]);
}

function metadataOf({ name, shape }: ExportedModel, dtype: ExportDtype): Map<string, GgufValue> {
  const count = (value: number): GgufValue => ({ type: "u32", value });
  const real = (value: number): GgufValue => ({ type: "f32", value });
  const rope = ropeOf(shape);
  return new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: "llama" }],
    ["general.name", { type: "string", value: name }],
    ["general.file_type", count(fileTypes[dtype])],
    ["llama.vocab_size", count(shape.vocabSize)],
    ["llama.context_length", count(shape.contextLength)],
    ["llama.embedding_length", count(shape.hiddenSize)],
    ["llama.block_count", count(shape.numLayers)],
    ["llama.feed_forward_length", count(shape.intermediateSize)],
    ["llama.attention.head_count", count(shape.numHeads)],
    ["llama.attention.head_count_kv", count(shape.numKvHeads)],
    ["llama.attention.key_length", count(headDimOf(shape))],
    ["llama.attention.value_length", count(headDimOf(shape))],
    ["llama.attention.layer_norm_rms_epsilon", real(rmsEpsilon)],
    ["llama.rope.dimension_count", count(rope.dim)],
    ["llama.rope.freq_base", real(rope.base)],
  ]);
}

function bytesOf({ name, dtype }: GgufTensor, values: Float32Array): Uint8Array {
  // The largest magnitude that rounds to a finite float16 lies just below 65520.
  const most = dtype === "F16" ? 65_520 : Infinity;
  const wrong = values.find((value) => !(Math.abs(value) < most));
  if (wrong !== undefined) {
    throw new InputError(`Tensor ${name} holds ${wrong}, which ${dtype} cannot store.`);
  }
  return dtype === "F16"
    ? littleEndianBytes(f32ArrayToF16(values), 2)
    : littleEndianBytes(values, 4);
}

function checkTokens({ shape, tokenizer }: ExportedModel): void {
  const tokens = tokenizer.get("tokenizer.ggml.tokens");
  const count = tokens?.type === "array" ? tokens.items.length : 0;
  if (count === shape.vocabSize) return;
  throw new InputError(
    `The tokenizer has ${count} tokens, and the model was made for ${shape.vocabSize}.`,
  );
}
