import { expect } from "chai";
import { normal, seededRng } from "../core/rng.ts";
import type { WasmDenseAlgebra } from "../kernels/wasm/wasm-dense.ts";
import { addGram, addProduct, choleskyUpper, inverseOfTransposed } from "../quant/dense.ts";
import type { MatrixView } from "../quant/dense.ts";
import { openWasmDense } from "./open-dense.ts";

const rng = seededRng(4);
const random = (length: number): Float64Array => Float64Array.from({ length }, () => normal(rng));

function worst(x: ArrayLike<number>, y: ArrayLike<number>): number {
  expect(x.length).to.equal(y.length);
  return Array.from(x, (value, i) => Math.abs(value - y[i]!)).reduce((a, b) => Math.max(a, b), 0);
}

for (const threads of [1, 2]) {
  describe(`dense algebra in wasm, ${threads} thread(s)`, () => {
    let dense: WasmDenseAlgebra;
    before(async () => {
      dense = await openWasmDense(threads);
    });
    after(() => dense.close());

    it("multiplies as plain TypeScript does: panels, tails, strides, and what is too little to bring over", () => {
      for (const [m, k, n] of [
        [64, 64, 64],
        [67, 131, 93],
        [5, 300, 700],
        [130, 520, 129],
        [2, 3, 4],
        [64, 0, 64],
      ] as const) {
        for (const transposed of [false, true]) {
          const A: MatrixView = {
            data: random((m + 2) * (k + 2) + 3),
            at: 3,
            rowStride: transposed ? 1 : k + 2,
            columnStride: transposed ? m + 2 : 1,
          };
          const B = { data: random(k * (n + 3) + 2), at: 2, rowStride: n + 3 };
          const C = { data: random(m * (n + 1) + 1), at: 1, rowStride: n + 1 };
          const expected = { ...C, data: C.data.slice() };
          addProduct(expected, -2, A, B, [m, k, n]);
          dense.product(C, -2, A, B, [m, k, n]);
          // k sums of products of normal numbers, in another order.
          expect(worst(C.data, expected.data)).to.be.below(1e-14 * (k + 1) * 8);
        }
      }
    });

    it("adds XᵀX on the diagonal and right of it, in float32", () => {
      for (const [tokens, cols] of [
        [70, 33],
        [600, 140],
        [1, 8],
      ] as const) {
        const X = Float32Array.from(random(tokens * cols));
        const [H, expected] = [new Float64Array(cols * cols), new Float64Array(cols * cols)];
        dense.addGram(H, 0.5, X, cols);
        addGram(expected, 0.5, X, cols);
        for (let i = 0; i < cols; i++) {
          const [from, to] = [i * cols + i, (i + 1) * cols];
          const off = worst(H.subarray(from, to), expected.subarray(from, to));
          // As many roundings of sums that grow to about their number.
          expect(off).to.be.below(tokens ** 2 * 2 ** -24 + 1e-6);
        }
      }
    });

    it("factors and inverts", () => {
      const n = 150;
      const X = Float32Array.from(random(4 * n * n));
      const A = new Float64Array(n * n);
      addGram(A, 1 / (4 * n), X, n);
      const [V, plain] = [A.slice(), A.slice()];
      expect(choleskyUpper(V, n, dense.product)).to.equal(true);
      expect(choleskyUpper(plain, n, addProduct)).to.equal(true);
      const inverse = inverseOfTransposed(V, n, dense.product);
      expect(worst(inverse, inverseOfTransposed(plain, n, addProduct))).to.be.below(1e-11);
    });
  });
}
