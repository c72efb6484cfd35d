import { expect } from "chai";
import { readFileSync } from "node:fs";
import { seededRng, randomInt } from "../core/rng.ts";
import { openGgufFile } from "../corpus/files.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { draftModel, openModel } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama, prefill } from "../model/llama.ts";
import { tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { openWasmForward } from "../tensor/wasm-forward.ts";
import { outsideData, rejection } from "../testing.ts";
import { logProbability } from "./log-probability.ts";
import { perplexityOf, tokenEstimate } from "./perplexity.ts";
import { Expectations } from "./expectations.ts";
import { scoreText, scoredBytes } from "./score-text.ts";
import type { Scorer } from "./scored-rows.ts";
import { llamaCppWindows, stridedWindows } from "./windows.ts";

/** Batches round float32 sums in no other way, so sums in float64 differ by their own rounding only. */
const sameSums = 1e-12;

const numTokens = 300;
const text = tokensOf(12);

function tokensOf(vocabSize: number): Int32Array {
  const rng = seededRng(3);
  return Int32Array.from({ length: numTokens }, () => randomInt(rng, vocabSize));
}

/** The random model of 12 tokens that looks back on 64; `change` may spoil its output matrix. */
async function scorer(
  batchSize = 128,
  change: (output: Float32Array) => void = () => undefined,
): Promise<Scorer> {
  const draft = draftModel("llama3");
  const output = draft.tensors.get("output.weight")!;
  const values = new Float32Array(new Uint8Array(output.bytes).buffer);
  change(values);
  output.bytes = new Uint8Array(values.buffer);
  const model = await loadLlama(await openModel(draft), referenceForward, { batchSize });
  return { model, cache: new ContiguousKvCache(model.kernels, model.config, 64) };
}

/** The loss of one token after others, from a forward pass of its own. */
async function lossAfter(
  { model, cache }: Scorer,
  before: Int32Array,
  target: number,
): Promise<number> {
  cache.truncate(0);
  return -logProbability(await prefill(model, before, cache), target);
}

describe("scoring a text", () => {
  it("of a model that expects every token alike gives a perplexity of its vocabulary", async () => {
    const uniform = await scorer(128, (output) => output.fill(0));
    for (const windows of [stridedWindows(numTokens, 64, 32), llamaCppWindows(numTokens, 64, 1)]) {
      const { losses } = await scoreText(uniform, text, windows);
      const { perplexity, standardError } = perplexityOf(tokenEstimate(losses));
      expect(perplexity).to.be.closeTo(12, 1e-12);
      expect(standardError).to.be.below(1e-12);
    }
  });

  it("with stride 1 is exact conditioning, by brute force", async () => {
    const own = await scorer();
    const context = 9;
    const { losses } = await scoreText(own, text, stridedWindows(numTokens, context, 1));
    expect(losses).to.have.lengthOf(numTokens - 1);
    for (let i = 1; i < numTokens; i++) {
      const before = text.subarray(Math.max(0, i - context + 1), i);
      expect(losses[i - 1]).to.be.closeTo(await lossAfter(own, before, text[i]!), sameSums);
    }
  });

  it("by llama.cpp's method is the same by brute force, begin token included", async () => {
    const own = await scorer();
    const { losses } = await scoreText(own, text, llamaCppWindows(numTokens, 64, 7));
    const expected: number[] = [];
    for (let begin = 0; begin + 64 <= numTokens; begin += 64) {
      const chunk = text.slice(begin, begin + 64);
      chunk[0] = 7;
      for (let i = 33; i < 64; i++) {
        expected.push(await lossAfter(own, chunk.subarray(0, i), text[begin + i]!));
      }
    }
    expect(losses).to.have.lengthOf(4 * 31);
    for (const [i, loss] of losses.entries()) expect(loss).to.be.closeTo(expected[i]!, sameSums);
    // Negative control: without the begin token it is another figure.
    const without = await scoreText(own, text, llamaCppWindows(numTokens, 64));
    expect(Math.abs(without.losses[0]! - losses[0]!)).to.be.above(1e-4);
  });

  it("does not depend on how many tokens go through the model together", async () => {
    const windows = stridedWindows(numTokens, 64, 40);
    const [first, ...others] = await Promise.all(
      [128, 17, 1].map(async (batchSize) => scoreText(await scorer(batchSize), text, windows)),
    );
    for (const { losses } of others) expect(losses).to.deep.equal(first!.losses);
  });

  it("counts what a model's distributions lost against the original's", async () => {
    const windows = stridedWindows(numTokens, 64, 32);
    const same = await scoreText(await scorer(), text, windows, {
      original: new Expectations(await scorer(50), text),
    });
    expect(same.original!.losses).to.deep.equal(same.losses);
    expect(same.original!.divergence).to.deep.equal({
      kl: 0,
      top1: 1,
      rmsDeltaP: 0,
      numPositions: 299,
    });
    const uniform = await scorer(128, (output) => output.fill(0));
    const { original, losses } = await scoreText(uniform, text, windows, {
      original: new Expectations(await scorer(), text),
    });
    // KL(p ‖ uniform) = ln 12 − entropy, and the uniform model's losses are all ln 12.
    expect(original!.divergence.kl).to.be.within(1e-3, Math.log(12));
    expect(losses[0]).to.be.closeTo(Math.log(12), sameSums);
    expect(original!.divergence.top1).to.be.below(0.5);
  });

  it("runs the original once where its logits fit into memory, and again where not", async () => {
    const windows = stridedWindows(numTokens, 64, 32);
    const figures: unknown[] = [];
    // Nine windows, of which all but the first take a pass for what is not scored.
    const numPasses = 9 + 8;
    for (const [mostBytes, numKept] of [
      [2 ** 20, numPasses],
      // The first two windows fit: 63 and 32 tokens of 12 logits.
      [4 * 12 * (63 + 32), 1 + 2],
      [0, 0],
    ] as const) {
      let passes = 0;
      const pause = (): void => {
        passes++;
      };
      const original = new Expectations(await scorer(), text, { mostBytes, pause });
      const quant = await scorer(128, (output) => (output[0]! += 1));
      const first = await scoreText(quant, text, windows, { original });
      expect(await scoreText(quant, text, windows, { original })).to.deep.equal(first);
      expect(passes).to.equal(2 * numPasses - numKept);
      figures.push(first);
    }
    expect(figures[1]).to.deep.equal(figures[0]);
    expect(figures[2]).to.deep.equal(figures[0]);
  });

  it("says how many tokens ran, how long, and how far it is", async () => {
    const seen: (readonly [number, number])[] = [];
    let time = 0;
    const { numRun, elapsedMs } = await scoreText(
      await scorer(),
      text,
      stridedWindows(numTokens, 64, 64),
      {
        now: () => (time += 5),
        progress: {
          update: (done, total) => void seen.push([done, total]),
          finish: () => void seen.push([-1, -1]),
        },
      },
    );
    // Four windows of 64 and one of 44, each without its last token; the clock runs 5 ms a call.
    expect([numRun, elapsedMs]).to.deep.equal([4 * 63 + 43, 10 * 5]);
    expect(seen).to.deep.equal([
      [0, 5],
      [1, 5],
      [2, 5],
      [3, 5],
      [4, 5],
      [-1, -1],
    ]);
  });

  it("fails where the cache is too small, where a token is none, and where it is stopped", async () => {
    const own = await scorer();
    const small = { ...own, cache: new ContiguousKvCache(referenceForward, own.model.config, 20) };
    const windows = stridedWindows(numTokens, 64, 32);
    expect((await rejection(scoreText(small, text, windows))).message).to.match(/room for 20/);
    const strange = text.map((token) => token + 1);
    expect((await rejection(scoreText(own, strange, windows))).message).to.match(/12 is no token/);
    const pause = (): never => {
      throw new Error("stopped");
    };
    expect((await rejection(scoreText(own, text, windows, { pause }))).message).to.equal("stopped");
  });
});

describe("bytes of scored tokens", () => {
  it("are those of the text, whatever the tokenizer puts before it", async () => {
    const { metadata } = await openModel(draftStoryModel());
    const tokenizer = tokenizerFromGguf(metadata);
    for (const said of ["Once upon a time", " žluťoučký\nkůň 🐎 ", "x"]) {
      const tokens = tokenizer.encode(said);
      expect(tokens[0]).to.equal(tokenizer.vocabulary.bos);
      const windows = stridedWindows(tokens.length, 4, 2);
      expect(scoredBytes(tokenizer, tokens, windows)).to.equal(Buffer.byteLength(said));
      // A window that begins later has neither the begin token nor the space.
      const rest = [{ begin: 1, end: tokens.length, scoreFrom: 2 }];
      const bytes = [...tokens.subarray(2)].map((token) => tokenizer.pieceOf(token).length);
      expect(scoredBytes(tokenizer, tokens, rest)).to.equal(bytes.reduce((a, b) => a + b, 0));
    }
  });
});

describe("perplexity by llama.cpp's method", () => {
  // What llama-perplexity prints for the first 64 chunks of 512 tokens, and its standard error.
  const figures = [
    ["f32", 279.38, 10.6],
    ["q4_0", 294.04, undefined],
  ] as const;
  for (const [format, perplexity, standardError] of figures) {
    it(`is llama.cpp's figure for WikiText-2 in ${format} within 0.5 %`, async function () {
      const path = outsideData(this, `models/stories260K-${format}.gguf`);
      const textPath = outsideData(this, "text/wikitext2-test.txt");
      const kernels = await openWasmForward({ threads: 2 });
      const file = await openGgufFile(path);
      try {
        const model = await loadLlama(file, kernels);
        const tokenizer = tokenizerFromGguf(file.metadata);
        // 64 chunks need no more than this of the text.
        const tokens = tokenizer.encode(readFileSync(textPath, "utf8").slice(0, 200_000));
        const windows = llamaCppWindows(tokens.length, 512, tokenizer.vocabulary.bos).slice(0, 64);
        expect(windows).to.have.lengthOf(64);
        const cache = new ContiguousKvCache(kernels, model.config, 512);
        const { losses } = await scoreText({ model, cache }, tokens, windows);
        const found = perplexityOf(tokenEstimate(losses));
        expect(found.perplexity / perplexity).to.be.within(0.995, 1.005);
        if (standardError) expect(found.standardError).to.be.closeTo(standardError, 0.05);
      } finally {
        await file.close();
        await kernels.close();
      }
    });
  }
});
