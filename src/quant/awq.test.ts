import { expect } from "chai";
import { InputError, UsageError } from "../core/errors.ts";
import { awq, awqClip, awqScales, numRatios, type AwqOptions } from "./awq.ts";
import { goldens, hessianOf, layerInputs, layerWeights, quadraticError } from "./fixtures/layer.ts";
import { dequantizeLinear, quantizeLinear } from "./linear.ts";
import { scaleColumns } from "./smoothquant.ts";

const [rows, cols, tokens] = [6, 48, 100];
const W = layerWeights(rows, cols);
const X = layerInputs(tokens, cols);
const options: AwqOptions = { bits: 3, mode: "asymmetric", groupSize: 16 };
const golden = goldens.awq;

/** Mean squared difference of the outputs, by the definition. */
function outputError(A: Float32Array, B: Float32Array, inputs = X): number {
  return quadraticError(A, B, hessianOf(inputs, cols), cols) / (2 * rows);
}

function nearest(weights: Float32Array): Float32Array {
  const granularity = { group: options.groupSize };
  return dequantizeLinear(quantizeLinear(weights, rows, cols, { ...options, granularity }));
}

describe("awqScales", () => {
  it("finds the ratio, losses and scales of a NumPy version that multiplies outputs out", () => {
    const { ratio, losses, scales } = awqScales(W, X, cols, options);
    expect(ratio).to.equal(golden.ratio);
    expect(losses).to.have.length(numRatios);
    losses.forEach((loss, i) => {
      expect(loss / golden.losses[i]!).to.be.closeTo(1, 1e-4);
    });
    scales.forEach((scale, j) => {
      expect(scale / golden.scales[j]!).to.be.closeTo(1, 1e-6);
    });
  });

  it("at ratio 0 is rounding to nearest, and never does worse", () => {
    const { ratio, losses, scales } = awqScales(W, X, cols, options);
    expect(losses[0]! / outputError(W, nearest(W))).to.be.closeTo(1, 1e-9);
    const changed = scaleColumns(nearest(scaleColumns(W, scales)), scales, -1);
    expect(outputError(W, changed) / losses[ratio * numRatios]!).to.be.closeTo(1, 1e-9);
    expect(Math.min(...losses)).to.equal(losses[ratio * numRatios]);
  });

  it("scales nothing where all inputs are as large as each other", () => {
    const even = Float32Array.from({ length: tokens * cols }, (_, at) => (at % 3 === 0 ? -2 : 2));
    const { scales, ratio } = awqScales(W, even, cols, options);
    expect(ratio).to.equal(0);
    expect([...scales]).to.deep.equal(Array<number>(cols).fill(1));
  });

  it("stays finite where an input was always 0", () => {
    const dead = X.map((x, at) => (at % cols === 5 ? 0 : x));
    const { values } = awq(W, dead, cols, options);
    expect(values.every(Number.isFinite)).to.equal(true);
  });
});

describe("awqClip", () => {
  const s = Float32Array.from(golden.scales);
  const [scaled, inputs] = [scaleColumns(W, s), scaleColumns(X, s, -1)];

  it("clips each group where a NumPy version does", () => {
    const clipped = awqClip(scaled, inputs, cols, options);
    Array.from(golden.clipSteps).forEach((digit, g) => {
      const [from, to] = [g * options.groupSize, (g + 1) * options.groupSize];
      const peak = (of: Float32Array): number => Math.max(...of.subarray(from, to).map(Math.abs));
      const expected = peak(scaled) * (1 - Number(digit) / 20);
      expect(peak(clipped) / expected).to.be.closeTo(1, 1e-6);
    });
  });

  it("never adds to a group's own error (one group a row)", () => {
    const whole = { ...options, groupSize: cols };
    const granularity = { group: cols };
    const round = (weights: Float32Array): Float32Array =>
      dequantizeLinear(quantizeLinear(weights, rows, cols, { ...options, granularity }));
    const clipped = awqClip(W, X, cols, whole);
    expect(outputError(W, round(clipped))).to.be.below(outputError(W, round(W)));
  });
});

describe("awq", () => {
  it("returns the grid of the scaled weights and what the layer computes with", () => {
    const { quantized, values, scales } = awq(W, X, cols, { ...options, clip: false });
    expect(quantized).to.deep.equal(
      quantizeLinear(scaleColumns(W, scales), rows, cols, {
        ...options,
        granularity: { group: options.groupSize },
      }),
    );
    expect(values).to.deep.equal(scaleColumns(dequantizeLinear(quantized), scales, -1));
  });

  it("loses less than rounding to nearest on inputs that it has not seen", () => {
    const unseen = layerInputs(400, cols, 0.75, 99);
    const gain = (clip: boolean): number =>
      outputError(W, nearest(W), unseen) /
      outputError(W, awq(W, X, cols, { ...options, clip }).values, unseen);
    expect(gain(false)).to.be.above(1.5);
    expect(gain(true)).to.be.above(1.5);
  });

  const refused: readonly (readonly [string, () => unknown, typeof InputError, RegExp])[] = [
    ["no inputs", () => awq(W, new Float32Array(0), cols, options), InputError, /found 288 and 0/],
    ["inputs of half a row", () => awq(W, X.subarray(1), cols, options), InputError, /whole rows/],
    [
      "NaN inputs",
      () =>
        awq(
          W,
          X.map((x, i) => (i === 3 ? NaN : x)),
          cols,
          options,
        ),
      InputError,
      /Value 3 is NaN/,
    ],
    [
      "groups of 7",
      () => awqClip(W, X, cols, { ...options, groupSize: 7 }),
      InputError,
      /7 do not divide/,
    ],
    ["1 bit", () => awq(W, X, cols, { ...options, bits: 1 }), UsageError, /not 1/],
  ];
  for (const [what, call, type, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(call).to.throw(type, message);
    });
  }
});
