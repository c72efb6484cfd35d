/** One suite for every implementation of the kernels, against brute force in float64. */
import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { normal, randomInt, seededRng } from "../core/rng.ts";
import { roundHalfEven } from "../core/rounding.ts";
import { quantizeLinear, type GroupGrids, type LinearOptions } from "../quant/linear.ts";
import { openWasmKernels } from "../tensor/kernel-module.ts";
import type { Kernels } from "./kernels.ts";
import { referenceKernels } from "./reference.ts";

/** [groups, values a group]: aligned, tails of every kind, and across the edges of pieces. */
const shapes: readonly (readonly [number, number])[] = [
  ...[1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 100].map((size) => [5, size] as const),
  ...([1, 16_384, 16_385, 40_000] as const).map((size) => [2, size] as const),
  [20_000, 1],
  [1_100, 32],
  [170, 100],
];

/** Values of every kind, by name. */
const inputs: Readonly<Record<string, (count: number) => Float32Array>> = {
  normal(count) {
    const rng = seededRng(1);
    return Float32Array.from({ length: count }, () => normal(rng) * 0.05);
  },
  "bfloat16 grid": (count) => {
    const values = inputs["normal"]!(count);
    new Uint32Array(values.buffer).forEach((bits, i, all) => (all[i] = bits & 0xffff0000));
    return values;
  },
  "halves of a power of two": (count) => {
    const rng = seededRng(2);
    return Float32Array.from({ length: count }, () => (randomInt(rng, 40) - 20) / 64);
  },
  extremes(count) {
    const rng = seededRng(3);
    const some = [0, -0, 1e-45, -1e-45, 1e-38, 1, -1, 3.4028234663852886e38, -3.4e38];
    return Float32Array.from({ length: count }, () => some[randomInt(rng, some.length)]!);
  },
  positive: (count) => inputs["normal"]!(count).map((value) => Math.abs(value) + 1),
  negative: (count) => inputs["normal"]!(count).map((value) => -Math.abs(value) - 1),
};

/** Scales that divide badly: ordinary, powers of two, subnormal, huge and negative. */
const scales = [0.0123, 1 / 32, 1 / 64, 1, 1e-45, 1e-40, 3e38, -0.02].map(Math.fround);

const codings = [
  { qmin: -8, qmax: 7, zeroPoint: null },
  { qmin: -128, qmax: 127, zeroPoint: null },
  { qmin: -2, qmax: 1, zeroPoint: null },
  { qmin: 0, qmax: 15, zeroPoint: 15 },
  { qmin: 0, qmax: 255, zeroPoint: 131 },
];

/** The code of one value, as `src/quant/grid.ts` defines it. */
function codeOf(value: number, scale: number, { zeroPoints, qmin, qmax }: GroupGrids): number {
  const code = roundHalfEven(value / scale) + (zeroPoints?.[0] ?? 0);
  return Math.min(qmax, Math.max(qmin, code));
}

/** The first index at which two arrays differ, or −1; −0 equals 0. */
function firstDifference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).to.equal(wanted.length);
  return Array.from(wanted).findIndex((value, i) => value !== found[i]);
}

for (const name of ["reference", "wasm"] as const) {
  describe(`kernels: ${name}`, () => {
    let kernels: Kernels;

    before(async () => {
      kernels =
        name === "wasm" ? await openWasmKernels({ memoryBytes: 4 * 2 ** 20 }) : referenceKernels;
      expect(kernels.name).to.equal(name);
    });

    for (const [input, valuesOf] of Object.entries(inputs)) {
      it(`finds the ranges of groups: ${input}`, () => {
        for (const [numGroups, groupSize] of shapes) {
          const values = valuesOf(numGroups * groupSize);
          const lows = new Float32Array(numGroups).fill(NaN);
          const highs = new Float32Array(numGroups).fill(NaN);
          kernels.groupRanges(values, groupSize, lows, highs);
          const group = (g: number): number[] => [
            ...values.subarray(g * groupSize, (g + 1) * groupSize),
          ];
          const wantedLows = Array.from(lows, (_, g) =>
            group(g).reduce((low, value) => Math.min(low, value), 0),
          );
          const wantedHighs = Array.from(lows, (_, g) =>
            group(g).reduce((high, value) => Math.max(high, value), 0),
          );
          expect(firstDifference(lows, wantedLows), `low of ${groupSize}`).to.equal(-1);
          expect(firstDifference(highs, wantedHighs), `high of ${groupSize}`).to.equal(-1);
        }
      });

      it(`puts values on their nearest codes: ${input}`, () => {
        for (const [numGroups, groupSize] of shapes) {
          const values = valuesOf(numGroups * groupSize);
          const scaleOf = Float32Array.from(
            { length: numGroups },
            (_, g) => scales[g % scales.length]!,
          );
          for (const { qmin, qmax, zeroPoint } of codings) {
            const zeroPoints =
              zeroPoint === null ? null : new Uint8Array(numGroups).fill(zeroPoint);
            const grids = { scales: scaleOf, zeroPoints, qmin, qmax };
            const codes = qmin < 0 ? new Int8Array(values.length) : new Uint8Array(values.length);
            kernels.encodeGroups(values, groupSize, grids, codes);
            const wanted = Array.from(values, (value, i) =>
              codeOf(value, scaleOf[Math.floor(i / groupSize)]!, grids),
            );
            const at = firstDifference(codes, wanted);
            expect(at, `${groupSize}: ${values[at]!} gives ${codes[at]!}`).to.equal(-1);
          }
        }
      });
    }

    it("shows a value that is not finite, wherever it stands", () => {
      const negativeNaN = new Float32Array(new Uint32Array([0xffc00000]).buffer)[0]!;
      for (const bad of [NaN, negativeNaN, Infinity, -Infinity]) {
        for (const size of [1, 32, 35, 16_390]) {
          for (const at of [0, size >> 1, size - 1]) {
            const values = new Float32Array(2 * size).fill(-1);
            values[size + at] = bad;
            const [lows, highs] = [new Float32Array(2), new Float32Array(2)];
            kernels.groupRanges(values, size, lows, highs);
            expect([lows[0], highs[0]]).to.deep.equal([-1, 0]);
            expect(Number.isFinite(lows[1]) && Number.isFinite(highs[1]), `${bad}`).to.equal(false);
          }
        }
      }
    });

    it("packs 4-bit codes of every length and sign", () => {
      const rng = seededRng(4);
      for (const count of [0, 1, 2, 15, 16, 31, 32, 33, 64, 65, 16_384, 16_385, 40_001]) {
        const codes = Int8Array.from({ length: count }, () => randomInt(rng, 16) - 8);
        const packed = new Uint8Array(Math.ceil(count / 2)).fill(0xaa);
        kernels.packNibbles(codes, packed);
        const nibble = (i: number): number => (i < count ? (codes[i]! + 16) % 16 : 0);
        const wanted = Array.from(packed, (_, i) => nibble(2 * i) + 16 * nibble(2 * i + 1));
        expect(firstDifference(packed, wanted), `${count} codes`).to.equal(-1);
      }
    });

    it("works on arrays of its own in place, and beside none of them", () => {
      // 1,600 codes end where a cache line does, so that the guards stand right beside them.
      const [count, size] = [1_600, 25];
      const values = kernels.allocateFloat32(count);
      const guards = [kernels.allocateBytes(64), kernels.allocateBytes(count)];
      const codes = kernels.allocateBytes(count);
      guards.push(kernels.allocateBytes(64));
      for (const guard of guards) guard.fill(0x55);
      values.set(inputs["normal"]!(count));
      const grids = {
        scales: new Float32Array(count / size).fill(0.01),
        zeroPoints: null,
        qmin: -8,
        qmax: 7,
      };
      kernels.encodeGroups(values, size, grids, codes);
      const wanted = Array.from(values, (value) => codeOf(value, grids.scales[0]!, grids) & 0xff);
      expect(firstDifference(codes, wanted)).to.equal(-1);
      expect(guards.every((guard) => guard.every((byte) => byte === 0x55))).to.equal(true);
    });

    const matrices: readonly LinearOptions[] = (["tensor", "row", { group: 25 }] as const).flatMap(
      (granularity) =>
        [2, 3, 4, 8].flatMap((bits) => [
          { bits, mode: "symmetric", granularity },
          { bits, mode: "symmetric", convention: "max7.5", granularity, clip: "percentile" },
          { bits, mode: "symmetric", convention: "ggml", granularity, scaleType: "F16" },
          { bits, mode: "asymmetric", granularity, scaleType: "F16" },
        ]),
    );

    it("gives the matrices that the plain loops give", () => {
      for (const input of ["normal", "bfloat16 grid", "positive"]) {
        const W = inputs[input]!(200 * 100);
        for (const options of matrices) {
          expect(quantizeLinear(W, 200, 100, options, kernels)).to.deep.equal(
            quantizeLinear(W, 200, 100, options),
          );
        }
      }
    });

    it("leads to the same refusal of NaN and infinity", () => {
      const options = { bits: 4, mode: "symmetric", granularity: "row" } as const;
      const W = inputs["normal"]!(64);
      [W[37], W[50]] = [-Infinity, NaN];
      expect(() => quantizeLinear(W, 2, 32, options, kernels)).to.throw(
        InputError,
        /^Value 37 is -Infinity \(2 of 64 values are not finite\)/,
      );
    });
  });
}

describe("kernels: wasm, its memory", () => {
  it("refuses lengths that do not fit each other", async () => {
    const kernels = await openWasmKernels();
    const grids = { scales: new Float32Array(2), zeroPoints: null, qmin: -8, qmax: 7 };
    const four = new Float32Array(4);
    const calls = [
      () => {
        kernels.groupRanges(four, 4, new Float32Array(2), new Float32Array(2));
      },
      () => {
        kernels.groupRanges(four, 2, new Float32Array(2), new Float32Array(1));
      },
      () => {
        kernels.encodeGroups(four, 4, grids, new Uint8Array(4));
      },
      () => {
        kernels.encodeGroups(four, 2, grids, new Uint8Array(5));
      },
      () => {
        kernels.encodeGroups(
          four,
          2,
          { ...grids, zeroPoints: new Uint8Array(1) },
          new Uint8Array(4),
        );
      },
      () => {
        kernels.packNibbles(new Uint8Array(4), new Uint8Array(1));
      },
    ];
    for (const call of calls) expect(call).to.throw(InputError, /where \d are needed/);
  });

  it("says when it is used up, and what no memory holds", async () => {
    const kernels = await openWasmKernels({ memoryBytes: 256 });
    kernels.allocateFloat32(48);
    expect(() => kernels.allocateBytes(65)).to.throw(InputError, /64 bytes left and 65 are asked/);
    expect(() => kernels.allocateBytes(-1)).to.throw(InputError, /-1 are asked/);
    expect(kernels.allocateBytes(64).length).to.equal(64);
    for (const memoryBytes of [2 ** 32, -1, NaN, 0.5]) {
      const failure = await openWasmKernels({ memoryBytes }).catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(InputError);
      expect((failure as Error).message).to.match(/is out of range/);
    }
  });
});
