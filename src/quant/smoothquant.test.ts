import { expect } from "chai";
import { InputError, UsageError } from "../core/errors.ts";
import { goldens, layerInputs, layerWeights } from "./fixtures/layer.ts";
import { columnPeaks, scaleColumns, smoothingScales } from "./smoothquant.ts";

const [rows, cols, tokens] = [6, 48, 100];
const W = layerWeights(rows, cols);
const X = layerInputs(tokens, cols);
const inputPeaks = columnPeaks(X, cols);

describe("smoothingScales", () => {
  it("are those of NumPy at alpha 0.7", () => {
    smoothingScales(W, inputPeaks, 0.7).forEach((scale, j) => {
      expect(scale / goldens.smoothingScales[j]!).to.be.closeTo(1, 1e-6);
    });
  });

  it("at alpha 0.5 make weights and inputs equally wide in every channel", () => {
    const scales = smoothingScales(W, inputPeaks);
    const inputs = columnPeaks(scaleColumns(X, scales, -1), cols);
    columnPeaks(scaleColumns(W, scales), cols).forEach((peak, j) => {
      expect(peak / inputs[j]!).to.be.closeTo(1, 1e-6);
    });
  });

  it("at alpha 1 make all inputs equally wide, at alpha 0 all weights", () => {
    const inputs = columnPeaks(scaleColumns(X, smoothingScales(W, inputPeaks, 1), -1), cols);
    const weights = columnPeaks(scaleColumns(W, smoothingScales(W, inputPeaks, 0)), cols);
    for (const peak of [...inputs, ...weights]) expect(peak).to.be.closeTo(1, 1e-6);
  });

  it("leave what the layer computes unchanged", () => {
    const scales = smoothingScales(W, inputPeaks, 0.8);
    const [weights, inputs] = [scaleColumns(W, scales), scaleColumns(X, scales, -1)];
    for (let t = 0; t < tokens; t++) {
      for (let row = 0; row < rows; row++) {
        let [before, after, size] = [0, 0, 0];
        for (let j = 0; j < cols; j++) {
          const part = X[t * cols + j]! * W[row * cols + j]!;
          before += part;
          size += Math.abs(part);
          after += inputs[t * cols + j]! * weights[row * cols + j]!;
        }
        expect(Math.abs(after - before)).to.be.at.most(2 ** -22 * size);
      }
    }
  });

  it("stay above 0 for inputs and weights that are always 0", () => {
    const scales = smoothingScales(Float32Array.of(0, 0, 1), Float32Array.of(0, 1, 0), 0.5);
    const expected = [1e-5, 1 / Math.sqrt(1e-5), 1e-5];
    scales.forEach((scale, j) => {
      expect(scale / expected[j]!).to.be.closeTo(1, 1e-6);
    });
  });

  const refused: readonly (readonly [string, () => unknown, typeof InputError, RegExp])[] = [
    ["alpha 1.5", () => smoothingScales(W, inputPeaks, 1.5), UsageError, /not at 1.5/],
    [
      "no whole rows",
      () => smoothingScales(W, inputPeaks.subarray(1)),
      InputError,
      /whole rows of 47/,
    ],
    [
      "an infinite peak",
      () =>
        smoothingScales(
          W,
          inputPeaks.map(() => Infinity),
        ),
      InputError,
      /input 0 is Infinity/,
    ],
    [
      "NaN weights",
      () =>
        smoothingScales(
          W.map(() => NaN),
          inputPeaks,
        ),
      InputError,
      /Value 0 is NaN/,
    ],
    [
      "scales of another length",
      () => scaleColumns(W, new Float32Array(0)),
      InputError,
      /rows of 0/,
    ],
  ];
  for (const [what, call, type, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(call).to.throw(type, message);
    });
  }
});
