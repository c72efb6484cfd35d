/**
 * The shape of a model of the Llama family, from a GGUF file's metadata alone. Says what the weights
 * must look like; whether they do is checked in `weights.ts`.
 */
import { InputError } from "../core/errors.ts";
import { quoted } from "../formats/byte-source.ts";
import {
  countAt,
  numberAt,
  required,
  textAt,
  type HasMetadata,
} from "../formats/gguf/metadata-access.ts";
import type { Rotation } from "../kernels/forward-kernels.ts";

/** What differs between the architectures that share the Llama forward pass. */
interface Architecture {
  /**
   * How RoPE pairs columns. Conversion permutes the rows of Llama's queries and keys so that pairs
   * are neighbours; the others keep them half a head apart.
   */
  readonly pairing: Rotation["pairing"];
}

const architectures: Readonly<Record<string, Architecture>> = {
  llama: { pairing: "adjacent" },
  qwen2: { pairing: "halves" },
};

/** Far above any model; sizes that weights have to match are bounded by the file itself. */
const maxContextLength = 2 ** 27;
const maxDimension = 2 ** 24;

/** How positions beyond the trained context are brought back into it. */
export type RopeScaling =
  | { readonly type: "none" }
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "yarn";
      readonly factor: number;
      readonly originalContextLength: number;
      /** Turns within the original context above which a frequency stays, and below which it is divided. */
      readonly betaFast: number;
      readonly betaSlow: number;
    };

/** Rotary position embedding (Su et al., 2021). */
export interface RopeConfig {
  readonly pairing: Rotation["pairing"];
  /** Columns of each head that turn; even. */
  readonly dim: number;
  readonly base: number;
  readonly scaling: RopeScaling;
  /** Cosines and sines are multiplied by this, in addition to what the scaling asks for. */
  readonly magnitude: number;
}

/** The shape of a model. */
export interface LlamaConfig {
  readonly architecture: string;
  /** Tokens that the model was trained to look back on. */
  readonly contextLength: number;
  readonly hiddenSize: number;
  /** Width of the feed-forward part. */
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Heads of keys and values; divides `numHeads`. */
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly rmsEpsilon: number;
  readonly rope: RopeConfig;
}

/** Keys that change the forward pass in a way that is not implemented, with the value that does not. */
const unsupportedKeys: readonly (readonly [key: string, neutral: number, what: string])[] = [
  ["expert_count", 0, "a mixture of experts"],
  ["attention.sliding_window", 0, "attention to a sliding window"],
  ["rope.scaling.yarn_ext_factor", 1, "YaRN with another extrapolation factor than 1"],
];

/**
 * Reads a model's shape. Throws InputError for an architecture, a RoPE scaling or a feature that is
 * not supported, and where a number is missing or out of its range.
 */
export function llamaConfigFromGguf(file: HasMetadata): LlamaConfig {
  const name = required(file, "general.architecture", textAt(file, "general.architecture"));
  const architecture = Object.hasOwn(architectures, name) ? architectures[name] : undefined;
  if (!architecture) {
    const known = Object.keys(architectures).join(", ");
    throw new InputError(
      `${file.name} is a model of the architecture ${quoted(name)}, and ${known} are supported.`,
    );
  }
  const keys = new ArchitectureKeys(file, name);
  for (const [key, neutral, what] of unsupportedKeys) keys.refuse(key, neutral, what);
  const hiddenSize = keys.count("embedding_length");
  const numHeads = keys.count("attention.head_count");
  const numKvHeads = keys.count("attention.head_count_kv", numHeads);
  const headDim = keys.count("attention.key_length", hiddenSize / numHeads);
  const valueDim = keys.count("attention.value_length", headDim);
  keys.check(numHeads % numKvHeads === 0, `${numKvHeads} heads of keys do not divide ${numHeads}`);
  keys.check(valueDim === headDim, `values are ${valueDim} wide and keys ${headDim}`);
  return {
    architecture: name,
    contextLength: keys.count("context_length", undefined, maxContextLength),
    hiddenSize,
    intermediateSize: keys.count("feed_forward_length"),
    numLayers: keys.count("block_count"),
    numHeads,
    numKvHeads,
    headDim,
    rmsEpsilon: keys.positive("attention.layer_norm_rms_epsilon"),
    rope: ropeConfig(keys, headDim, architecture),
  };
}

function ropeConfig(
  keys: ArchitectureKeys,
  headDim: number,
  { pairing }: Architecture,
): RopeConfig {
  const dim = keys.count("rope.dimension_count", headDim);
  keys.check(dim <= headDim && dim % 2 === 0, `RoPE turns ${dim} columns of heads of ${headDim}`);
  return {
    pairing,
    dim,
    base: keys.positive("rope.freq_base", 10_000),
    scaling: ropeScaling(keys),
    magnitude: keys.positive("rope.scaling.attn_factor", 1),
  };
}

/** llama.cpp's defaults: a factor without a type is linear, and YaRN's betas are its paper's. */
function ropeScaling(keys: ArchitectureKeys): RopeScaling {
  const type = keys.text("rope.scaling.type") ?? "linear";
  // 0 is how converters say that there is none; "scale_linear" is what older ones call it.
  const factor = keys.number("rope.scaling.factor") || keys.number("rope.scale_linear") || 1;
  keys.check(factor > 0 && factor < Infinity, `the RoPE scaling factor is ${factor}`);
  if (type === "none" || (type === "linear" && factor === 1)) return { type: "none" };
  if (type === "linear") return { type, factor };
  if (type === "yarn") {
    const length = keys.number("context_length");
    return {
      type,
      factor,
      originalContextLength: keys.count(
        "rope.scaling.original_context_length",
        length,
        maxContextLength,
      ),
      betaFast: keys.positive("rope.scaling.yarn_beta_fast", 32),
      betaSlow: keys.positive("rope.scaling.yarn_beta_slow", 1),
    };
  }
  return keys.fail(`its RoPE scaling ${quoted(type)} is not supported; none, linear and yarn are`);
}

/** The metadata under an architecture's own prefix. */
class ArchitectureKeys {
  readonly #file: HasMetadata;
  readonly #architecture: string;

  constructor(file: HasMetadata, architecture: string) {
    this.#file = file;
    this.#architecture = architecture;
  }

  text(key: string): string | undefined {
    return textAt(this.#file, this.#path(key));
  }

  number(key: string): number | undefined {
    return numberAt(this.#file, this.#path(key));
  }

  /** A whole number from 1 to `most`. */
  count(key: string, otherwise?: number, most: number = maxDimension): number {
    const path = this.#path(key);
    const value = required(this.#file, path, countAt(this.#file, path) ?? otherwise);
    const isCount = Number.isInteger(value) && value >= 1 && value <= most;
    this.check(isCount, `${path} is ${value}, and a whole number from 1 to ${most} is needed`);
    return value;
  }

  /** A finite number above 0. */
  positive(key: string, otherwise?: number): number {
    const path = this.#path(key);
    const value = required(this.#file, path, this.number(key) ?? otherwise);
    const isPositive = value > 0 && value < Infinity;
    this.check(isPositive, `${path} is ${value}, and a finite number above 0 is needed`);
    return value;
  }

  /** Throws InputError where `key` is there with another value than `neutral`. */
  refuse(key: string, neutral: number, what: string): void {
    const value = this.number(key) ?? neutral;
    this.check(value === neutral, `${what} is not supported (${this.#path(key)} is ${value})`);
  }

  check(isRight: boolean, otherwise: string): void {
    if (!isRight) this.fail(otherwise);
  }

  fail(reason: string): never {
    throw new InputError(`${this.#file.name} cannot be run: ${reason}.`);
  }

  #path(key: string): string {
    return `${this.#architecture}.${key}`;
  }
}
