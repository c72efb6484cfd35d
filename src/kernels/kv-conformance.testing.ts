/**
 * The suite for what an implementation of the forward pass's kernels does with keys and values: stored
 * in every format, moved, and attended to, against brute force in float64.
 */
import { expect } from "chai";
import { dtypeLayouts } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import type { Activations, ForwardKernels } from "./forward-kernels.ts";
import {
  KernelJudge,
  softmax,
  stored,
  sum,
  ulp,
  type FunctionPrecision,
} from "./kernel-judge.testing.ts";
import { kvDtypes, type KvDtype, type KvRows } from "./kv-rows.ts";

/** Part of `describeForwardKernels`, with the same arguments. */
export function describeKvKernels(
  name: string,
  open: (test: Mocha.Context) => Promise<ForwardKernels>,
  precision: FunctionPrecision,
): void {
  describe(`keys and values: ${name}`, () => {
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

    it("stores rows at their slots", async () => {
      const pool = kernels.allocate(6, 3);
      const X = randomValues(9);
      kernels.storeRows(activations(3, 3, X), Int32Array.of(4, 0, 5), pool);
      const zeros = [0, 0, 0];
      const row = (i: number): number[] => [...X.subarray(3 * i, 3 * i + 3)];
      const wanted = [row(1), zeros, zeros, zeros, row(0), row(2)].flat();
      await expectNear(pool, wanted, () => 0);
    });

    const kvCols = 96;

    /** The rows of a pool as attention sees them: alone, a token's value is the result. */
    const expectKvRows = async (pool: KvRows, wanted: readonly Float32Array[]): Promise<void> => {
      const out = kernels.allocate(wanted.length, kvCols);
      wanted.forEach((_, row) => {
        // Heads that begin in the middle of a block.
        const input = {
          queries: activations(1, kvCols, randomValues(kvCols)),
          headDim: 48,
          scale: 1,
        };
        kernels.attention(
          { ...input, keys: pool, values: pool, slots: Int32Array.of(row) },
          kernels.rows(out, row, row + 1),
        );
      });
      const all = wanted.flatMap((row) => [...row]);
      await expectNear(out, all, (i) => (ulp + precision.divide) * Math.abs(all[i]!));
    };

    for (const dtype of kvDtypes) {
      it(`stores keys and values in ${dtype}, copies, saves and restores them`, async () => {
        const pool = kernels.allocateKv(7, kvCols, dtype);
        const X = randomValues(4 * kvCols).map((value, i) => value * [1, 1e-7, 300, 1][i % 4]!);
        // A block of zeros; one of halves, whose codes are ties; one with its peak below zero first; ties
        // of float16, below 2⁻¹⁴ too.
        X.fill(0, 0, 32);
        X.set(
          Array.from({ length: 32 }, (_, i) => i / 2 - 1),
          32,
        );
        X[63] = 127;
        X.set([-5000, 5000], 64);
        X.set([1 + 2 ** -11, 1 + 3 * 2 ** -11, 1.5 * 2 ** -24, 2 ** -25, -2.5 * 2 ** -24], kvCols);
        const rows = [0, 1, 2, 3].map((i) =>
          kvValues(dtype, X.slice(i * kvCols, (i + 1) * kvCols)),
        );
        const zeros = new Float32Array(kvCols);
        kernels.storeRows(activations(4, kvCols, X), Int32Array.of(5, 0, 3, 1), pool);
        await expectKvRows(pool, [rows[1]!, rows[3]!, zeros, rows[2]!, zeros, rows[0]!, zeros]);

        kernels.copyRows(pool, Int32Array.of(5, 3), Int32Array.of(2, 6));
        const saved = await kernels.saveRows(pool, Int32Array.of(6, 0, 5));
        kernels.storeRows(activations(1, kvCols, X.subarray(0, kvCols)), Int32Array.of(6), pool);
        kernels.restoreRows(pool, Int32Array.of(4, 3, 0), saved);
        await expectKvRows(
          pool,
          [0, 3, 0, 1, 2, 0, 0].map((i) => rows[i]!),
        );
      });
    }

    for (const dtype of kvDtypes) {
      it(`saves and takes rows in ${dtype} as a file has them`, async () => {
        // F32 and F16 have rows that are no whole blocks of 32 as well.
        const numCols = dtypeLayouts[dtype].blockElements === 1 ? 7 : kvCols;
        const X = randomValues(3 * numCols);
        const bytes = new Uint8Array(stored(dtype, X).bytes);
        const pool = kernels.allocateKv(5, numCols, dtype);
        kernels.restoreRows(pool, Int32Array.of(4, 0, 3), bytes);
        expect(await kernels.saveRows(pool, Int32Array.of(4, 0, 3))).to.deep.equal(bytes);
        const zeros = await kernels.saveRows(pool, Int32Array.of(1, 2));
        expect(zeros).to.deep.equal(new Uint8Array((bytes.length / 3) * 2));
      });
    }

    it("refuses blocks that a row would cut", () => {
      for (const dtype of ["Q8_0", "Q4_0"] as const) {
        expect(() => kernels.allocateKv(2, 48, dtype)).to.throw(InputError, /48 columns cannot be/);
      }
    });

    it("keeps keys and values whatever is computed before they are read", async () => {
      const pool = kernels.allocateKv(3, 32, "F32");
      const X = randomValues(32);
      const slots = Int32Array.of(0);
      kernels.storeRows(activations(1, 32, X), slots, pool);
      // The same array with other numbers is other data.
      slots[0] = 2;
      kernels.storeRows(
        activations(
          1,
          32,
          X.map((value) => value + 1),
        ),
        slots,
        pool,
      );
      kernels.restoreRows(pool, Int32Array.of(1), await kernels.saveRows(pool, Int32Array.of(0)));
      const saved = await kernels.saveRows(pool, Int32Array.of(1, 2));
      expect(saved).to.deep.equal(
        new Uint8Array(Float32Array.of(...X, ...X.map((value) => value + 1)).buffer),
      );
    });

    /** [queries, tokens so far with them, heads, heads of keys, width]. */
    const attentions: readonly (readonly [number, number, number, number, number])[] = [
      [1, 1, 1, 1, 1],
      [1, 9, 4, 4, 8],
      [1, 33, 6, 2, 16],
      [5, 5, 4, 1, 7],
      [3, 20, 8, 4, 32],
    ];
    /** Heads that blocks and words cut, and more keys or columns than kernels decode at once. */
    const decodedAttentions: typeof attentions = [
      [5, 5, 4, 1, 7],
      [2, 7, 2, 2, 48],
      [1, 57, 1, 1, 128],
      [2, 3, 16, 16, 6],
      [1, 2, 1, 1, 288],
    ];
    for (const dtype of kvDtypes) {
      it(`attends to what a query may see, wherever that lies, in ${dtype}`, () =>
        checkAttention(dtype === "F32" ? attentions : decodedAttentions, dtype, dtype));
    }
    it("attends to keys and values in different formats", async () => {
      await checkAttention([[1, 2, 2, 2, 16]], "F16", "Q4_0");
      await checkAttention([[1, 2, 2, 2, 16]], "Q8_0", "F32");
    });
    const checkAttention = async (
      cases: typeof attentions,
      ...dtypes: readonly [KvDtype, KvDtype]
    ): Promise<void> => {
      const blockElements = Math.max(...dtypes.map((dtype) => dtypeLayouts[dtype].blockElements));
      for (const [n, numTokens, numHeads, numKvHeads, headDim] of cases) {
        const [width, kvWidth] = [numHeads * headDim, numKvHeads * headDim];
        if (kvWidth % blockElements !== 0) continue;
        const numSlots = numTokens + 3;
        // Backwards and with gaps, as pages may lie; what is in other slots must not matter.
        const slots = Int32Array.from({ length: numTokens }, (_, t) => numSlots - 1 - t);
        const Q = randomValues(n * width);
        const staging = kernels.allocate(numSlots, kvWidth);
        const pools = dtypes.map((dtype) => {
          const X = randomValues(numSlots * kvWidth);
          const pool = kernels.allocateKv(numSlots, kvWidth, dtype);
          if (dtype === "F32") X.fill(NaN, 0, 3 * kvWidth);
          const all = Int32Array.from({ length: numSlots }, (_, slot) => slot);
          kernels.write(X, staging);
          kernels.storeRows(staging, all, pool);
          return { pool, values: kvValues(dtype, X) };
        });
        const [K, V] = pools.map(({ values }) => values);
        const out = kernels.allocate(n, width);
        kernels.attention(
          {
            queries: activations(n, width, Q),
            keys: pools[0]!.pool,
            values: pools[1]!.pool,
            slots,
            headDim,
            scale: 0.3,
          },
          out,
        );
        const wanted = Array.from({ length: n * numHeads }, (_, i) => {
          const query = Math.floor(i / numHeads);
          const shared = Math.floor((i % numHeads) / (numHeads / numKvHeads)) * headDim;
          const seen = slots.subarray(0, numTokens - n + query + 1);
          const scores = Array.from(seen, (slot) =>
            sum(
              Array.from({ length: headDim }, (_, c) => {
                const key = K![slot * kvWidth + shared + c]!;
                return 0.3 * Q[i * headDim + c]! * key;
              }),
            ),
          );
          const weights = softmax(scores);
          return Array.from({ length: headDim }, (_, c) =>
            sum(weights.map((w, t) => w * V![seen[t]! * kvWidth + shared + c]!)),
          );
        }).flat();
        // Scores below 30 and values below 6; the error of a score is a relative one of its weight.
        const functions = 2 * precision.exp(60) + precision.divide;
        const tolerance = (((headDim + 2) * 30 + numTokens + 5) * ulp + functions) * 6;
        await expectNear(out, wanted, () => tolerance);
      }
    };
  });
}

/** What keys and values stored in `dtype` stand for. */
function kvValues(dtype: KvDtype, values: Float32Array): Float32Array {
  return dtype === "F32" ? values : stored(dtype, values).values;
}
