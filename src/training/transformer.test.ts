import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { seededRng, normal } from "../core/rng.ts";
import { chooseBackend, type DeviceName } from "../tensor/backend.ts";
import { notRun } from "../testing.ts";
import { golden, goldenWindows, tinyParameters, type TensorSummary } from "./fixtures/tiny.ts";
import { TfjsGradients } from "./gradients.ts";
import { adamwStep, clipGradient, learningRateAt } from "./optimizer.ts";
import { parameterTensors, valuesOf } from "./parameters.ts";
import { parameterSpecs } from "./transformer-shape.ts";
import { Transformer } from "./transformer.ts";

const { shape } = golden;
const specs = parameterSpecs(shape);

/**
 * Relative to a tensor's norm: float32 has 2⁻²⁴ in every operation, there are some 100 of them one after
 * the other from the tokens to a gradient, and signs are mixed.
 */
const tolerance = 100 * 2 ** -24;

/** Tensorflow and WebGPU sum in other orders and have their own exp. */
const devices: readonly (readonly [DeviceName, number])[] = [
  ["cpu", tolerance],
  ["wasm", tolerance],
  ["webgpu-software", 10 * tolerance],
  ["tensorflow", tolerance],
];

for (const [device, allowed] of devices) {
  describe(`the trainable transformer on ${device}`, () => {
    let source: TfjsGradients | undefined;
    let gradient: Float32Array;
    let numTensors: () => number;

    before(async function () {
      const backend = await chooseBackend({ device }).catch((error: unknown) => {
        if (error instanceof InputError) return notRun(this, `${device} is not available`);
        throw error;
      });
      source = new TfjsGradients(backend, shape);
      gradient = new Float32Array(tinyParameters().length);
      numTensors = () => backend.tf.memory().numTensors;
    });

    after(() => source?.close());

    it("has PyTorch's loss and gradients", async () => {
      const loss = await source!.gradients(tinyParameters(), [goldenWindows], gradient);
      expect(loss).to.be.closeTo(golden.loss, allowed * golden.loss);
      expectSummaries(gradient, golden.gradients, allowed);
    });

    it("follows PyTorch's AdamW for five steps", async () => {
      const parameters = tinyParameters();
      const moments = {
        first: new Float32Array(parameters.length),
        second: new Float32Array(parameters.length),
      };
      for (const [step, wanted] of golden.steps.entries()) {
        const loss = await source!.gradients(parameters, [goldenWindows], gradient);
        const norm = clipGradient(gradient, golden.optimizer.maxGradientNorm);
        const rate = learningRateAt(step, golden.numSteps, golden.optimizer);
        adamwStep(specs, parameters, gradient, moments, step, rate, golden.optimizer);
        expect(rate).to.be.closeTo(wanted.learningRate, 1e-12);
        // Adam divides gradients by their size, so it magnifies the error of the smallest ones.
        expect(loss).to.be.closeTo(wanted.loss, 100 * allowed);
        expect(norm).to.be.closeTo(wanted.gradientNorm, 100 * allowed);
      }
      expectSummaries(parameters, golden.trained, 100 * allowed);
    });

    it("keeps no tensors from one step to the next", async () => {
      const before = numTensors();
      await source!.gradients(tinyParameters(), [goldenWindows], gradient);
      await source!.loss(tinyParameters(), [goldenWindows]);
      expect(numTensors()).to.equal(before);
    });
  });
}

describe("the trainable transformer", () => {
  it("has the gradient that finite differences give, in every tensor", async () => {
    const source = new TfjsGradients(await chooseBackend({ device: "wasm" }), shape);
    const parameters = tinyParameters();
    const gradient = new Float32Array(parameters.length);
    await source.gradients(parameters, [goldenWindows], gradient);
    const rng = seededRng(3);
    for (const spec of specs) {
      const direction = Float32Array.from({ length: spec.numValues }, () => normal(rng));
      const wanted = valuesOf(gradient, spec).reduce((sum, g, i) => sum + g * direction[i]!, 0);
      // Small against the curvature, large against the 2⁻²⁴ that the loss is rounded to.
      const h = 2e-3;
      const moved = async (sign: number): Promise<number> => {
        const copy = parameters.slice();
        for (let i = 0; i < spec.numValues; i++) copy[spec.offset + i]! += sign * h * direction[i]!;
        return source.loss(copy, [goldenWindows]);
      };
      const found = ((await moved(1)) - (await moved(-1))) / (2 * h);
      expect(found, spec.name).to.be.closeTo(wanted, 5e-3 * Math.abs(wanted) + 2e-3);
    }
    await source.close();
  });

  it("sees no token that comes later", async () => {
    const { tf } = await chooseBackend({ device: "wasm" });
    const model = new Transformer(tf, shape);
    const weights = new Map(
      parameterTensors(tf, specs, tinyParameters()).map((tensor, i) => [specs[i]!.name, tensor]),
    );
    const tokens = goldenWindows.slice(0, shape.contextLength);
    const before = await model.logits(weights, tokens).data();
    tokens[tokens.length - 1] = (tokens.at(-1)! + 1) % shape.vocabSize;
    const after = await model.logits(weights, tokens).data();
    const earlier = (shape.contextLength - 1) * shape.vocabSize;
    expect(after.slice(0, earlier)).to.deep.equal(before.slice(0, earlier));
    expect(after.slice(earlier)).to.not.deep.equal(before.slice(earlier));
    tf.dispose([...weights.values()]);
    model.dispose();
  });
});

function expectSummaries(
  values: Float32Array,
  wanted: Readonly<Record<string, TensorSummary>>,
  allowed: number,
): void {
  expect(specs.map(({ name }) => name)).to.deep.equal(
    Object.keys(wanted).map((name) => `${name}.weight`),
  );
  for (const spec of specs) {
    const { norm, first } = wanted[spec.name.replace(/\.weight$/, "")]!;
    const found = valuesOf(values, spec);
    expect(Math.hypot(...found), spec.name).to.be.closeTo(norm, allowed * norm);
    for (const [i, value] of first.entries()) {
      expect(found[i], `${spec.name}[${i}]`).to.be.closeTo(value, allowed * norm);
    }
  }
}
