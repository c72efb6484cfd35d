/**
 * One suite for every implementation of the forward pass's kernels, against brute force in float64. An
 * implementation's own test file calls it.
 */
import { expect } from "chai";
import { dtypeLayouts, type Dtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import type { QuantizableDtype } from "../quant/blocks/quantize.ts";
import { rejection } from "../testing.ts";
import { activationFormat, roundActivations } from "./activation-rounding.ts";
import type { Activations, ForwardKernels, Matrix } from "./forward-kernels.ts";
import {
  KernelJudge,
  libraryPrecision,
  softmax,
  stored,
  sum,
  ulp,
  type FunctionPrecision,
} from "./kernel-judge.testing.ts";
import { describeKvKernels } from "./kv-conformance.testing.ts";

/**
 * Defines the suite for the kernels that `open` gives; they are opened once, before the first test.
 * What `precision` says replaces the part that functions have in the tolerances.
 */
export function describeForwardKernels(
  name: string,
  open: (test: Mocha.Context) => Promise<ForwardKernels>,
  precision: FunctionPrecision = libraryPrecision,
): void {
  describeKvKernels(name, open, precision);

  describe(`forward kernels: ${name}`, () => {
    let opened: ForwardKernels | undefined;
    let kernels: ForwardKernels;
    let judge: KernelJudge;
    beforeEach(async function () {
      kernels = opened ??= await open(this);
      judge = new KernelJudge(kernels);
    });
    const randomValues = (length: number): Float32Array<ArrayBuffer> => judge.randomValues(length);
    const activations = (numRows: number, numCols: number, values: Float32Array): Activations =>
      judge.activations(numRows, numCols, values);
    const expectNear: KernelJudge["expectNear"] = (found, wanted, tolerance) =>
      judge.expectNear(found, wanted, tolerance);

    const matrix = (
      numRows: number,
      numCols: number,
      dtype: Dtype,
      bytes: Uint8Array,
    ): Promise<Matrix> =>
      kernels.loadMatrix({ name: "w", numRows, numCols, dtype, bytes: new Uint8Array(bytes) });

    it("allocates zeros, and reads what was written, through rows as well", async () => {
      const x = kernels.allocate(3, 5);
      expect([...(await kernels.read(x))]).to.deep.equal(new Array(15).fill(0));
      const values = randomValues(15);
      kernels.write(values, x);
      const middle = kernels.rows(x, 1, 2);
      expect(middle).to.include({ numRows: 1, numCols: 5 });
      expect([...(await kernels.read(middle))]).to.deep.equal([...values.subarray(5, 10)]);
      kernels.write(new Float32Array(5), middle);
      const copy = await kernels.read(x);
      expect([...copy.subarray(0, 10)]).to.deep.equal([...values.subarray(0, 5), 0, 0, 0, 0, 0]);
      copy.fill(7);
      expect((await kernels.read(x))[0]).to.equal(values[0]);
    });

    /** [tokens, outputs, inputs]: aligned, tails, single rows and columns, some tokens and many. */
    const shapes: readonly (readonly [number, number, number])[] = [
      ...([1, 2, 5] as const).flatMap((n) => [[n, 8, 64] as const, [n, 7, 96] as const]),
      [1, 1, 32],
      [3, 33, 256],
      ...([4, 6, 7, 19, 67] as const).map((n) => [n, 9, 32] as const),
    ];
    const plainShapes = [...shapes, [1, 3, 1] as const, [2, 5, 33] as const, [4, 1, 172] as const];
    const dtypes: readonly ("F32" | QuantizableDtype)[] = [
      ...(["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL"] as const),
      ...(["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "TQ1_0", "TQ2_0"] as const),
    ];

    for (const dtype of dtypes) {
      it(`multiplies by weights in ${dtype}`, async () => {
        const { blockElements } = dtypeLayouts[dtype];
        const fitting = plainShapes.filter(([, , cols]) => cols % blockElements === 0);
        expect(fitting.length).to.be.at.least(1);
        for (const [n, numRows, numCols] of fitting) {
          const { bytes, values: W } = stored(dtype, randomValues(numRows * numCols));
          const X = randomValues(n * numCols);
          const out = kernels.allocate(n, numRows);
          const weights = await matrix(numRows, numCols, dtype, bytes);
          kernels.matmul(activations(n, numCols, X), weights, out);
          // Kernels may compute with another format than a file has.
          const format = kernels.roundsActivations ? activationFormat(weights.dtype) : "F32";
          const rounded = roundActivations(X, format);
          const terms = (i: number): number[] => {
            const [row, r] = [Math.floor(i / numRows), i % numRows];
            return Array.from(
              { length: numCols },
              (_, c) => rounded[row * numCols + c]! * W[r * numCols + c]!,
            );
          };
          const wanted = Array.from({ length: n * numRows }, (_, i) => sum(terms(i)));
          // Higham's bound for a float32 sum of so many rounded products, in any order.
          await expectNear(
            out,
            wanted,
            (i) => (numCols + 1) * ulp * sum(terms(i).map(Math.abs)) + ulp * Math.abs(wanted[i]!),
          );
        }
      });

      it(`looks rows up in ${dtype}`, async () => {
        const numCols = Math.max(64, dtypeLayouts[dtype].blockElements);
        const { bytes, values } = stored(dtype, randomValues(9 * numCols));
        const ids = Int32Array.of(8, 0, 3, 3);
        const out = kernels.allocate(4, numCols);
        kernels.embed(await matrix(9, numCols, dtype, bytes), ids, out);
        const wanted = [...ids].flatMap((id) => [
          ...values.subarray(id * numCols, (id + 1) * numCols),
        ]);
        await expectNear(out, wanted, () => 0);
      });
    }

    it("normalises rows by their root mean square", async () => {
      for (const [n, cols] of [
        [1, 1],
        [3, 64],
        [2, 172],
        [5, 33],
      ] as const) {
        for (const [size, epsilon] of [
          [1, 1e-5],
          [1e-4, 1e-5],
          [0, 1e-5],
          [1e4, 1e-6],
        ] as const) {
          const X = randomValues(n * cols).map((value) => value * size);
          const weight = randomValues(cols);
          const out = kernels.allocate(n, cols);
          kernels.rmsNorm(activations(n, cols, X), activations(1, cols, weight), epsilon, out);
          const wanted = Array.from(X, (value, i) => {
            const row = X.subarray(i - (i % cols), i - (i % cols) + cols);
            const meanSquare = sum([...row].map((x) => x * x)) / cols;
            return (value / Math.sqrt(meanSquare + epsilon)) * weight[i % cols]!;
          });
          // A sum of squares, all positive, their mean, then root, quotient and two products.
          const rounding = (cols / 2 + 2.5) * ulp + precision.sqrt + 1.5 * precision.divide;
          await expectNear(out, wanted, (i) => rounding * Math.abs(wanted[i]!));
        }
      }
    });

    it("adds rows, and one row to all", async () => {
      const [X, Y, y] = [randomValues(21), randomValues(21), randomValues(7)];
      const x = activations(3, 7, X);
      kernels.add(x, activations(3, 7, Y));
      kernels.add(x, activations(1, 7, y));
      const once = X.map((value, i) => value + Y[i]!);
      await expectNear(x, [...once.map((value, i) => value + y[i % 7]!)], () => 0);
    });

    it("multiplies by the SiLU of the gate, at the ends of its range too", async () => {
      const gate = Float32Array.of(...randomValues(29), 0, -0, 90, -90, 3e38, -3e38);
      const up = Float32Array.of(...randomValues(29), 1, 1, 2, 2, 1, 1);
      const x = activations(5, 7, gate);
      kernels.siluMultiply(x, activations(5, 7, up));
      const wanted = Array.from(gate, (g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
      await expectNear(x, wanted, (i) => {
        const g = Math.abs(gate[i]!);
        // Without the exponential and the quotient, a sum and two products; below 2⁻¹²⁶ no digits.
        const rounding = 5 * ulp + precision.exp(g) + precision.divide;
        const smallest = precision.flushesSubnormals ? Math.max(1, Math.min(g, 104) * up[i]!) : 1;
        return rounding * Math.abs(wanted[i]!) + smallest * 2 ** -126;
      });
    });

    it("turns pairs of columns, neighbours or halves, and leaves the rest", async () => {
      const [n, headDim, numHeads] = [3, 10, 2];
      for (const pairing of ["adjacent", "halves"] as const) {
        for (const dim of [10, 6, 2]) {
          const X = randomValues(n * headDim * numHeads);
          const angles = randomValues((n * dim) / 2);
          const half = dim / 2;
          const table = Float32Array.from({ length: n * dim }, (_, i) => {
            const [row, column] = [Math.floor(i / dim), i % dim];
            const angle = angles[row * half + (column % half)]!;
            return column < half ? Math.cos(angle) : Math.sin(angle);
          });
          const x = activations(n, headDim * numHeads, X);
          kernels.rope(x, activations(n, dim, table), { headDim, pairing });
          // A pair as a complex number, times e^(i·angle).
          const wanted = Array.from(X);
          for (let head = 0; head < n * numHeads; head++) {
            for (let pair = 0; pair < half; pair++) {
              const [a, b] =
                pairing === "adjacent" ? [2 * pair, 2 * pair + 1] : [pair, pair + half];
              const [at, other] = [head * headDim + a, head * headDim + b];
              const angle = angles[Math.floor(head / numHeads) * half + pair]!;
              const length = Math.hypot(X[at]!, X[other]!);
              const turned = Math.atan2(X[other]!, X[at]!) + angle;
              wanted[at] = length * Math.cos(turned);
              wanted[other] = length * Math.sin(turned);
            }
          }
          // Of numbers below 8: cosine and sine rounded, two products and a sum.
          await expectNear(x, wanted, () => 5 * ulp * 8);
        }
      }
    });

    it("gives softmax of rows, of large and infinite values too", async () => {
      const rows = [
        [...randomValues(37)],
        [...randomValues(37)].map((value) => value * 50 + 1000),
        [...randomValues(36), -Infinity],
        new Array<number>(37).fill(-3e38),
      ];
      const x = activations(4, 37, Float32Array.from(rows.flat()));
      kernels.softmax(x);
      const wanted = rows.flatMap((row) => softmax(row.map(Math.fround)));
      await expectNear(x, wanted, (i) => {
        const row = rows[Math.floor(i / 37)]!;
        const below = Math.max(...row) - row[i % 37]!;
        // Of the 37 powers, those that count in the sum are of little more than 0.
        const powers = precision.exp(Number.isFinite(below) ? below : 0) + precision.exp(2);
        return (45 * ulp + powers + precision.divide) * wanted[i]! + 2 ** -126;
      });
    });

    it("refuses shapes and rows that do not fit", async () => {
      const [a, b] = [kernels.allocate(2, 4), kernels.allocate(2, 6)];
      const vector = kernels.allocate(1, 4);
      const W = await matrix(3, 4, "F32", new Uint8Array(48));
      const attention = { queries: a, keys: a, values: a, slots: Int32Array.of(0, 1), scale: 1 };
      const calls = [
        () => kernels.rows(a, 1, 3),
        () => kernels.rows(a, -1, 1),
        () => {
          kernels.write(new Float32Array(7), a);
        },
        () => {
          kernels.embed(W, Int32Array.of(0, 3), a);
        },
        () => {
          kernels.embed(W, Int32Array.of(0, -1), a);
        },
        () => {
          kernels.embed(W, Int32Array.of(0, 1), b);
        },
        () => {
          kernels.matmul(b, W, kernels.allocate(2, 3));
        },
        () => {
          kernels.matmul(a, W, a);
        },
        () => {
          kernels.rmsNorm(a, kernels.allocate(1, 3), 1, a);
        },
        () => {
          kernels.add(a, b);
        },
        () => {
          kernels.add(vector, a);
        },
        () => {
          kernels.siluMultiply(a, b);
        },
        () => {
          kernels.rope(a, kernels.allocate(2, 6), { headDim: 4, pairing: "halves" });
        },
        () => {
          kernels.rope(a, kernels.allocate(2, 3), { headDim: 4, pairing: "halves" });
        },
        () => {
          kernels.rope(a, vector, { headDim: 4, pairing: "halves" });
        },
        () => {
          kernels.storeRows(a, Int32Array.of(0, 2), a);
        },
        () => {
          kernels.storeRows(a, Int32Array.of(0), a);
        },
        () => {
          kernels.copyRows(a, Int32Array.of(0), Int32Array.of(2));
        },
        () => {
          kernels.copyRows(a, Int32Array.of(0, 1), Int32Array.of(0));
        },
        () => {
          kernels.restoreRows(a, Int32Array.of(0), new Uint8Array(15));
        },
        () => kernels.saveRows(a, Int32Array.of(-1)),
        () => {
          kernels.attention({ ...attention, headDim: 3 }, a);
        },
        () => {
          kernels.attention({ ...attention, headDim: 4 }, b);
        },
        () => {
          kernels.attention({ ...attention, headDim: 4, slots: Int32Array.of(0) }, a);
        },
        () => {
          kernels.attention({ ...attention, headDim: 4, slots: Int32Array.of(0, 2) }, a);
        },
      ];
      for (const call of calls) expect(call, String(call)).to.throw(InputError, /was given/);
      const short = await rejection(matrix(3, 4, "F32", new Uint8Array(47)));
      expect(short).to.be.instanceOf(InputError);
      expect(short.message).to.match(/"w" has 47 bytes, and \[3, 4\] in F32 takes 48/);
    });

    it("names the tensor whose format it cannot compute with", async () => {
      for (const [dtype, bytes] of [
        ["I8", 128],
        ["Q1_0", 18],
      ] as const) {
        const error = await rejection(matrix(1, 128, dtype, new Uint8Array(bytes)));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(new RegExp(`^Tensor "w" cannot be used: .*${dtype}`));
      }
    });
  });
}
