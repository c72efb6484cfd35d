import { expect } from "chai";
import fc from "fast-check";
import { createHash } from "node:crypto";
import { InputError, UsageError } from "../core/errors.ts";
import { normal, seededRng } from "../core/rng.ts";
import { affineGrid, encode, rangeOf, type Convention } from "./grid.ts";
import { dequantizeLinear, quantizeLinear, type LinearOptions } from "./linear.ts";
import { meanSquaredError, sqnrDb } from "./error.ts";

const conventions: readonly Convention[] = ["max7", "max7.5", "ggml"];

/** 10,000 blocks of 32 normal weights; half of them on the bfloat16 grid, where ties are common. */
function blocks(): Float32Array {
  const rng = seededRng(40);
  const x = Float32Array.from({ length: 320_000 }, () => normal(rng) * 0.05);
  const bits = new Uint32Array(x.buffer);
  for (let i = 0; i < x.length / 2; i++) bits[i]! &= 0xffff0000;
  return x;
}

function sha256(bytes: Uint8Array | Int8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function roundTrip(x: Float32Array, options: LinearOptions): Float32Array {
  return dequantizeLinear(quantizeLinear(x, 1, x.length, options));
}

describe("linear quantisation against other implementations", () => {
  // SHA-256 of the codes that gguf 0.17 (Q4_0, Q5_0) and NumPy 2.4 (the others: float64
  // rint(x / float32 scale), clipped) give for the blocks above.
  const golden: readonly (readonly [string, LinearOptions, string])[] = [
    [
      "gguf Q4_0",
      { bits: 4, mode: "symmetric", convention: "ggml" },
      "dede81d5ae4e0ff07ffe4444be41addb2c4a3d67e0cf9abd8ded3f5b510183d7",
    ],
    [
      "gguf Q5_0",
      { bits: 5, mode: "symmetric", convention: "ggml" },
      "c0c3a3497a14a85ed87c021e76027367ef3c527d8bee926bc105f4c76be95ecc",
    ],
    [
      "NumPy max/7",
      { bits: 4, mode: "symmetric", convention: "max7" },
      "9dde734df196c6c0856fa1f8089b502a38f0671e755c91953de1d27ab42d4a16",
    ],
    [
      "NumPy max/7.5",
      { bits: 4, mode: "symmetric", convention: "max7.5" },
      "d98f028165f3a968307b7bd6520fb43a0492e5576af1fc37cc0e843f04bce626",
    ],
    [
      "NumPy max/127",
      { bits: 8, mode: "symmetric" },
      "21d6731742e472a3cbca1a541ac6876fff07980fd0c11776e689c9b3722b878f",
    ],
    [
      "NumPy affine",
      { bits: 4, mode: "asymmetric" },
      "7bacb7c7f1558e23785b949f34c167f485bf6a5f14b1662725ab805ca827f7a1",
    ],
  ];
  for (const [name, options, digest] of golden) {
    it(`gives the codes of ${name} for 10,000 blocks`, () => {
      const { codes } = quantizeLinear(blocks(), 10_000, 32, { ...options, granularity: "row" });
      expect(sha256(codes)).to.equal(digest);
    });
  }

  it("gives NumPy's zero points", () => {
    const options = { bits: 4, mode: "asymmetric", granularity: "row" } as const;
    expect(sha256(quantizeLinear(blocks(), 10_000, 32, options).zeroPoints!)).to.equal(
      "f15ef8b36d4e57b926f9ba7191c5e7eae35834ea66096fa62b35c11c9bd6d1cc",
    );
  });

  it("is the same for rows and for groups as long as a row", () => {
    const byRow = quantizeLinear(blocks(), 10_000, 32, {
      bits: 4,
      mode: "symmetric",
      granularity: "row",
    });
    const byGroup = quantizeLinear(blocks(), 5_000, 64, {
      bits: 4,
      mode: "symmetric",
      granularity: { group: 32 },
    });
    expect(sha256(byGroup.codes)).to.equal(sha256(byRow.codes));
  });
});

describe("linear quantisation, by its laws", () => {
  const weights = fc
    .float32Array({ minLength: 1, maxLength: 64, min: -1e6, max: 1e6, noNaN: true })
    .filter((x) => x.some((w) => Math.abs(w) > 1e-30));
  const options = fc.record({
    bits: fc.integer({ min: 2, max: 8 }),
    mode: fc.constantFrom("symmetric", "asymmetric"),
    convention: fc.constantFrom(...conventions),
  });

  it("moves no unclipped value by more than half a step", () => {
    fc.assert(
      fc.property(weights, options, (x, { bits, mode, convention }) => {
        const quantized = quantizeLinear(x, 1, x.length, { bits, mode, convention });
        const back = dequantizeLinear(quantized);
        const [lowest, highest] =
          mode === "symmetric" ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
        for (let i = 0; i < x.length; i++) {
          const code = quantized.codes[i]!;
          // A value beyond the ends is clipped; the half step is float32's, so 1e-5 of a step more.
          const clipped = code === lowest || code === highest;
          const step = Math.abs(quantized.scales[0]!);
          if (!clipped) expect(Math.abs(x[i]! - back[i]!)).to.be.at.most(step * 0.50001);
          else expect(Math.abs(x[i]! - back[i]!)).to.be.at.most(step * 1.00001);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("keeps 0 exact and the zero point among the codes", () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 2, max: 8 }), fc.boolean(), (x, bits, signed) => {
        const { low, high } = rangeOf(x);
        const grid = affineGrid(low, high, bits, signed);
        expect(grid.zeroPoint).to.be.within(grid.qmin, grid.qmax);
        const codes = signed ? new Int8Array(1) : new Uint8Array(1);
        encode(new Float32Array([0]), grid, codes);
        expect(grid.scale * (codes[0]! - grid.zeroPoint)).to.equal(0);
      }),
      { numRuns: 3_000 },
    );
  });

  it("changes nothing the second time on the same grid", () => {
    fc.assert(
      fc.property(weights, fc.integer({ min: 2, max: 8 }), (x, bits) => {
        const { low, high } = rangeOf(x);
        const grid = affineGrid(low, high, bits, true);
        const codes = new Int8Array(x.length);
        encode(x, grid, codes);
        const back = Float32Array.from(codes, (code) => grid.scale * (code - grid.zeroPoint));
        const again = new Int8Array(x.length);
        encode(back, grid, again);
        expect(again).to.deep.equal(codes);
      }),
    );
  });

  it("may change codes when the scale is computed anew: max7.5 shrinks its range each time", () => {
    const x = new Float32Array([1, 0.5, -0.3]);
    const options = { bits: 4, mode: "symmetric", convention: "max7.5" } as const;
    const once = roundTrip(x, options);
    expect(roundTrip(once, options)).to.not.deep.equal(once);
  });

  it("adds S²/12 of noise to uniform values, within 3 %", () => {
    const rng = seededRng(1);
    const x = Float32Array.from({ length: 200_000 }, () => rng() * 2 - 1);
    for (const bits of [4, 6, 8]) {
      const { scales } = quantizeLinear(x, 1, x.length, { bits, mode: "symmetric" });
      const noise = meanSquaredError(x, roundTrip(x, { bits, mode: "symmetric" }));
      expect(noise / (scales[0]! ** 2 / 12)).to.be.within(0.97, 1.03);
    }
  });

  it("gains 6.02 dB for each bit, within 0.3", () => {
    const rng = seededRng(2);
    const x = Float32Array.from({ length: 200_000 }, () => rng() * 2 - 1);
    const ratio = (bits: number): number => sqnrDb(x, roundTrip(x, { bits, mode: "asymmetric" }));
    for (let bits = 4; bits < 8; bits++) {
      expect(ratio(bits + 1) - ratio(bits)).to.be.within(5.72, 6.32);
    }
  });

  it("gives zeros for zeros, in every convention", () => {
    for (const convention of conventions) {
      for (const mode of ["symmetric", "asymmetric"] as const) {
        const back = roundTrip(new Float32Array(8), { bits: 4, mode, convention });
        expect([...back]).to.deep.equal(
          [0, 0, 0, 0, 0, 0, 0, 0].map((x) => (Object.is(back[0], -0) ? -0 : x)),
        );
      }
    }
  });

  it("reaches the ends of the codes: ±7.5 at 4 bits", () => {
    const x = new Float32Array([7.5, -7.5]);
    const codes = (convention: Convention): number[] => [
      ...quantizeLinear(x, 1, 2, { bits: 4, mode: "symmetric", convention }).codes,
    ];
    expect(codes("max7")).to.deep.equal([7, -7]);
    expect(codes("max7.5")).to.deep.equal([7, -8]);
    expect(codes("ggml")).to.deep.equal([-8, 7]);
  });
});

describe("linear quantisation, bad input", () => {
  const W = new Float32Array(64);
  const cases: readonly (readonly [string, () => unknown, typeof InputError, RegExp])[] = [
    [
      "NaN",
      () => roundTrip(new Float32Array([0, NaN]), { bits: 4, mode: "symmetric" }),
      InputError,
      /Value 1 is NaN/,
    ],
    [
      "infinity",
      () => roundTrip(new Float32Array([-Infinity]), { bits: 4, mode: "symmetric" }),
      InputError,
      /Value 0 is -Infinity/,
    ],
    ["1 bit", () => roundTrip(W, { bits: 1, mode: "symmetric" }), UsageError, /2 to 8 bits, not 1/],
    [
      "9 bits",
      () => roundTrip(W, { bits: 9, mode: "symmetric" }),
      UsageError,
      /2 to 8 bits, not 9/,
    ],
    [
      "a group of 24 in rows of 64",
      () => roundTrip(W, { bits: 4, mode: "symmetric", granularity: { group: 24 } }),
      InputError,
      /24 do not divide a row of 64/,
    ],
    [
      "a matrix of another size",
      () => quantizeLinear(W, 3, 5, { bits: 4, mode: "symmetric" }),
      InputError,
      /has 15 values, not 64/,
    ],
    [
      "kl on a small group",
      () => roundTrip(W, { bits: 4, mode: "symmetric", clip: "kl" }),
      UsageError,
      /at least 512/,
    ],
  ];
  for (const [name, call, type, message] of cases) {
    it(`refuses ${name}`, () => {
      expect(call).to.throw(type, message);
    });
  }
});
