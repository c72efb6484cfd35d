import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import type { GgufValue } from "../formats/gguf/metadata.ts";
import { llamaConfigFromGguf, type LlamaConfig } from "./config.ts";
import { ggufValue } from "./fixtures/models.ts";

/** Llama 3.2 1B, as llama.cpp's converter describes it. */
const llama: Readonly<Record<string, string | number>> = {
  "general.architecture": "llama",
  "llama.context_length": 131072,
  "llama.embedding_length": 2048,
  "llama.block_count": 16,
  "llama.feed_forward_length": 8192,
  "llama.attention.head_count": 32,
  "llama.attention.head_count_kv": 8,
  "llama.attention.layer_norm_rms_epsilon": 1e-5,
  "llama.rope.freq_base": 500000,
};

function configWith(
  changes: Readonly<Record<string, string | number | GgufValue | undefined>> = {},
  base: Readonly<Record<string, string | number>> = llama,
): LlamaConfig {
  const metadata = new Map<string, GgufValue>();
  for (const [key, value] of Object.entries({ ...base, ...changes })) {
    if (value !== undefined) {
      metadata.set(key, typeof value === "object" ? value : ggufValue(value));
    }
  }
  return llamaConfigFromGguf({ name: "model.gguf", metadata });
}

describe("a model's configuration", () => {
  it("is read from the metadata, with llama.cpp's defaults for what is absent", () => {
    expect(configWith()).to.deep.equal({
      architecture: "llama",
      contextLength: 131072,
      hiddenSize: 2048,
      intermediateSize: 8192,
      numLayers: 16,
      numHeads: 32,
      numKvHeads: 8,
      headDim: 64,
      rmsEpsilon: 1e-5,
      rope: {
        pairing: "adjacent",
        dim: 64,
        base: 500000,
        scaling: { type: "none" },
        magnitude: 1,
      },
    });
    const bare = configWith({
      "llama.attention.head_count_kv": undefined,
      "llama.rope.freq_base": undefined,
    });
    expect([bare.numKvHeads, bare.rope.base]).to.deep.equal([32, 10_000]);
  });

  it("pairs the columns of Qwen2's heads by halves", () => {
    const qwen = Object.fromEntries(
      Object.entries(llama).map(([key, value]) => [key.replace("llama.", "qwen2."), value]),
    );
    expect(configWith({ "general.architecture": "qwen2" }, qwen).rope.pairing).to.equal("halves");
  });

  const scaling = (settings: Readonly<Record<string, string | number>>): unknown =>
    configWith(
      Object.fromEntries(
        Object.entries(settings).map(([key, value]) => [`llama.rope.${key}`, value]),
      ),
    ).rope.scaling;

  it("reads RoPE's scaling in all the ways that files say it", () => {
    expect(scaling({ "scaling.type": "linear", "scaling.factor": 4 })).to.deep.equal({
      type: "linear",
      factor: 4,
    });
    expect(scaling({ "scaling.factor": 2 })).to.deep.equal({ type: "linear", factor: 2 });
    expect(scaling({ scale_linear: 8 })).to.deep.equal({ type: "linear", factor: 8 });
    expect(scaling({ "scaling.factor": 0 })).to.deep.equal({ type: "none" });
    expect(scaling({ "scaling.type": "none", "scaling.factor": 4 })).to.deep.equal({
      type: "none",
    });
    const yarn = { "scaling.type": "yarn", "scaling.factor": 4 };
    expect(scaling({ ...yarn, "scaling.original_context_length": 32768 })).to.deep.equal({
      type: "yarn",
      factor: 4,
      originalContextLength: 32768,
      betaFast: 32,
      betaSlow: 1,
    });
    expect(scaling(yarn)).to.include({ originalContextLength: 131072 });
  });

  const refused: readonly (readonly [
    string,
    Readonly<Record<string, string | number | GgufValue | undefined>>,
    RegExp,
  ])[] = [
    [
      "an unknown architecture",
      { "general.architecture": "mamba" },
      /model\.gguf is a model of the architecture "mamba", and llama, qwen2 are supported/,
    ],
    [
      "an architecture named as a property that all objects have",
      { "general.architecture": "constructor" },
      /architecture "constructor"/,
    ],
    ["no architecture", { "general.architecture": undefined }, /no metadata "general\.arch/],
    ["no width", { "llama.embedding_length": undefined }, /no metadata "llama\.embedding_length"/],
    ["no epsilon", { "llama.attention.layer_norm_rms_epsilon": undefined }, /layer_norm_rms/],
    [
      "a head width that is no whole number",
      { "llama.attention.head_count": 24 },
      /llama\.attention\.key_length is 85\.3+, and a whole number from 1/,
    ],
    ["no layers", { "llama.block_count": 0 }, /llama\.block_count is 0, and a whole number/],
    [
      "an absurd count",
      { "llama.feed_forward_length": { type: "u64", value: 2n ** 53n - 1n } },
      /feed_forward_length is 9007199254740991, and a whole number from 1 to 16777216/,
    ],
    [
      "a width for each layer",
      {
        "llama.feed_forward_length": {
          type: "array",
          itemType: "u32",
          items: Uint32Array.of(1, 2),
        },
      },
      /"llama\.feed_forward_length" is an array of u32/,
    ],
    [
      "heads of keys that do not divide the heads",
      { "llama.attention.head_count_kv": 5 },
      /5 heads of keys do not divide 32/,
    ],
    [
      "values of another width than keys",
      { "llama.attention.value_length": 32 },
      /values are 32 wide and keys 64/,
    ],
    ["an odd rotation", { "llama.rope.dimension_count": 63 }, /RoPE turns 63 columns of heads/],
    ["a rotation beyond the head", { "llama.rope.dimension_count": 66 }, /RoPE turns 66 columns/],
    [
      "a scaling that is not implemented",
      { "llama.rope.scaling.type": "longrope" },
      /RoPE scaling "longrope" is not supported; none, linear and yarn are/,
    ],
    ["a negative scaling", { "llama.rope.scaling.factor": -1 }, /scaling factor is -1/],
    ["experts", { "llama.expert_count": 8 }, /mixture of experts is not supported \(llama\.exp/],
    ["a sliding window", { "llama.attention.sliding_window": 4096 }, /sliding window is not supp/],
  ];
  for (const [what, changes, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(() => configWith(changes)).to.throw(InputError, message);
    });
  }
});
