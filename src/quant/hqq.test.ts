import { expect } from "chai";
import fc from "fast-check";
import { InputError, UsageError } from "../core/errors.ts";
import { codesAsText, goldens, layerWeights } from "./fixtures/layer.ts";
import { dequantizeHqq, quantizeHqq } from "./hqq.ts";

const [rows, cols] = [6, 48];
const W = layerWeights(rows, cols);
const options = { bits: 3, groupSize: 16 };

const lpError = (x: Float32Array, y: Float32Array, p = 0.7): number =>
  x.reduce((sum, value, i) => sum + Math.abs(value - y[i]!) ** p, 0);

describe("quantizeHqq", () => {
  it("gives the codes and zero points of a NumPy version in the authors' variables", () => {
    const { codes, zeros } = quantizeHqq(W, cols, { bits: 2, groupSize: 24 });
    expect(codesAsText(codes, 0)).to.equal(goldens.hqq.codes);
    zeros.forEach((zero, g) => {
      expect(zero).to.be.closeTo(goldens.hqq.zeros[g]!, 1e-6);
    });
  });

  it("never has more |error|^0.7 than rounding between the least and the greatest weight", () => {
    const group = fc.float32Array({
      minLength: 16,
      maxLength: 16,
      min: -100,
      max: 100,
      noNaN: true,
    });
    fc.assert(
      fc.property(group, fc.integer({ min: 2, max: 8 }), (weights, bits) => {
        const error = (steps: number): number =>
          lpError(weights, dequantizeHqq(quantizeHqq(weights, 16, { bits, groupSize: 16, steps })));
        expect(error(20)).to.be.at.most(error(0) * (1 + 1e-5) + 1e-5);
      }),
    );
  });

  it("gains on bell-shaped weights, and most beside an outlier", () => {
    const gain = (weights: Float32Array): number =>
      lpError(
        weights,
        dequantizeHqq(quantizeHqq(weights, 64, { bits: 3, groupSize: 64, steps: 0 })),
      ) / lpError(weights, dequantizeHqq(quantizeHqq(weights, 64, { bits: 3, groupSize: 64 })));
    const bells = layerWeights(64, 64, 8);
    expect(gain(bells)).to.be.above(1.01);
    expect(gain(bells.map((w, at) => (at % 64 === 9 ? 12 : w)))).to.be.above(gain(bells));
  });

  it("without steps errs by half a step at most", () => {
    const { scales, ...matrix } = quantizeHqq(W, cols, { ...options, steps: 0 });
    dequantizeHqq({ ...matrix, scales }).forEach((value, at) => {
      const half = scales[Math.floor(at / options.groupSize)]! / 2;
      expect(Math.abs(value - W[at]!)).to.be.at.most(half * 1.00001);
    });
  });

  it("keeps groups of one value, zero or not", () => {
    for (const value of [0, 0.25, -3]) {
      const weights = new Float32Array(16).fill(value);
      expect(dequantizeHqq(quantizeHqq(weights, 16, options)).every((v) => v === value)).to.equal(
        true,
      );
    }
  });

  const refused: readonly (readonly [string, () => unknown, typeof InputError, RegExp])[] = [
    ["9 bits", () => quantizeHqq(W, cols, { ...options, bits: 9 }), UsageError, /not 9/],
    ["a norm of 2", () => quantizeHqq(W, cols, { ...options, norm: 2 }), UsageError, /not 2/],
    [
      "groups of 7",
      () => quantizeHqq(W, cols, { ...options, groupSize: 7 }),
      InputError,
      /7 do not divide/,
    ],
    ["half a row", () => quantizeHqq(W.subarray(1), cols, options), InputError, /287 weights/],
    [
      "infinity",
      () => quantizeHqq(new Float32Array(16).fill(Infinity), 16, options),
      InputError,
      /Value 0/,
    ],
  ];
  for (const [what, call, type, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(call).to.throw(type, message);
    });
  }
});
