import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { quantizeBlocks, type QuantizableDtype } from "../quant/blocks/quantize.ts";
import { rejection } from "../testing.ts";
import { draftModel, ggufValue, golden, openModel, type ModelDraft } from "./fixtures/models.ts";
import { ContiguousKvCache } from "./kv-cache.ts";
import { forward, loadLlama, prefill, type Llama } from "./llama.ts";

/**
 * Between kernels values are rounded to float32: some 30 roundings of 2⁻²⁴ one after the other, times
 * 10 for logits and for what norms and softmax magnify.
 */
const tolerance = 30 * 2 ** -24 * 10;

const tokens = Int32Array.from(golden.tokens);

async function load(draft: ModelDraft, batchSize?: number): Promise<Llama> {
  return loadLlama(await openModel(draft), referenceForward, batchSize ? { batchSize } : {});
}

function cacheFor({ kernels, config }: Llama, capacity: number = tokens.length): ContiguousKvCache {
  return new ContiguousKvCache(kernels, config, capacity);
}

/** Logits after every token, one forward pass each. */
async function decodeAll(model: Llama): Promise<Float32Array[]> {
  const cache = cacheFor(model);
  const all: Float32Array[] = [];
  for (const [i, token] of tokens.entries()) {
    all.push(await forward(model, Int32Array.of(token), Int32Array.of(i), cache));
  }
  return all;
}

function worstDifference(
  found: readonly ArrayLike<number>[],
  wanted: readonly ArrayLike<number>[],
): number {
  expect(found.map(({ length }) => length)).to.deep.equal(wanted.map(({ length }) => length));
  const differences = found.flatMap((row, i) =>
    Array.from(row, (value, j) => Math.abs(value - wanted[i]![j]!)),
  );
  return differences.reduce((most, value) => (value <= most ? most : value), 0);
}

describe("the forward pass", () => {
  for (const [name, { logits }] of Object.entries(golden.models)) {
    it(`gives the logits of NumPy's float64: ${name}`, async () => {
      const model = await load(draftModel(name));
      expect(worstDifference(await decodeAll(model), logits)).to.be.below(tolerance);
    });

    it(`gives the same logits for a prompt at once, in batches and token by token: ${name}`, async () => {
      const one = (await decodeAll(await load(draftModel(name)))).at(-1);
      for (const batchSize of [tokens.length, 4, 1]) {
        const model = await load(draftModel(name), batchSize);
        expect(await prefill(model, tokens, cacheFor(model))).to.deep.equal(one);
      }
    });
  }

  /** What the golden logits depend on: without it they differ by far more than the tolerance. */
  const controls: readonly (readonly [string, string, (draft: ModelDraft) => void])[] = [
    ["RoPE's factors", "llama3", ({ tensors }) => tensors.delete("rope_freqs.weight")],
    [
      "RoPE's base",
      "llama3",
      ({ metadata }) => metadata.set("llama.rope.freq_base", ggufValue(1000)),
    ],
    ["linear scaling", "qwen2", ({ metadata }) => metadata.delete("qwen2.rope.scaling.factor")],
    ["the pairing of columns", "qwen2", asLlama],
    ["biases", "qwen2", ({ tensors }) => tensors.delete("blk.1.attn_k.bias")],
    ["YaRN's factor", "yarn", ({ metadata }) => metadata.delete("llama.rope.scaling.factor")],
    ["YaRN's ramp", "yarn", ({ metadata }) => metadata.delete("llama.rope.scaling.yarn_beta_fast")],
    [
      "partial rotation",
      "yarn",
      ({ metadata }) => metadata.set("llama.rope.dimension_count", ggufValue(16)),
    ],
    [
      "the epsilon",
      "yarn",
      ({ metadata }) => metadata.set("llama.attention.layer_norm_rms_epsilon", ggufValue(0.01)),
    ],
  ];
  for (const [what, name, change] of controls) {
    it(`depends on ${what}`, async () => {
      const draft = draftModel(name);
      change(draft);
      const found = await decodeAll(await load(draft));
      expect(worstDifference(found, golden.models[name]!.logits)).to.be.above(100 * tolerance);
    });
  }

  const stored: readonly QuantizableDtype[] = ["F16", "BF16", "Q8_0", "Q5_0", "Q4_0", "IQ4_NL"];
  for (const dtype of stored) {
    it(`computes with ${dtype} as with the values that it stands for`, async () => {
      const [blocks, values] = [draftModel("llama3"), draftModel("llama3")];
      // Rows of 40 divide into no blocks.
      const matrices = [...blocks.tensors].filter(([, { shape }]) => shape[1] === 32);
      expect(matrices).to.have.lengthOf(14);
      for (const [, tensor] of matrices) {
        const weights = new Float32Array(tensor.bytes.slice().buffer);
        Object.assign(tensor, { dtype, bytes: quantizeBlocks(dtype, weights) });
      }
      const file = await openModel(blocks);
      for (const [name] of matrices) {
        const decoded = await file.readFloat32(name);
        values.tensors.get(name)!.bytes = new Uint8Array(decoded.buffer);
      }
      expect(await decodeAll(await load(blocks))).to.deep.equal(
        await decodeAll(await load(values)),
      );
    });
  }

  it("takes a sequence up again where the cache was cut", async () => {
    const model = await load(draftModel("qwen2"));
    const cache = cacheFor(model);
    const whole = await prefill(model, tokens, cache);
    cache.truncate(4);
    expect(await prefill(model, tokens.subarray(4), cache)).to.deep.equal(whole);
  });

  it("refuses what it cannot run, and leaves the cache as it was", async () => {
    const model = await load(draftModel("llama3"), 4);
    const cache = cacheFor(model, 6);
    const run = (ids: number[], positions: number[]): Promise<unknown> =>
      forward(model, Int32Array.from(ids), Int32Array.from(positions), cache);
    const failures: readonly (readonly [Promise<unknown>, RegExp])[] = [
      [run([], []), /takes 1 to 4 tokens and a position for each, not 0 and 0/],
      [run([1, 2, 3, 4, 5], [0, 1, 2, 3, 4]), /not 5 and 5/],
      [run([1, 2], [0]), /not 2 and 1/],
      [run([12], [0]), /12 is no token: the vocabulary has 12/],
      [run([-1], [0]), /-1 is no token/],
      [run([1], [-2]), /-2 is no position/],
      [prefill(model, new Int32Array(), cache), /The prompt is empty/],
      [prefill(model, tokens, cache), /The prompt has 9 tokens, and there is room for 6/],
    ];
    for (const [promise, message] of failures) {
      const error = await rejection(promise);
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
    }
    expect(cache.slots.length).to.equal(0);
  });
});

/** The same numbers under the architecture whose pairs are neighbours. */
function asLlama({ metadata }: ModelDraft): void {
  for (const [key, value] of [...metadata]) {
    metadata.set(key.replace(/^qwen2\./, "llama."), value);
  }
  metadata.set("general.architecture", ggufValue("llama"));
}
