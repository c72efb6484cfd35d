/**
 * The shape of a transformer that we train: the Llama family with tied embeddings, in the form that
 * its GGUF file declares. Which shapes we ship is in `presets.ts`.
 */
import { InputError } from "../core/errors.ts";
import type { RopeConfig } from "../model/config.ts";

/** The sizes of a transformer. */
export interface TransformerShape {
  readonly vocabSize: number;
  /** Tokens of a training window, and how far the model looks back. */
  readonly contextLength: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Heads of keys and values; divides `numHeads`. */
  readonly numKvHeads: number;
}

/** The same for all our models, and Llama's. */
export const rmsEpsilon = 1e-5;

/** Keeps a damaged file or a slip of the keyboard from asking for all memory. */
const mostParameters = 2 ** 28;
const mostOfAny = 2 ** 20;

/** A tensor of the model in the order and under the names of its GGUF file. */
export interface ParameterSpec {
  readonly name: string;
  /** [out, in] for matrices. */
  readonly shape: readonly number[];
  /** Where it begins among all parameters, in values. */
  readonly offset: number;
  readonly numValues: number;
  readonly kind: "embedding" | "matrix" | "residualMatrix" | "norm";
}

/** Width of a head. */
export function headDimOf({ hiddenSize, numHeads }: TransformerShape): number {
  return hiddenSize / numHeads;
}

/** RoPE as the architecture "llama" of GGUF has it: neighbouring columns turn together. */
export function ropeOf(shape: TransformerShape): RopeConfig {
  return {
    pairing: "adjacent",
    dim: headDimOf(shape),
    base: 10_000,
    scaling: { type: "none" },
    magnitude: 1,
  };
}

/** Throws InputError where the sizes do not fit each other or are out of range. */
export function checkShape(shape: TransformerShape): void {
  const { hiddenSize, numHeads, numKvHeads } = shape;
  for (const [name, value] of Object.entries(shape) as [string, number][]) {
    if (Number.isInteger(value) && value >= 1 && value <= mostOfAny) continue;
    throw new InputError(`${name} is ${value}; a whole number from 1 to ${mostOfAny} is needed.`);
  }
  if (hiddenSize % numHeads !== 0 || headDimOf(shape) % 2 !== 0 || numHeads % numKvHeads !== 0) {
    throw new InputError(
      `${numHeads} heads with ${numKvHeads} of keys do not divide a width of ${hiddenSize} into even heads.`,
    );
  }
  const count = numParameters(shape);
  if (count > mostParameters) {
    throw new InputError(
      `The model has ${count} parameters; ${mostParameters} at most are trained.`,
    );
  }
}

/** The model's tensors. */
export function parameterSpecs(shape: TransformerShape): ParameterSpec[] {
  const { vocabSize, hiddenSize, intermediateSize, numLayers, numKvHeads } = shape;
  const kvSize = numKvHeads * headDimOf(shape);
  const layer = (i: number): Draft[] => [
    ["norm", `blk.${i}.attn_norm`, [hiddenSize]],
    ["matrix", `blk.${i}.attn_q`, [hiddenSize, hiddenSize]],
    ["matrix", `blk.${i}.attn_k`, [kvSize, hiddenSize]],
    ["matrix", `blk.${i}.attn_v`, [kvSize, hiddenSize]],
    ["residualMatrix", `blk.${i}.attn_output`, [hiddenSize, hiddenSize]],
    ["norm", `blk.${i}.ffn_norm`, [hiddenSize]],
    ["matrix", `blk.${i}.ffn_gate`, [intermediateSize, hiddenSize]],
    ["matrix", `blk.${i}.ffn_up`, [intermediateSize, hiddenSize]],
    ["residualMatrix", `blk.${i}.ffn_down`, [hiddenSize, intermediateSize]],
  ];
  const drafts: Draft[] = [
    ["embedding", "token_embd", [vocabSize, hiddenSize]],
    ...Array.from({ length: numLayers }, (_, i) => layer(i)).flat(),
    ["norm", "output_norm", [hiddenSize]],
  ];
  let offset = 0;
  return drafts.map(([kind, part, sizes]) => {
    const numValues = sizes.reduce((product, size) => product * size, 1);
    const spec = { name: `${part}.weight`, shape: sizes, offset, numValues, kind };
    offset += numValues;
    return spec;
  });
}

type Draft = readonly [kind: ParameterSpec["kind"], part: string, shape: number[]];

/** How many numbers the model learns. */
export function numParameters(shape: TransformerShape): number {
  const { vocabSize, hiddenSize, intermediateSize, numLayers, numKvHeads } = shape;
  const kvSize = numKvHeads * headDimOf(shape);
  const attention = 2 * hiddenSize * (hiddenSize + kvSize);
  const layer = attention + 3 * hiddenSize * intermediateSize + 2 * hiddenSize;
  return vocabSize * hiddenSize + numLayers * layer + hiddenSize;
}
