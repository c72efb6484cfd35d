import { expect } from "chai";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../core/half.ts";
import { normal, seededRng } from "../core/rng.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import {
  activationFormat,
  roundActivations,
  type ActivationFormat,
} from "./activation-rounding.ts";

describe("rounding of activations", () => {
  const rng = seededRng(3);
  const x = Float32Array.from({ length: 2048 }, () => normal(rng));

  it("goes by the weights: 16 bits before 16 bits, 8 before blocks, 256 at once before K blocks", () => {
    const found = (["F32", "F16", "BF16", "Q4_0", "Q8_0", "IQ4_NL", "Q4_K", "TQ2_0"] as const).map(
      activationFormat,
    );
    const wanted = ["F32", "F16", "BF16", "Q8_0", "Q8_0", "Q8_0", "Q8_K", "Q8_K"];
    expect(found).to.deep.equal(wanted);
  });

  it("leaves float32 alone and rounds each value to 16 bits", () => {
    expect(roundActivations(x, "F32")).to.deep.equal(x);
    const halves = x.map((value) => f16ToF32(f32ToF16(value)));
    expect(roundActivations(x, "F16")).to.deep.equal(halves);
    const brains = x.map((value) => bf16ToF32(f32ToBf16(value)));
    expect(roundActivations(x, "BF16")).to.deep.equal(brains);
  });

  it("gives what Q8_0 stores, but for values in the middle of two codes", () => {
    const stored = dequantizeBlocks("Q8_0", quantizeBlocks("Q8_0", x), x.length);
    const rounded = roundActivations(x, "Q8_0");
    const different = [...x.keys()].filter((i) => rounded[i] !== stored[i]);
    for (const i of different) {
      const block = x.subarray(i - (i % 32), i - (i % 32) + 32);
      const code = (127 * x[i]!) / Math.max(...block.map(Math.abs));
      expect(Math.abs(code - Math.floor(code) - 0.5)).to.be.below(1e-4);
    }
    expect(different.length).to.be.below(3);
  });

  it("gives 255 levels for 256 values, the outermost one exactly", () => {
    const rounded = roundActivations(x, "Q8_K");
    for (let at = 0; at < x.length; at += 256) {
      const block = x.subarray(at, at + 256);
      const largest = Math.max(...block.map(Math.abs));
      const step = largest / 127;
      block.forEach((value, i) => {
        const found = rounded[at + i]!;
        expect(Math.abs(found - value)).to.be.at.most(step * 0.5001);
        expect(Math.abs(found / step - Math.round(found / step))).to.be.below(1e-4);
      });
      const outer = block.findIndex((value) => Math.abs(value) === largest);
      expect(rounded[at + outer]).to.be.closeTo(block[outer]!, largest * 1e-6);
    }
  });

  for (const format of ["Q8_0", "Q8_K"] satisfies ActivationFormat[]) {
    it(`makes zeros of zeros, and of values too small for a scale, in ${format}`, () => {
      for (const value of [0, 1e-38, -1e-45]) {
        const rounded = roundActivations(new Float32Array(256).fill(value), format);
        expect(rounded.every((each) => each === 0)).to.equal(true);
      }
    });
  }
});
