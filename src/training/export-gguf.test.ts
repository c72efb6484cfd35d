import { expect } from "chai";
import { createHash } from "node:crypto";
import { InputError } from "../core/errors.ts";
import { MemorySink } from "../formats/byte-sink.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { openGguf } from "../formats/gguf/gguf-file.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { forward, loadLlama } from "../model/llama.ts";
import { chooseBackend } from "../tensor/backend.ts";
import { rejection } from "../testing.ts";
import { exportGguf, type ExportDtype, type ExportedModel } from "./export-gguf.ts";
import {
  golden,
  goldenWindows,
  llamaCpp,
  tinyModel,
  tinyParameters,
  tinyTokenizer,
} from "./fixtures/tiny.ts";
import { parameterTensors, valuesOf } from "./parameters.ts";
import { parameterSpecs } from "./transformer-shape.ts";
import { Transformer } from "./transformer.ts";

const { shape } = golden;
const specs = parameterSpecs(shape);
const tokens = goldenWindows.slice(-shape.contextLength - 1, -1);

/** llama.cpp rounds activations to float16 before it multiplies them with float16 weights. */
const llamaCppTolerances = [
  ["F32", 1e-5],
  ["F16", 2e-3],
] as const;

async function exported(model: ExportedModel, dtype: ExportDtype): Promise<Uint8Array> {
  const sink = new MemorySink();
  await exportGguf(sink, model, dtype);
  return sink.bytes();
}

/** Our engine's logits after each of `tokens`, from the file alone. */
async function engineLogits(bytes: Uint8Array): Promise<Float32Array[]> {
  const model = await loadLlama(await openGguf(bytesSource("tiny.gguf", bytes)), referenceForward);
  const cache = new ContiguousKvCache(referenceForward, model.config, tokens.length);
  const all: Float32Array[] = [];
  for (const [i, token] of tokens.entries()) {
    all.push(await forward(model, Int32Array.of(token), Int32Array.of(i), cache));
  }
  return all;
}

/** The trainer's. */
async function trainerLogits(parameters: Float32Array): Promise<Float32Array[]> {
  const { tf } = await chooseBackend({ device: "wasm" });
  const transformer = new Transformer(tf, shape);
  const tensors = parameterTensors(tf, specs, parameters);
  const weights = new Map(specs.map(({ name }, i) => [name, tensors[i]!]));
  const logits = tf.tidy(() => transformer.logits(weights, tokens).dataSync());
  tf.dispose(tensors);
  transformer.dispose();
  return Array.from(tokens, (_, i) =>
    (logits as Float32Array).subarray(i * shape.vocabSize, (i + 1) * shape.vocabSize),
  );
}

function worst(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  return Math.max(
    ...a.flatMap((row, i) => Array.from(row, (value, j) => Math.abs(value - b[i]![j]!))),
  );
}

describe("a trained model as GGUF", () => {
  it("has the trainer's logits in our engine, and PyTorch's", async () => {
    const engine = await engineLogits(await exported(tinyModel(), "F32"));
    const trainer = await trainerLogits(tinyParameters());
    expect(worst(engine, trainer)).to.be.below(1e-5);
    expect(worst([engine.at(-1)!], [golden.logits])).to.be.below(1e-5);
  });

  it("has them in F16 for the weights that F16 makes of them, norms excepted", async () => {
    const bytes = await exported(tinyModel(), "F16");
    const file = await openGguf(bytesSource("tiny.gguf", bytes));
    const parameters = tinyParameters();
    for (const spec of specs) {
      const stored = file.tensors.find(({ name }) => name === spec.name)!;
      expect(stored.dtype).to.equal(spec.kind === "norm" ? "F32" : "F16");
      expect(stored.shape).to.deep.equal(spec.shape);
      valuesOf(parameters, spec).set(await file.readFloat32(spec.name));
    }
    const engine = await engineLogits(bytes);
    expect(worst(engine, await trainerLogits(parameters))).to.be.below(1e-5);
    // Another model than the one in F32, so the halves are really used.
    expect(worst(engine, await trainerLogits(tinyParameters()))).to.be.within(1e-5, 1e-1);
  });

  for (const [dtype, allowed] of llamaCppTolerances) {
    it(`has llama.cpp's log-probabilities in ${dtype}`, async () => {
      const bytes = await exported(tinyModel(), dtype);
      const { sha256, logProbabilities } = llamaCpp[dtype];
      // llama.cpp judged this very file; make-llama-cpp.js asks it again.
      expect(createHash("sha256").update(bytes).digest("hex")).to.equal(sha256);
      const logits = (await engineLogits(bytes)).at(-1)!;
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      const ours = Array.from(logits, (logit) => logit - Math.log(total));
      expect(worst([ours], [logProbabilities])).to.be.below(allowed);
    });
  }

  it("depends on the pairing that the architecture declares", async () => {
    const model = tinyModel();
    const bytes = await exported(model, "F32");
    const asQwen = Buffer.from(bytes).toString("latin1").replaceAll("llama", "qwen2");
    const engine = await engineLogits(Uint8Array.from(Buffer.from(asQwen, "latin1")));
    expect(worst(engine, await trainerLogits(model.parameters))).to.be.above(1e-2);
  });

  it("is not written with what cannot be stored", async () => {
    const cases: readonly (readonly [ExportedModel, ExportDtype, string])[] = [
      [{ ...tinyModel(), tokenizer: tinyTokenizer(31) }, "F32", "The tokenizer has 31 tokens"],
      [{ ...tinyModel(), tokenizer: new Map() }, "F32", "The tokenizer has 0 tokens"],
      [tinyModel(tinyParameters().fill(NaN, 600, 601)), "F32", "holds NaN, which F32"],
      [tinyModel(tinyParameters().fill(65_520, 600, 601)), "F16", "holds 65520, which F16"],
    ];
    for (const [model, dtype, message] of cases) {
      const error = await rejection(exported(model, dtype));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain(message);
    }
    const sound = await exported(tinyModel(tinyParameters().fill(65_519, 600, 601)), "F16");
    expect(sound.length).to.be.above(0);
  });
});
