/**
 * Real weights, judged by llama.cpp's log-probabilities of the whole vocabulary. With F32 weights both
 * compute the same sums. With others llama.cpp first rounds activations: to float16 before F16 weights,
 * to Q8_0 before blocks of 32. Kernels that do the same to ours agree with it to the digits that were
 * printed, until one activation lies so near the middle of two codes that float32's rounding decides:
 * from there on the two differ by the noise of 8-bit activations. The reference kernels, which round
 * nothing, must differ by no more than that noise.
 */
import { expect } from "chai";
import { readFileSync } from "node:fs";
import type { Dtype } from "../core/dtypes.ts";
import { f16ArrayToF32, f32ArrayToF16 } from "../core/half.ts";
import { openGgufFile } from "../corpus/files.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import { outsideData } from "../testing.ts";
import { ContiguousKvCache } from "./kv-cache.ts";
import { forward, loadLlama, prefill, type Llama } from "./llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "./tokenizer/tokenizer.ts";

interface Golden {
  readonly cases: readonly {
    readonly prompt: string;
    readonly promptIds: readonly number[];
    /** Greedy. */
    readonly ids: readonly number[];
    readonly text: string;
    readonly steps: readonly { readonly id: number; readonly logprobs: readonly number[] }[];
  }[];
}

/** Five digits are printed after the point; the rest is float32's rounding of sums, in another order. */
const printed = 5e-6;
const sameArithmetic = printed + 5e-5;

/** How much our log-probabilities may differ from llama.cpp's where the activations are rounded. */
const noise = {
  /** Measured 0.34 at most: single tokens that are e^-20 likely are moved most. */
  most: 0.5,
  /** Mean of the squared differences, as a multiple of what rounding the activations changes in ours. */
  ratio: 1.5,
};

describe("the forward pass on real weights", function () {
  this.timeout(120_000);

  it("agrees with llama.cpp in F32", async function () {
    const { model, tokenizer, golden } = await open(this, "f32", referenceForward);
    const steps = await compare(model, golden);
    expect(steps).to.have.lengthOf(64);
    expect(Math.max(...steps.map(({ most }) => most))).to.be.below(sameArithmetic);
    await expectGreedy(model, tokenizer, golden);
  });

  it("writes llama.cpp's text in Q8_0", async function () {
    const { model, tokenizer, golden } = await open(this, "q8_0", referenceForward);
    await expectGreedy(model, tokenizer, golden);
  });

  for (const format of ["q8_0", "q4_0", "q4_k_m"]) {
    it(`agrees with llama.cpp in ${format}, up to the rounding of activations`, async function () {
      const { model, golden } = await open(this, format, referenceForward);
      const exact = await compare(model, golden);
      const rounded = await compare({ ...model, kernels: roundingActivations }, golden);

      // Prompts for which no activation fell on the other side of a code, in any of 16 steps.
      const sameCodes = golden.cases.filter((_, i) =>
        rounded.slice(16 * i, 16 * i + 16).every(({ most }) => most < sameArithmetic),
      );
      expect(sameCodes.length).to.be.at.least(1);

      expect(Math.max(...exact.map(({ most }) => most))).to.be.below(noise.most);
      const ownNoise = meanSquare(exact.map(({ ours }, i) => difference(ours, rounded[i]!.ours)));
      const found = meanSquare(exact.map(({ ours, theirs }) => difference(ours, theirs)));
      expect(found).to.be.below(noise.ratio * ownNoise);
    });
  }
});

/** As llama.cpp's CPU kernels do before they multiply. */
const roundingActivations: ForwardKernels = {
  ...referenceForward,
  matmul(x: { numRows: number; numCols: number; values: Float32Array<ArrayBuffer> }, W, out) {
    const values = roundedFor(W.dtype, x.values);
    const rounded = { numRows: x.numRows, numCols: x.numCols, values };
    referenceForward.matmul(rounded, W, out);
  },
};

function roundedFor(weights: Dtype, x: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (weights === "F32") return x;
  if (weights === "F16") return f16ArrayToF32(f32ArrayToF16(x));
  return dequantizeBlocks("Q8_0", quantizeBlocks("Q8_0", x), x.length);
}

async function open(
  test: Mocha.Context,
  format: string,
  kernels: ForwardKernels,
): Promise<{ model: Llama; tokenizer: Tokenizer; golden: Golden }> {
  const path = outsideData(test, `models/stories260K-${format}.gguf`);
  const goldenPath = outsideData(test, `golden/stories260K-${format}.golden.json`);
  const file = await openGgufFile(path);
  try {
    const model = await loadLlama(file, kernels);
    const golden = JSON.parse(readFileSync(goldenPath, "utf8")) as Golden;
    return { model, tokenizer: tokenizerFromGguf(file.metadata), golden };
  } finally {
    await file.close();
  }
}

interface Step {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  /** The largest difference of a token's log-probability. */
  readonly most: number;
}

/** Log-probabilities at each of llama.cpp's steps, after the tokens that it chose. */
async function compare(model: Llama, { cases }: Golden): Promise<Step[]> {
  const all: Step[] = [];
  for (const { promptIds, steps } of cases) {
    const cache = new ContiguousKvCache(model.kernels, model.config, promptIds.length + 16);
    let logits = await prefill(model, Int32Array.from(promptIds), cache);
    for (const { id, logprobs } of steps) {
      const ours = logSoftmax(logits);
      const most = Math.max(...difference(ours, logprobs).map(Math.abs));
      all.push({ ours, theirs: logprobs, most });
      const position = Int32Array.of(cache.slots.length);
      logits = await forward(model, Int32Array.of(id), position, cache);
    }
  }
  return all;
}

/** All 48 greedy tokens of every prompt, and their text. */
async function expectGreedy(model: Llama, tokenizer: Tokenizer, golden: Golden): Promise<void> {
  for (const { prompt, promptIds, ids, text } of golden.cases) {
    expect([...tokenizer.encode(prompt)]).to.deep.equal(promptIds);
    const cache = new ContiguousKvCache(model.kernels, model.config, promptIds.length + ids.length);
    let logits = await prefill(model, Int32Array.from(promptIds), cache);
    const found: number[] = [];
    while (found.length < ids.length) {
      const id = logits.indexOf(Math.max(...logits));
      found.push(id);
      const position = Int32Array.of(cache.slots.length);
      logits = await forward(model, Int32Array.of(id), position, cache);
    }
    expect(found).to.deep.equal(ids);
    expect(tokenizer.decode(found, { continuation: true })).to.equal(text);
  }
}

function logSoftmax(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Array.from(logits, (logit) => logit - largest - Math.log(sum));
}

function difference(a: readonly number[], b: readonly number[]): number[] {
  expect(a.length).to.equal(b.length);
  return a.map((value, i) => value - b[i]!);
}

function meanSquare(rows: readonly (readonly number[])[]): number {
  const all = rows.flat();
  return all.reduce((total, value) => total + value * value, 0) / all.length;
}
