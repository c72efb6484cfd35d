import { expect } from "chai";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGgufFile, writeAtomically } from "../corpus/files.ts";
import { pairedDifference, perplexityOf, windowEstimate } from "../eval/perplexity.ts";
import { scoreText } from "../eval/score-text.ts";
import { stridedWindows } from "../eval/windows.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { openModel } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama } from "../model/llama.ts";
import { tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { convertGguf } from "../quant/blocks/convert.ts";
import { rejection } from "../testing.ts";
import { windowsOfStories } from "./calibration-windows.ts";
import {
  examineFile,
  examineVariants,
  type DegradationRow,
  type Examination,
  type ExaminationOptions,
} from "./degradation.ts";
import { quantVariantNamed } from "./quant-variants.ts";

const context = 32;
const text = "Once upon a time there was a little girl who had a dog and a boat. ".repeat(4);

function optionsFor(file: GgufFile): ExaminationOptions {
  const tokenizer = tokenizerFromGguf(file.metadata);
  return {
    openKernels: () =>
      Promise.resolve({
        ...{ kernels: referenceForward, numThreads: 1 },
        close: () => Promise.resolve(),
      }),
    calibration: () =>
      Promise.resolve(
        windowsOfStories(tokenizer, { numTokens: 128, numHeldOut: 32, contextLength: 32 }),
      ),
  };
}

function examination(file: GgufFile): Examination {
  const tokens = tokenizerFromGguf(file.metadata).encode(text);
  return {
    tokens,
    windows: stridedWindows(tokens.length, context, 16),
    numBytes: text.length,
    estimate: windowEstimate,
    questions: [{ context: "There was a", choices: [" dog", " boat"], answer: 0 }],
  };
}

async function rowsOf(file: GgufFile, ...names: string[]): Promise<DegradationRow[]> {
  const rows: DegradationRow[] = [];
  const variants = names.map(quantVariantNamed);
  for await (const row of examineVariants(file, variants, examination(file), optionsFor(file))) {
    rows.push(row);
  }
  return rows;
}

describe("degradation", () => {
  let file: GgufFile;
  let folder: string;
  before(async () => {
    file = await openModel(draftStoryModel());
    folder = mkdtempSync(join(tmpdir(), "infinity-degradation-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const convert = async (name: string): Promise<string> => {
    const path = join(folder, `${name}.gguf`);
    await writeAtomically(path, (sink) => convertGguf(file, name, sink));
    return path;
  };

  it("gives each format the figures that its own file has", async () => {
    const [q8, f16, q4] = await rowsOf(file, "q8_0", "F16", "q4_0");
    expect(f16).to.include({ quant: "f16", kl: 0, top1: 1, lossIncrease: 0, rmsDeltaP: 0 });
    expect(q8!.kl).to.be.within(1e-9, q4!.kl!);
    expect(q8!.rmsDeltaP).to.be.within(1e-9, q4!.rmsDeltaP!);
    for (const row of [q8!, f16!, q4!]) {
      const path = await convert(row.quant);
      expect(row.fileBytes).to.equal((await stat(path)).size);
      const stored = await openGgufFile(path);
      try {
        const alone = await examineFile(stored, examination(stored), optionsFor(stored));
        for (const key of ["ppl", "stderr", "bitsPerByte", "accuracy", "residentBytes"] as const) {
          expect(alone[key], key).to.equal(row[key]);
        }
        expect(alone.quant).to.equal(row.quant);
        expect([alone.kl, alone.top1, alone.lossIncrease]).to.deep.equal([null, null, null]);
      } finally {
        await stored.close();
      }
    }
  });

  it("pairs its losses with those of F16", async () => {
    const [row] = await rowsOf(file, "q4_0");
    const { tokens, windows } = examination(file);
    const [before, after] = await Promise.all(
      ["f16", "q4_0"].map(async (name) => {
        const stored = await openGgufFile(await convert(name));
        const model = await loadLlama(stored, referenceForward);
        await stored.close();
        const cache = new ContiguousKvCache(referenceForward, model.config, context);
        return scoreText({ model, cache }, tokens, windows);
      }),
    );
    const { mean, standardError } = pairedDifference(before!, after!);
    expect(row).to.include({ lossIncrease: mean, lossIncreaseStderr: standardError });
    expect(row!.ppl).to.equal(perplexityOf(windowEstimate(after!)).perplexity);
    // What both share falls out.
    expect(standardError).to.be.below(row!.stderr! / row!.ppl);
  });

  it("counts weights and cache where the kernels have them", async () => {
    const [row] = await rowsOf(file, "f32");
    const weights = file.tensors.reduce((total, { numBytes }) => total + numBytes, 0);
    // Two layers, keys and values, 2 heads of 8 each in float32.
    expect(row!.residentBytes).to.equal(weights + context * 2 * 2 * 2 * 8 * 4);
    expect(row!.bitsPerWeight).to.equal(32);
  });

  it("makes variants by methods that look at data, and leaves nothing on the disk", async () => {
    const left = (): string[] =>
      readdirSync(tmpdir()).filter((name) => name.startsWith("infinity-variant-"));
    const before = left();
    const [rtn, gptq] = await rowsOf(file, "rtn-q4_0", "gptq-4");
    expect([rtn!.quant, gptq!.quant]).to.deep.equal(["rtn-q4_0", "gptq-4"]);
    expect(gptq!.fileBytes).to.equal(rtn!.fileBytes);
    expect(gptq!.kl).to.not.equal(rtn!.kl);
    expect(left()).to.deep.equal(before);
  });

  it("refuses a model that is quantised already", async () => {
    const stored = await openGgufFile(await convert("q8_0"));
    try {
      const rows = examineVariants(stored, [], examination(stored), optionsFor(stored));
      const error = await rejection(rows.next());
      expect(error.message).to.match(/q8_0\.gguf is quantised already .*: leave out --quants/);
    } finally {
      await stored.close();
    }
  });
});

describe("names of variants", () => {
  it("are formats, methods with bits and methods with formats", () => {
    for (const name of ["q4_K_M", "gptq-3", "rtn-q3_k_s", "awq-4", "hqq-4", "k-quant-4"]) {
      expect(quantVariantNamed(name).name).to.equal(name.toLowerCase());
    }
  });

  it("are refused where nobody knows them or the method does not write them", () => {
    expect(() => quantVariantNamed("q4_2")).to.throw(/no quantisation q4_2; near it are q4_/);
    expect(() => quantVariantNamed("gptq-7")).to.throw(/writes no GGUF file with 7 bits/);
    expect(() => quantVariantNamed("hqq-q8_0")).to.throw(/hqq does not write q8_0/);
    expect(() => quantVariantNamed("best-4")).to.throw(/no quantisation best-4/);
  });
});
