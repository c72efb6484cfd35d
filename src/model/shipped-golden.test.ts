/**
 * The shipped models, judged by llama.cpp's log-probabilities of the whole vocabulary. With their
 * weights as F32 both compute the same sums, and only their order differs. With the F16 file llama.cpp
 * rounds activations to float16, as our wasm kernels do: the two agree as closely until float32's
 * rounding puts one activation on the other side of a half step, and from there on by that noise.
 */
import { expect } from "chai";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileSource, openGgufFile } from "../corpus/files.ts";
import {
  shippedModel,
  shippedModelNames,
  type ShippedModelName,
} from "../corpus/shipped-models.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { MemorySink } from "../formats/byte-sink.ts";
import { openGguf, type GgufFile } from "../formats/gguf/gguf-file.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { referenceForward, roundingReferenceForward } from "../kernels/reference-forward.ts";
import { convertGguf } from "../quant/blocks/convert.ts";
import { openWasmForward } from "../tensor/wasm-forward.ts";
import { ContiguousKvCache } from "./kv-cache.ts";
import { forward, loadLlama, prefill, type Llama } from "./llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "./tokenizer/tokenizer.ts";

interface Case {
  readonly dtype: "F16" | "F32";
  readonly tensor: string;
  readonly prompt: string;
  readonly promptIds: readonly number[];
  /** Greedy. */
  readonly ids: readonly number[];
  /** For each of `ids`, of the whole vocabulary. */
  readonly logProbabilities: readonly Float32Array[];
}

/** Nats, of any token however unlikely. Measured: 3.4e-5 in F32; with roundings up to 8.2e-3. */
const tolerances = { F32: 1e-4, F16: 2e-2 } as const;

const engines: Readonly<Record<string, () => ForwardKernels | Promise<ForwardKernels>>> = {
  reference: () => roundingReferenceForward,
  wasm: () => openWasmForward(),
  "wasm on 2 threads": () => openWasmForward({ threads: 2 }),
};

describe("the shipped models", () => {
  for (const name of shippedModelNames) {
    for (const [engine, open] of Object.entries(engines)) {
      it(`${name}: ${engine} computes what llama.cpp computes`, async () => {
        for (const dtype of ["F32", "F16"] as const) {
          const { model, tokenizer } = await load(name, dtype, await open());
          for (const golden of await goldenOf(name, dtype)) {
            expect([...tokenizer.encode(golden.prompt)]).to.deep.equal(golden.promptIds);
            const ours = await greedy(model, golden.promptIds, golden.ids.length);
            expect(ours.ids).to.deep.equal(golden.ids);
            for (const [i, theirs] of golden.logProbabilities.entries()) {
              const most = mostDifference(ours.logProbabilities[i]!, theirs);
              expect(most, `${dtype}, step ${i}`).to.be.below(tolerances[dtype]);
            }
          }
        }
      });
    }
  }

  it("a weight that is wrong by a thousandth would be noticed", async () => {
    const [golden] = await goldenOf("draft", "F32");
    const { model } = await load("draft", "F32", referenceForward);
    const norm = model.weights.outputNorm;
    const values = await model.kernels.read(norm);
    values[0]! *= 1.001;
    model.kernels.write(values, norm);
    const ours = await greedy(model, golden!.promptIds, 1);
    const most = mostDifference(ours.logProbabilities[0]!, golden!.logProbabilities[0]!);
    expect(most).to.be.above(tolerances.F32);
  });
});

async function load(
  name: ShippedModelName,
  dtype: Case["dtype"],
  kernels: ForwardKernels,
): Promise<{ model: Llama; tokenizer: Tokenizer }> {
  const shipped = await openGgufFile(shippedModel(name));
  try {
    const file = dtype === "F16" ? shipped : await asF32(shipped);
    return { model: await loadLlama(file, kernels), tokenizer: tokenizerFromGguf(file.metadata) };
  } finally {
    await shipped.close();
  }
}

async function asF32(file: GgufFile): Promise<GgufFile> {
  const sink = new MemorySink();
  await convertGguf(file, "f32", sink);
  return openGguf(bytesSource("f32.gguf", sink.bytes()));
}

async function goldenOf(name: ShippedModelName, dtype: Case["dtype"]): Promise<Case[]> {
  const source = await fileSource(
    join(import.meta.dirname, `fixtures/${name}-llama-cpp.safetensors`),
  );
  try {
    const file = await openSafetensors(source);
    const model = readFileSync(shippedModel(name));
    // Golden values of another model say nothing about this one.
    expect(file.metadata.get("sha256")).to.equal(createHash("sha256").update(model).digest("hex"));
    const cases = JSON.parse(file.metadata.get("cases")!) as Omit<Case, "logProbabilities">[];
    return await Promise.all(
      cases
        .filter((entry) => entry.dtype === dtype)
        .map(async (entry) => {
          const values = await file.readFloat32(entry.tensor);
          const vocabSize = values.length / entry.ids.length;
          const logProbabilities = entry.ids.map((_, step) =>
            values.subarray(step * vocabSize, (step + 1) * vocabSize),
          );
          return { ...entry, logProbabilities };
        }),
    );
  } finally {
    await source.close();
  }
}

async function greedy(
  model: Llama,
  promptIds: readonly number[],
  count: number,
): Promise<{ ids: number[]; logProbabilities: Float32Array[] }> {
  const cache = new ContiguousKvCache(model.kernels, model.config, promptIds.length + count);
  let logits = await prefill(model, Int32Array.from(promptIds), cache);
  const ids: number[] = [];
  const logProbabilities: Float32Array[] = [];
  while (ids.length < count) {
    logProbabilities.push(logSoftmax(logits));
    const id = logits.indexOf(Math.max(...logits));
    ids.push(id);
    logits = await forward(model, Int32Array.of(id), Int32Array.of(cache.slots.length), cache);
  }
  return { ids, logProbabilities };
}

function logSoftmax(logits: Float32Array): Float32Array {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return logits.map((logit) => logit - largest - Math.log(sum));
}

function mostDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).to.equal(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}
