/** The paged cache, judged by the contiguous one, on all kernels at hand. */
import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { randomInt, seededRng, shuffle } from "../core/rng.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { kvDtypes } from "../kernels/kv-rows.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { forwardEngines } from "../model/fixtures/forward-engines.ts";
import { draftModel, ggufValue, openModel, type ModelDraft } from "../model/fixtures/models.ts";
import { ContiguousKvCache, type KvCache } from "../model/kv-cache.ts";
import { forward, forwardBatch, loadLlama, prefill, type Llama } from "../model/llama.ts";
import { PagedKvCache, PagedKvMemory, type PagedKvOptions } from "./paged-kv-cache.ts";

/** What the project promises; measured differences are below 1e-7. */
const tolerance = 1e-5;

function load(kernels: ForwardKernels, draft: ModelDraft = draftModel("llama3")): Promise<Llama> {
  return openModel(draft).then((file) => loadLlama(file, kernels, { batchSize: 8 }));
}

function memoryOf(model: Llama, options: Partial<PagedKvOptions> = {}): PagedKvMemory {
  const sizes = { numBlocks: 12, blockSize: 4, watermark: 0, ...options };
  return new PagedKvMemory(model.kernels, model.config, sizes);
}

/** Takes and gives back all blocks, so that those that are taken next lie in no order. */
function scatter({ blocks }: PagedKvMemory): void {
  const order = shuffle(
    Array.from({ length: blocks.numBlocks }, (_, i) => i),
    seededRng(4),
  );
  for (const i of order) blocks.start(1000 + i, [1], { reusesPrefix: false });
  shuffle(order, seededRng(5));
  for (const i of order) blocks.release(1000 + i);
}

function randomTokens(count: number, seed: number): Int32Array {
  const rng = seededRng(seed);
  return Int32Array.from({ length: count }, () => randomInt(rng, 12));
}

/** The logits after a prompt, and after each of the next tokens. */
async function run(model: Llama, cache: KvCache, tokens: Int32Array): Promise<Float32Array[]> {
  const rows: Float32Array[] = [await prefill(model, tokens.subarray(0, 13), cache)];
  for (let i = 13; i < tokens.length; i++) {
    rows.push(await forward(model, tokens.subarray(i, i + 1), Int32Array.of(i), cache));
  }
  return rows;
}

function expectNear(
  found: readonly Float32Array[],
  wanted: readonly Float32Array[],
  most = tolerance,
): void {
  expect(found.length).to.equal(wanted.length);
  const differences = found.flatMap((row, i) =>
    Array.from(row, (value, j) => Math.abs(value - wanted[i]![j]!)),
  );
  expect(differences.every((difference) => difference <= most)).to.equal(
    true,
    `differences up to ${Math.max(...differences)}`,
  );
}

for (const [name, open] of Object.entries(forwardEngines)) {
  describe(`the paged KV cache: ${name}`, () => {
    let model: Llama;
    let contiguous: (tokens: Int32Array) => Promise<Float32Array[]>;
    before(async function () {
      model = await load(await open(this));
      contiguous = (tokens) =>
        run(model, new ContiguousKvCache(model.kernels, model.config, 24), tokens);
    });

    for (const blockSize of [1, 4, 16]) {
      it(`gives the logits of the contiguous one, in scattered blocks of ${blockSize}`, async () => {
        const memory = memoryOf(model, { blockSize, numBlocks: Math.ceil(60 / blockSize) });
        scatter(memory);
        const prompts = [randomTokens(20, 1), randomTokens(18, 2)];
        for (const [id, tokens] of prompts.entries()) {
          const cache = new PagedKvCache(memory, id);
          const found = await run(model, cache, tokens);
          expectNear(found, await contiguous(tokens));
        }
        if (blockSize > 1) return;
        const slots = memory.blocks.slots(0);
        expect(slots).to.not.deep.equal(slots.slice().sort());
      });
    }

    it("keeps what is forked apart, and copies no more than a block", async () => {
      const memory = memoryOf(model);
      const start = randomTokens(14, 3);
      const parent = new PagedKvCache(memory, 1);
      await prefill(model, start, parent);
      const child = parent.fork(2);
      expect(memory.blocks.numFree).to.equal(8);
      const both = [
        [...start, 1, 2, 3],
        [...start, 7, 8, 9],
      ];
      const wanted = await Promise.all(both.map((ids) => contiguous(Int32Array.from(ids))));
      for (let i = 14; i < 17; i++) {
        const rows = await forwardBatch(
          model,
          [parent, child].map((cache, which) => ({
            tokens: Int32Array.of(both[which]![i]!),
            positions: Int32Array.of(i),
            cache,
            wanted: "last" as const,
          })),
        );
        expectNear(rows, [wanted[0]![i - 12]!, wanted[1]![i - 12]!]);
      }
      // Three blocks shared, one each in the middle, one each for the 17th token.
      expect(memory.blocks.numFree).to.equal(12 - 3 - 2 - 2);
    });

    it("adopts the prefix of another, with the same logits", async () => {
      const memory = memoryOf(model);
      const tokens = randomTokens(13, 6);
      const first = new PagedKvCache(memory, 1);
      const wanted = await prefill(model, tokens, first);
      first.sequence.commit();
      const second = new PagedKvCache(memory, 2);
      expect(second.adoptPrefix(tokens)).to.equal(12);
      expect(second.slots).to.deep.equal(first.slots.subarray(0, 12));
      expectNear([await prefill(model, tokens.subarray(12), second)], [wanted]);
      expect(new PagedKvCache(memory, 3).adoptPrefix(tokens, "another tenant")).to.equal(0);
    });

    it("goes on after it was saved, freed and restored elsewhere", async () => {
      const memory = memoryOf(model);
      const tokens = randomTokens(16, 7);
      const wanted = await contiguous(tokens);
      const cache = new PagedKvCache(memory, 1);
      await prefill(model, tokens.subarray(0, 13), cache);
      const saved = await memory.save(cache.slots);
      expect(saved.reduce((sum, { length }) => sum + length, 0)).to.be.at.least(memory.bytesOf(13));
      cache.release();
      const other = new PagedKvCache(memory, 2);
      await prefill(model, randomTokens(24, 8), other);
      cache.sequence.start(tokens.subarray(0, 13), { reusesPrefix: false });
      memory.restore(cache.sequence.slots, saved);
      cache.sequence.compute(13);
      const rows: Float32Array[] = [];
      for (let i = 13; i < 16; i++) {
        rows.push(await forward(model, tokens.subarray(i, i + 1), Int32Array.of(i), cache));
      }
      expectNear(rows, wanted.slice(1));
    });

    it("takes a sequence up again where it was cut, as if the rest had never been", async () => {
      const memory = memoryOf(model);
      const tokens = randomTokens(20, 9);
      const cache = new PagedKvCache(memory, 1);
      await run(model, cache, tokens);
      cache.truncate(6);
      expect(memory.blocks.numFree).to.equal(10);
      const rest = await prefill(model, tokens.subarray(6, 13), cache);
      expectNear([rest], [(await contiguous(tokens))[0]!]);
    });
  });
}

describe("the paged KV cache", () => {
  it("says how much fits, and refuses more without a trace", async () => {
    const model = await load(referenceForward);
    const memory = memoryOf(model, { numBlocks: 3 });
    const cache = new PagedKvCache(memory, 1);
    expect(cache.numFree).to.equal(12);
    await prefill(model, randomTokens(6, 1), cache);
    expect(cache.numFree).to.equal(6);
    const child = cache.fork(2);
    // The half block is shared: to write to it takes the free one.
    expect([cache.numFree, child.numFree]).to.deep.equal([2, 2]);
    expect(() => cache.extend(new Int32Array(3))).to.throw(
      InputError,
      /no blocks for 3 tokens more: 1 blocks of 4 are free/,
    );
    expect(cache.slots.length).to.equal(6);
    expect(() => {
      cache.truncate(7);
    }).to.throw(InputError, /holds 6 tokens and cannot be cut to 7/);
    cache.release();
    child.release();
    expect(memory.blocks.numFree).to.equal(3);
  });

  /** With 40 columns of keys there would be no blocks of 32; this model has 64. */
  const wide = (): ModelDraft => {
    const draft = draftModel("llama3");
    draft.metadata.set("llama.attention.head_count_kv", ggufValue(4));
    for (const [name, tensor] of draft.tensors) {
      if (!/attn_[kv]\.weight/.test(name)) continue;
      const rows = new Float32Array(tensor.bytes.slice().buffer);
      const doubled = Float32Array.from(
        { length: 2 * rows.length },
        (_, i) => rows[i % rows.length]!,
      );
      draft.tensors.set(name, {
        ...tensor,
        shape: [tensor.shape[0]! * 2, tensor.shape[1]!],
        bytes: new Uint8Array(doubled.buffer),
      });
    }
    return draft;
  };

  it("loses little by keeping keys and values in fewer bits, the less the more there are", async () => {
    const model = await load(referenceForward, wide());
    const tokens = randomTokens(20, 10);
    const exact = await run(model, new PagedKvCache(memoryOf(model), 1), tokens);
    const errors = [];
    for (const dtype of kvDtypes) {
      const memory = memoryOf(model, { dtype });
      const rows = await run(model, new PagedKvCache(memory, 1), tokens);
      const squares = rows.flatMap((row, i) => Array.from(row, (x, j) => (x - exact[i]![j]!) ** 2));
      const signal = exact.flatMap((row) => Array.from(row, (x) => x ** 2));
      const mean = (values: number[]): number => values.reduce((a, b) => a + b) / values.length;
      errors.push({
        dtype,
        error: Math.sqrt(mean(squares) / mean(signal)),
        bytes: memory.numBytes,
      });
    }
    const [f32, f16, q8, q4] = errors.map(({ error }) => error);
    expect(f32).to.equal(0);
    // One rounding moves a number by up to 2⁻¹¹ of itself, or 1/254 or 1/16 of its block's largest.
    expect(f16).to.be.within(2 ** -14, 2 ** -10);
    expect(q8).to.be.within(2 ** -10, 1 / 32);
    expect(q4).to.be.within(1 / 32, 1 / 2);
    const bytes = errors.map((entry) => entry.bytes);
    expect(bytes.map((size) => size / bytes[0]!)).to.deep.equal([1, 1 / 2, 34 / 128, 18 / 128]);
  });

  for (const dtype of kvDtypes) {
    for (const engine of ["wasm", "webgpu"]) {
      it(`gives the reference's logits on ${engine} with keys and values in ${dtype}`, async function () {
        const tokens = randomTokens(20, 11);
        const results = [];
        for (const kernels of [referenceForward, await forwardEngines[engine]!(this)]) {
          const model = await load(kernels, wide());
          const cache = new PagedKvCache(memoryOf(model, { dtype, blockSize: 3, numBlocks: 8 }), 1);
          results.push(await run(model, cache, tokens));
        }
        // One key or value of thousands may lie so near the middle of two codes that both round differently.
        expectNear(results[1]!, results[0]!, dtype === "F32" ? tolerance : 1e-2);
      });
    }
  }
});
