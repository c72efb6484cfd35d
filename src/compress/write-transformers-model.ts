/**
 * A quantised model as a folder that vLLM and transformers load: sharded safetensors, a layer each, in
 * GPTQ's or AWQ's layout, with the configuration that names it. Everything but the layers' matrices is
 * float16.
 */
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { f32ArrayToF16 } from "../core/half.ts";
import { cannotWrite, openTensors, writeFileAtomically } from "../corpus/files.ts";
import { tokenizerJson, storyPreTokenizer } from "../corpus/tokenizer-file.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { writeSafetensors, type SafetensorsEntry } from "../formats/safetensors.ts";
import type { StoredTensor } from "../formats/stored-tensors.ts";
import type { LlamaConfig } from "../model/config.ts";
import { tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { flagAt, stringAt, stringsAt, type GgufMetadata } from "../model/tokenizer/vocabulary.ts";
import type { ModelShape } from "./model-shape.ts";
import type { OutputFormat } from "./output-format.ts";
import { packAwq, packGptq } from "./packed-layouts.ts";
import type { LayerWriter, QuantizedLayer } from "./quantize-model.ts";
import {
  linearWithTransformersRows,
  transformersConfig,
  transformersName,
  withTransformersRows,
} from "./transformers-names.ts";
import type { UnfinishedModel } from "./unfinished-model.ts";

/** The formats that are such folders. */
export type LayoutFormat = Extract<OutputFormat, { kind: "gptq-layout" | "awq-layout" }>;

/** What a layer becomes; the first shard holds what belongs to no layer. */
export function layoutLayerWriter(config: LlamaConfig, format: LayoutFormat): LayerWriter {
  return {
    fileName: (layer) => shardName(layer + 1, config),
    write: (layer) =>
      Promise.resolve([writeSafetensors(layerEntries(layer, config, format), { format: "pt" })]),
  };
}

/**
 * Adds to a finished folder what belongs to no layer and the configuration, and gives it its name.
 * Returns what a reader still needs, or undefined. Throws InputError where it cannot be written.
 */
export async function writeTransformersModel(
  path: string,
  file: GgufFile,
  shape: ModelShape,
  format: LayoutFormat,
  options: { readonly actOrder: boolean; readonly damp: number },
  work: UnfinishedModel,
): Promise<string | undefined> {
  const { config, tensors } = shape;
  const quantization = quantizationConfig(format, options);
  const model = { ...transformersConfig(file, config, tensors), quantization_config: quantization };
  const first = await outerEntries(file, shape);
  const firstShard = writeSafetensors(first, { format: "pt" });
  await writeFileAtomically(work.path(shardName(0, config)), firstShard);
  const index = await shardIndex(config, work);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  await writeFileAtomically(work.path("model.safetensors.index.json"), json(index));
  await writeFileAtomically(work.path("config.json"), json(model));
  await writeFileAtomically(work.path("quantize_config.json"), json(quantization));
  const tokenizer = ownTokenizer(file.metadata);
  if (tokenizer !== undefined) await writeFileAtomically(work.path("tokenizer.json"), tokenizer);
  await work.removeNotes();
  await rename(work.folder, path).catch(cannotWrite(path));
  return tokenizer === undefined
    ? `${join(path, "tokenizer.json")} is not written: copy the tokenizer's files from where the model came from.`
    : undefined;
}

function shardName(shard: number, { numLayers }: LlamaConfig): string {
  const padded = (count: number): string => String(count).padStart(5, "0");
  return `model-${padded(shard + 1)}-of-${padded(numLayers + 1)}.safetensors`;
}

function layerEntries(
  layer: QuantizedLayer,
  config: LlamaConfig,
  { kind }: LayoutFormat,
): readonly SafetensorsEntry[] {
  return layer.flatMap(({ half, matrices }) => [
    vector(`${transformersName(half.norm.name)}.weight`, half.norm.values),
    ...matrices.flatMap(({ matrix, encoded }): SafetensorsEntry[] => {
      const { rows, cols, bias } = matrix;
      const name = transformersName(matrix.name);
      const linear = linearWithTransformersRows(encoded.linear!, matrix.name, config);
      const packed = kind === "gptq-layout" ? packGptq(linear) : packAwq(linear);
      const words = (part: string, data: Int32Array, height: number): SafetensorsEntry => ({
        ...{ name: `${name}.${part}`, dtype: "I32", shape: [height, data.length / height], data },
      });
      const { bits, groupSize } = linear.quantized;
      const numGroups = cols / groupSize;
      const weightRows = kind === "gptq-layout" ? (cols * bits) / 32 : cols;
      const { groupIndex, scales } = packed;
      return [
        words("qweight", packed.qweight, weightRows),
        words("qzeros", packed.qzeros, numGroups),
        { name: `${name}.scales`, dtype: "F16", shape: [numGroups, rows], data: scales },
        ...(groupIndex
          ? [{ name: `${name}.g_idx`, dtype: "I32", shape: [cols], data: groupIndex } as const]
          : []),
        ...(bias
          ? [vector(`${name}.bias`, withTransformersRows(bias.values, matrix.name, 1, config))]
          : []),
      ];
    }),
  ]);
}

function vector(name: string, values: Float32Array): SafetensorsEntry {
  return { name, dtype: "F16", shape: [values.length], data: f32ArrayToF16(values) };
}

async function outerEntries(
  file: GgufFile,
  { tensors }: ModelShape,
): Promise<readonly SafetensorsEntry[]> {
  const entry = async (name: string, tensor: StoredTensor): Promise<SafetensorsEntry> => {
    const data = f32ArrayToF16(await file.readFloat32(tensor.name));
    return { name, dtype: "F16", shape: tensor.shape, data };
  };
  const { embedding, output, outputNorm } = tensors;
  return [
    await entry("model.embed_tokens.weight", embedding),
    await entry("model.norm.weight", outputNorm),
    ...(output.weight === embedding ? [] : [await entry("lm_head.weight", output.weight)]),
  ];
}

async function shardIndex(config: LlamaConfig, work: UnfinishedModel): Promise<object> {
  const shardOfTensor: Record<string, string> = {};
  let totalSize = 0;
  for (let shard = 0; shard <= config.numLayers; shard++) {
    const name = shardName(shard, config);
    const file = await openTensors(work.path(name));
    await file.close();
    for (const tensor of file.tensors) {
      shardOfTensor[tensor.name] = name;
      totalSize += tensor.numBytes;
    }
  }
  return { metadata: { total_size: totalSize }, weight_map: shardOfTensor };
}

function quantizationConfig(
  { kind, grid }: LayoutFormat,
  { actOrder, damp }: { readonly actOrder: boolean; readonly damp: number },
): Readonly<Record<string, unknown>> {
  const { bits, groupSize, mode } = grid;
  if (kind === "awq-layout") {
    return {
      ...{ quant_method: "awq", bits, group_size: groupSize },
      ...{ zero_point: true, version: "gemm" },
    };
  }
  return {
    ...{ quant_method: "gptq", checkpoint_format: "gptq", bits, group_size: groupSize },
    ...{ sym: mode === "symmetric", desc_act: actOrder, damp_percent: damp },
    ...{ static_groups: false, true_sequential: true },
  };
}

/** tokenizer.json for vocabularies that our trainer makes; undefined for others. */
function ownTokenizer(metadata: GgufMetadata): string | undefined {
  const isOwn =
    stringAt(metadata, "tokenizer.ggml.model") === "gpt2" &&
    stringAt(metadata, "tokenizer.ggml.pre") === storyPreTokenizer &&
    flagAt(metadata, "tokenizer.ggml.add_bos_token") === true;
  if (!isOwn) return undefined;
  const { texts, types } = tokenizerFromGguf(metadata).vocabulary;
  const merges = stringsAt(metadata, "tokenizer.ggml.merges");
  const numSpecials = types.findIndex((type) => type !== "control");
  return tokenizerJson({ tokens: texts, merges, numSpecials, preTokenizer: storyPreTokenizer });
}
