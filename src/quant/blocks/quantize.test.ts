import { expect } from "chai";
import fc from "fast-check";
import { dtypeLayouts, isPlain, type BlockDtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { openGgufFile } from "../../corpus/files.ts";
import { outsideData } from "../../testing.ts";
import { dequantizeBlocks } from "./dequantize.ts";
import { golden, numColumns, randomImportance, randomWeights, sha256 } from "./fixtures/blocks.ts";
import { quantizeBlocks, type QuantizableDtype } from "./quantize.ts";

const dtypes = Object.keys(golden.quantized) as QuantizableDtype[];
const blockDtypes = dtypes.filter(
  (dtype): dtype is QuantizableDtype & BlockDtype => !isPlain(dtype),
);

describe("quantizeBlocks", () => {
  for (const dtype of dtypes) {
    it(`${dtype}: the bytes of ggml's scalar reference`, () => {
      expect(sha256(quantizeBlocks(dtype, randomWeights()))).to.equal(golden.quantized[dtype]);
    });
  }

  for (const [name, expected] of Object.entries(golden.weighted)) {
    it(`${name} with importance: the bytes of ggml's scalar reference`, () => {
      const importance = randomImportance();
      const bytes = quantizeBlocks(name as QuantizableDtype, randomWeights(), { importance });
      expect(sha256(bytes)).to.equal(expected);
    });
  }

  it("takes importance for every format for which llama.cpp does", () => {
    const importance = randomImportance();
    const weights = randomWeights().subarray(0, 4 * numColumns);
    const changed = dtypes.filter((dtype) => {
      const weighted = quantizeBlocks(dtype, weights, { importance });
      return Buffer.compare(weighted, quantizeBlocks(dtype, weights)) !== 0;
    });
    expect(changed).to.have.members(Object.keys(golden.weighted));
  });

  for (const type of ["f16", "q8_0", "q4_0", "q4_k_m"]) {
    it(`gives the bytes of every tensor of llama.cpp's ${type} file of stories260K`, async function () {
      const full = await openGgufFile(outsideData(this, "models/stories260K-f32.gguf"));
      const want = await openGgufFile(outsideData(this, `models/stories260K-${type}.gguf`));
      const made = want.tensors.filter(({ dtype }) => dtype !== "F32");
      expect(made).to.have.length(37);
      for (const { name, dtype } of made) {
        const bytes = quantizeBlocks(dtype as QuantizableDtype, await full.readFloat32(name));
        expect(Buffer.compare(bytes, await want.readBytes(name)), `${name} ${dtype}`).to.equal(0);
      }
      await Promise.all([full.close(), want.close()]);
    });
  }

  for (const dtype of blockDtypes) {
    const { blockElements } = dtypeLayouts[dtype];

    it(`${dtype}: zeros stay zeros and finite weights stay finite, whatever their size`, () => {
      const decoded = (x: Float32Array, importance?: Float32Array): Float32Array =>
        dequantizeBlocks(
          dtype,
          quantizeBlocks(dtype, x, importance && { importance }),
          blockElements,
        );
      expect(decoded(new Float32Array(blockElements)).every((value) => value === 0)).to.equal(true);
      const weights = fc.float32Array({
        ...{ minLength: blockElements, maxLength: blockElements },
        ...{ min: -2000, max: 2000, noNaN: true },
      });
      fc.assert(
        fc.property(weights, fc.integer({ min: -140, max: 0 }), fc.boolean(), (x, power, weigh) => {
          const scaled = x.map((value) => value * 2 ** power);
          const importance = weigh ? scaled.map((_, i) => i % 3) : undefined;
          expect(decoded(scaled, importance).every(Number.isFinite)).to.equal(true);
        }),
        { numRuns: 100 },
      );
    });
  }

  const refused: readonly (readonly [string, () => unknown, RegExp])[] = [
    ["a NaN", () => quantizeBlocks("Q4_K", new Float32Array(256).fill(NaN)), /Value 0 is NaN/],
    ["half a block", () => quantizeBlocks("Q4_K", new Float32Array(128)), /blocks of 256/],
    [
      "weights whose scale float16 cannot hold",
      () => quantizeBlocks("Q8_0", new Float32Array(32).fill(1e8)),
      /float16 ends at 65504/,
    ],
    [
      "a value that float16 cannot hold",
      () => quantizeBlocks("F16", Float32Array.of(1, -65520)),
      /Value 1 is -65520/,
    ],
    [
      "importances that do not fit the rows",
      () =>
        quantizeBlocks("Q4_0", new Float32Array(96), { importance: new Float32Array(64).fill(1) }),
      /no whole rows of 64/,
    ],
    [
      "a negative importance",
      () =>
        quantizeBlocks("Q4_0", new Float32Array(32), { importance: new Float32Array(32).fill(-1) }),
      /Importance 0 is -1/,
    ],
  ];
  for (const [what, call, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(call).to.throw(InputError, message);
    });
  }
});
