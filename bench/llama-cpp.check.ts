/**
 * What llama.cpp says of our files and our arithmetic: every format that we write loads and gives the
 * same log-probabilities there, and the 1.1B shape the same ranking of next tokens. `make oracles` runs
 * this; node-llama-cpp is too large for `make test`.
 */
import { expect } from "chai";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGgufFile, writeAtomically } from "../src/corpus/files.ts";
import type { ForwardKernels } from "../src/kernels/forward-kernels.ts";
import { roundingReferenceForward } from "../src/kernels/reference-forward.ts";
import { ContiguousKvCache } from "../src/model/kv-cache.ts";
import { loadLlama, prefill } from "../src/model/llama.ts";
import { convertGguf } from "../src/quant/blocks/convert.ts";
import { recipeNames } from "../src/quant/blocks/recipe.ts";
import { openForwardKernels, type ForwardRequest } from "../src/tensor/open-forward.ts";
import { outsideData } from "../src/testing.ts";
import { startLlamaCpp, type LlamaCpp } from "./llama-cpp.ts";
import { makeRandomModel, shape1B, shapeSmall } from "./random-model.ts";

/** Float32's rounding of sums, in another order. */
const sameArithmetic = 5e-5;
/**
 * llama.cpp rounds activations before it multiplies, as our fast kernels do. What that changes in a
 * model, the two reference kernels say, of which one rounds; root mean squares of log-probabilities may
 * differ by so many times as much. Measured: 2.4 at most.
 */
const noiseRatio = 3;
/** Tokens may change places where they lie closer together than four such errors of each. */
const clearGap = 8;

const build = join(import.meta.dirname, "build");
const tokens = [1, 261, 300, 17, 402, 333, 290, 511];

describe("llama.cpp", function () {
  this.timeout(600_000);
  let folder: string;
  let llama: LlamaCpp;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-oracle-"));
    llama = await startLlamaCpp(2);
  });
  after(async () => {
    rmSync(folder, { recursive: true });
    await llama.dispose();
  });

  const convert = async (from: string, recipe: string): Promise<string> => {
    const path = join(folder, `${recipe}.gguf`);
    const file = await openGgufFile(from);
    try {
      await writeAtomically(path, (sink) => convertGguf(file, recipe, sink, {}));
    } finally {
      await file.close();
    }
    return path;
  };

  /** Returns what was compared, and how far apart two tokens must be to keep their places. */
  const expectAgreement = async (
    path: string,
  ): Promise<{ fast: Float64Array; said: Float64Array; gap: number }> => {
    const exact = await ours(path, { device: "reference" });
    const rounding = await logProbabilitiesOn(roundingReferenceForward, path);
    const fast = await ours(path, { device: "cpu", threads: 2 });
    const said = logProbabilities(await theirLogits(llama, path));
    const noise = rootMeanSquare(exact, rounding);
    expect(rootMeanSquare(exact, said)).to.be.lessThan(noiseRatio * noise + sameArithmetic);
    expect(rootMeanSquare(fast, said)).to.be.lessThan(noiseRatio * noise + sameArithmetic);
    return { fast, said, gap: clearGap * noise };
  };

  for (const recipe of recipeNames) {
    it(`loads ${recipe} as we write it, and says what we say`, async () => {
      const source = join(build, `${shapeSmall.name}-f32.gguf`);
      await makeRandomModel(source, shapeSmall, "f32");
      await expectAgreement(await convert(source, recipe));
    });
  }

  for (const recipe of ["f32", "f16", "q8_0", "q4_0", "q4_k_m", "q6_k"]) {
    it(`runs stories260K as ${recipe}`, async function () {
      const source = outsideData(this, "models/stories260K-f32.gguf");
      await expectAgreement(await convert(source, recipe));
    });
  }

  for (const recipe of ["q4_0", "q8_0", "q4_k_m"]) {
    it(`ranks the next tokens of the 1.1B shape in ${recipe} as we do`, async () => {
      const path = join(build, `${shape1B.name}-${recipe}.gguf`);
      await makeRandomModel(path, shape1B, recipe);
      const { fast, said, gap } = await expectAgreement(path);
      const ranked = [...said.keys()].sort((a, b) => said[b]! - said[a]!).slice(0, 200);
      let numPairs = 0;
      for (const [place, token] of ranked.entries()) {
        for (const other of ranked.slice(place + 1)) {
          if (said[token]! - said[other]! < gap) continue;
          expect(fast[token]).to.be.greaterThan(fast[other]!);
          numPairs++;
        }
      }
      expect(numPairs).to.be.greaterThan(100);
    });
  }
});

/** What may follow `tokens`, on kernels that are opened for it. */
async function ours(path: string, request: ForwardRequest): Promise<Float64Array> {
  const { kernels, close } = await openForwardKernels(request);
  return logProbabilitiesOn(kernels, path).finally(close);
}

async function logProbabilitiesOn(kernels: ForwardKernels, path: string): Promise<Float64Array> {
  const file = await openGgufFile(path);
  try {
    const model = await loadLlama(file, kernels);
    const cache = new ContiguousKvCache(kernels, model.config, tokens.length);
    return logProbabilities(await prefill(model, Int32Array.from(tokens), cache));
  } finally {
    await file.close();
  }
}

async function theirLogits(llama: LlamaCpp, modelPath: string): Promise<Float32Array> {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
  const context = await model.createContext({
    ...{ contextSize: 64, batchSize: 64, threads: 2 },
    // Its flash attention computes in float16, as a cache of float16 does.
    flashAttention: false,
    ...{ experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32" },
  });
  try {
    const last = [tokens.at(-1)!, { generateNext: { logits: true } }] as const;
    const answers = await context.getSequence().controlledEvaluate([...tokens.slice(0, -1), last]);
    const logits = answers.at(-1)!.next.logits!;
    return Float32Array.from({ length: logits.size }, (_, id) => logits.get(id)!);
  } finally {
    await model.dispose();
  }
}

function logProbabilities(logits: Float32Array): Float64Array {
  const peak = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - peak), 0);
  return Float64Array.from(logits, (logit) => logit - peak - Math.log(sum));
}

function rootMeanSquare(a: Float64Array, b: Float64Array): number {
  expect(a.length).to.equal(b.length);
  const squares = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
  return Math.sqrt(squares / a.length);
}
