import { expect } from "chai";
import { createHash } from "node:crypto";
import {
  bf16ArrayToF32,
  bf16ToF32,
  f16ArrayToF32,
  f16ToF32,
  f32ArrayToBf16,
  f32ArrayToF16,
  f32ToBf16,
  f32ToF16,
} from "./half.ts";

/** Bits of a float32, of NumPy 2.4's float16 of it and of ml_dtypes 0.6's bfloat16 of it. */
const golden = `
  00000000 0000 0000, 80000000 8000 8000, 3f800000 3c00 3f80, 477fe000 7bff 4780,
  477fefff 7bff 4780, 477ff000 7c00 4780, 38800000 0400 3880, 38000000 0200 3800,
  33800000 0001 3380, 33000000 0000 3300, 33000001 0001 3300, 33c00000 0002 33c0,
  32800000 0000 3280, 00000001 0000 0000, 3f801000 3c00 3f80, 3f803000 3c02 3f80,
  3f801001 3c01 3f80, 387fe000 0400 3880, 387ff000 0400 3880, 3dcccccd 2e66 3dcd,
  bdcccccd ae66 bdcd, 7f7fffff 7c00 7f80, 7f7f0000 7c00 7f7f, 7f7f8000 7c00 7f80,
  7f800000 7c00 7f80, ff800000 fc00 ff80, 3f808000 3c04 3f80, 3f818000 3c0c 3f82,
  80190b77 8000 8019, 000116c2 0000 0001, 3dfbef77 2fdf 3dfc, 36487c18 0032 3648,
  b7e5f6a8 81cc b7e6, b7156aa1 8095 b715, c0917ea1 c48c c091, b7265ee5 80a6 b726,
  44165be8 60b3 4416, 3aafaa29 157d 3ab0, bba14947 9d0a bba1, bbcb5135 9e5b bbcb
`
  .trim()
  .split(/,\s+/)
  .map((row) => row.split(" ").map((bits) => parseInt(bits, 16)) as [number, number, number]);

const everyPattern = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
const sha256 = (array: ArrayBufferView): string =>
  createHash("sha256")
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest("hex");
const floatOfBits = (bits: number): number => new Float32Array(Uint32Array.of(bits).buffer)[0]!;

describe("half floats", () => {
  for (const [bits, f16, bf16] of golden) {
    it(`0x${bits.toString(16)} becomes what NumPy makes of it`, () => {
      expect(f32ToF16(floatOfBits(bits))).to.equal(f16);
      expect(f32ToBf16(floatOfBits(bits))).to.equal(bf16);
    });
  }

  it("every F16 that is a number has NumPy's value", () => {
    const values = f16ArrayToF32(everyPattern).filter((value) => !Number.isNaN(value));
    expect(values.length).to.equal(63_490);
    expect(sha256(values)).to.equal(
      "680bbc22915f61aa1bbfc7265bc3882a6aa42d299bfd2c571807196e5544de2e",
    );
  });

  it("between every two F16 numbers, just below, at and just above the middle round as in NumPy", () => {
    const positive = f16ArrayToF32(everyPattern.subarray(0, 0x7c00));
    const middles = Float32Array.from(positive.slice(1), (value, i) => (value + positive[i]!) / 2);
    const middleBits = new Uint32Array(middles.buffer);
    const floats = [-1, 0, 1].map(
      (step) => new Float32Array(middleBits.map((bits) => bits + step).buffer),
    );
    const rounded = Uint16Array.from(floats.flatMap((values) => [...f32ArrayToF16(values)]));
    expect(sha256(rounded)).to.equal(
      "e6de1f4db141c8404c4cf48c5809f92b421d066f0f7d7f6fc327e3490a175832",
    );
  });

  it("every pattern survives the way to float32 and back; NaN becomes the quiet NaN", () => {
    const isNan16 = (bits: number): boolean => (bits & 0x7fff) > 0x7c00;
    const isNanB16 = (bits: number): boolean => (bits & 0x7fff) > 0x7f80;
    expect(f32ArrayToF16(f16ArrayToF32(everyPattern))).to.deep.equal(
      everyPattern.map((bits) => (isNan16(bits) ? 0x7e00 : bits)),
    );
    expect(f32ArrayToBf16(bf16ArrayToF32(everyPattern))).to.deep.equal(
      everyPattern.map((bits) => (isNanB16(bits) ? 0x7fc0 : bits)),
    );
  });

  it("keep the sign of zero", () => {
    expect(Object.is(f16ToF32(0x8000), -0)).to.equal(true);
    expect(Object.is(bf16ToF32(0x8000), -0)).to.equal(true);
  });

  it("round a double to float32 first", () => {
    // Above the middle as a double, at the middle as float32: the tie goes to even.
    const aboveTheMiddle = 1 + 2 ** -11 + 2 ** -40;
    expect(f32ToF16(aboveTheMiddle)).to.equal(0x3c00);
  });
});
