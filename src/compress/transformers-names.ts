/**
 * A model's tensors and shape as transformers names them: the way back from llama.cpp's conversion.
 * Source: transformers' LlamaConfig and Qwen2Config, llama.cpp's convert_hf_to_gguf.py.
 */
import { InputError } from "../core/errors.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { countAt } from "../formats/gguf/metadata-access.ts";
import type { LlamaConfig } from "../model/config.ts";
import type { LlamaTensors } from "../model/weights.ts";
import type { LinearMatrix } from "./group-encoder.ts";

const parts: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

const architectures: Readonly<Record<string, readonly [modelType: string, className: string]>> = {
  llama: ["llama", "LlamaForCausalLM"],
  qwen2: ["qwen2", "Qwen2ForCausalLM"],
};

/** The name of a layer's tensor without its last part, such as `model.layers.0.self_attn.q_proj`. */
export function transformersName(name: string): string {
  const [, layer, part] = /^blk\.(\d+)\.(\w+)\.(?:weight|bias)$/.exec(name) ?? [];
  const known = part === undefined ? undefined : parts[part];
  if (known !== undefined) return `model.layers.${layer!}.${known}`;
  throw new InputError(`Tensor ${name} has no name in transformers.`);
}

/**
 * Where row `row` of a projection goes: llama.cpp's conversion moves the rows of Llama's queries and
 * keys so that pairs of RoPE are neighbours, and transformers has them half a head apart.
 */
export function transformersRow(name: string, row: number, config: LlamaConfig): number {
  const { headDim, rope } = config;
  if (rope.pairing !== "adjacent" || !/\.attn_[qk]\./.test(name)) return row;
  const inHead = row % headDim;
  return row - inHead + (inHead % 2) * (headDim / 2) + Math.floor(inHead / 2);
}

/** Values [rows, width] with their rows where transformers has them. */
export function withTransformersRows<T extends Float32Array | Int8Array | Uint8Array>(
  values: T,
  name: string,
  width: number,
  config: LlamaConfig,
): T {
  const moved = values.slice() as T;
  for (let row = 0; row < values.length / width; row++) {
    const to = transformersRow(name, row, config);
    moved.set(values.subarray(row * width, (row + 1) * width), to * width);
  }
  return moved;
}

/** A matrix on its grid, its rows where transformers has them. */
export function linearWithTransformersRows(
  { quantized, groupOfColumn }: LinearMatrix,
  name: string,
  config: LlamaConfig,
): LinearMatrix {
  const { cols, groupSize, codes, scales, zeroPoints } = quantized;
  const numGroups = cols / groupSize;
  return {
    groupOfColumn,
    quantized: {
      ...quantized,
      codes: withTransformersRows(codes, name, cols, config),
      scales: withTransformersRows(scales, name, numGroups, config),
      zeroPoints: zeroPoints && withTransformersRows(zeroPoints, name, numGroups, config),
    },
  };
}

/**
 * What config.json says. Throws InputError where a model's RoPE is stored as factors, of which
 * transformers needs the parameters that they were made from, where it turns a part of each head, and
 * for an output with a bias.
 */
export function transformersConfig(
  file: GgufFile,
  config: LlamaConfig,
  { embedding, layers, output, ropeFactors }: LlamaTensors,
): Readonly<Record<string, unknown>> {
  const { architecture, rope, headDim } = config;
  if (ropeFactors || rope.dim !== headDim || rope.magnitude !== 1) {
    throw new InputError(
      `${file.name} cannot be written for transformers: its RoPE has no place in a config.json. Write a GGUF file.`,
    );
  }
  if (output.bias) {
    throw new InputError(
      `${file.name} cannot be written for transformers: its output has a bias, and theirs has none. Write a GGUF file.`,
    );
  }
  const [modelType, className] = architectures[architecture]!;
  const token = (key: string): number | undefined => countAt(file, `tokenizer.ggml.${key}`);
  return {
    architectures: [className],
    model_type: modelType,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numLayers,
    num_attention_heads: config.numHeads,
    num_key_value_heads: config.numKvHeads,
    head_dim: headDim,
    hidden_act: "silu",
    max_position_embeddings: config.contextLength,
    rms_norm_eps: config.rmsEpsilon,
    attention_bias: layers[0]!.query.bias !== undefined,
    mlp_bias: layers[0]!.gate.bias !== undefined,
    rope_theta: rope.base,
    rope_scaling: ropeScaling(rope.scaling),
    vocab_size: embedding.shape[0],
    tie_word_embeddings: output.weight === embedding,
    bos_token_id: token("bos_token_id"),
    eos_token_id: token("eos_token_id"),
    torch_dtype: "float16",
  };
}

function ropeScaling(scaling: LlamaConfig["rope"]["scaling"]): object | null {
  switch (scaling.type) {
    case "none":
      return null;
    case "linear":
      return { rope_type: "linear", factor: scaling.factor };
    case "yarn":
      return {
        rope_type: "yarn",
        factor: scaling.factor,
        original_max_position_embeddings: scaling.originalContextLength,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
      };
  }
  return scaling satisfies never;
}
