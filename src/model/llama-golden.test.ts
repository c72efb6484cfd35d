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
import { openGgufFile } from "../corpus/files.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { referenceForward, roundingReferenceForward } from "../kernels/reference-forward.ts";
import { openWasmForward } from "../tensor/wasm-forward.ts";
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

interface Engine {
  readonly name: string;
  readonly open: () => ForwardKernels | Promise<ForwardKernels>;
}

const wasm: readonly Engine[] = [
  { name: "wasm", open: () => openWasmForward() },
  { name: "wasm on 2 threads", open: () => openWasmForward({ threads: 2 }) },
  {
    name: "wasm without relaxed SIMD",
    open: () => openWasmForward({ variant: { relaxed: false } }),
  },
];

describe("the forward pass on real weights", () => {
  for (const engine of [{ name: "the reference", open: () => referenceForward }, ...wasm]) {
    it(`agrees with llama.cpp in F32 by ${engine.name}`, async function () {
      const { model, tokenizer, golden } = await open(this, "f32", engine);
      const steps = await compare(model, golden);
      expect(steps).to.have.lengthOf(64);
      expect(Math.max(...steps.map(({ most }) => most))).to.be.below(sameArithmetic);
      await expectGreedy(model, tokenizer, golden);
    });

    it(`writes llama.cpp's text in Q8_0 by ${engine.name}`, async function () {
      const { model, tokenizer, golden } = await open(this, "q8_0", engine);
      await expectGreedy(model, tokenizer, golden);
    });
  }

  for (const format of ["q8_0", "q4_0", "q4_k_m"]) {
    it(`agrees with llama.cpp in ${format}, up to the rounding of activations`, async function () {
      const { model, golden } = await open(this, format, {
        name: "the reference",
        open: () => referenceForward,
      });
      const exact = await compare(model, golden);
      const rounded = await compare({ ...model, kernels: roundingReferenceForward }, golden);
      expectNoise(exact, rounded);
      expectSameCodes(rounded);
      for (const engine of wasm) {
        const fast = await compare((await open(this, format, engine)).model, golden);
        expectNoise(fast, exact);
        expectSameCodes(fast);
      }
    });
  }
});

/** That there are prompts for which no activation fell on the other side of a code, in any of 16 steps. */
function expectSameCodes(steps: readonly Step[]): void {
  const most = [0, 16, 32, 48].map((begin) =>
    Math.max(...steps.slice(begin, begin + 16).map((step) => step.most)),
  );
  expect(Math.min(...most)).to.be.below(sameArithmetic);
}

/** That `steps` differ from llama.cpp's by no more than rounding the activations changes in ours. */
function expectNoise(steps: readonly Step[], others: readonly Step[]): void {
  expect(Math.max(...steps.map(({ most }) => most))).to.be.below(noise.most);
  const ownNoise = meanSquare(steps.map(({ ours }, i) => difference(ours, others[i]!.ours)));
  const found = meanSquare(steps.map(({ ours, theirs }) => difference(ours, theirs)));
  expect(found).to.be.below(noise.ratio * ownNoise);
}

async function open(
  test: Mocha.Context,
  format: string,
  engine: Engine,
): Promise<{ model: Llama; tokenizer: Tokenizer; golden: Golden }> {
  const path = outsideData(test, `models/stories260K-${format}.gguf`);
  const goldenPath = outsideData(test, `golden/stories260K-${format}.golden.json`);
  const file = await openGgufFile(path);
  try {
    const model = await loadLlama(file, await engine.open());
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
