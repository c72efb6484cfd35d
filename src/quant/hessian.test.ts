import { expect } from "chai";
import { InputError, UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import { addProduct, type MatrixView } from "./dense.ts";
import { bell, hessianOf, layerInputs } from "./fixtures/layer.ts";
import { accumulateHessian, inverseHessian } from "./hessian.ts";

describe("addProduct", () => {
  it("is the definition, for odd and even sizes, offsets and either order of A", () => {
    const rng = seededRng(7);
    const random = (): Float64Array => Float64Array.from({ length: 8_000 }, () => bell(rng));
    for (const [m, k, n] of [
      [1, 1, 1],
      [2, 4, 8],
      [3, 5, 7],
      [4, 9, 515],
      [5, 3, 0],
      [6, 0, 4],
      [3, 70, 9],
    ] as const) {
      for (const transposed of [false, true]) {
        const A: MatrixView = {
          data: random(),
          at: 3,
          rowStride: transposed ? 1 : k + 2,
          columnStride: transposed ? m + 2 : 1,
        };
        const B = { data: random(), at: 2, rowStride: n + 3 };
        const C = { data: random(), at: 1, rowStride: n + 1 };
        const expected = C.data.slice();
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            for (let l = 0; l < k; l++) {
              expected[1 + i * (n + 1) + j]! +=
                -2 *
                A.data[3 + i * A.rowStride + l * A.columnStride!]! *
                B.data[2 + l * B.rowStride + j]!;
            }
          }
        }
        addProduct(C, -2, A, B, [m, k, n]);
        const off = C.data.map((value, at) => Math.abs(value - expected[at]!));
        expect(Math.max(...off)).to.be.below(1e-12);
      }
    }
  });
});

describe("accumulateHessian", () => {
  it("is (2/n) Σ x xᵀ however the inputs are cut", () => {
    const cols = 12;
    const X = layerInputs(300, cols);
    const H = new Float64Array(cols * cols);
    let numTokens = 0;
    for (const [from, to] of [
      [0, 1],
      [1, 150],
      [150, 150],
      [150, 300],
    ] as const) {
      numTokens = accumulateHessian(H, numTokens, X.subarray(from * cols, to * cols), cols);
    }
    expect(numTokens).to.equal(300);
    for (let i = 0; i < cols; i++) {
      for (let j = 0; j < cols; j++) {
        let sum = 0;
        for (let t = 0; t < 300; t++) sum += X[t * cols + i]! * X[t * cols + j]!;
        expect(H[i * cols + j]).to.be.closeTo((2 / 300) * sum, 1e-11);
      }
    }
  });

  it("refuses half a row, and names the input that is not finite", () => {
    const H = new Float64Array(16);
    expect(() => accumulateHessian(H, 0, new Float32Array(6), 4)).to.throw(
      InputError,
      /whole rows/,
    );
    const X = new Float32Array(8);
    X[6] = NaN;
    expect(() => accumulateHessian(H, 0, X, 4)).to.throw(InputError, /Input 2 .* not finite/);
  });
});

describe("inverseHessian", () => {
  for (const n of [1, 2, 63, 64, 65, 130]) {
    for (const actOrder of [false, true]) {
      it(`gives an upper U with UᵀU · H = I for ${n} inputs${actOrder ? " in act-order" : ""}`, () => {
        const H = hessianOf(layerInputs(3 * n, n), n);
        const { upper, order, damping } = inverseHessian(H, n, { actOrder });
        const inverse = new Float64Array(n * n);
        const U = { data: upper, at: 0, rowStride: n };
        const transposed = { ...U, rowStride: 1, columnStride: n };
        addProduct({ data: inverse, at: 0, rowStride: n }, 1, transposed, U, [n, n, n]);
        let [worst, below] = [0, 0];
        for (let i = 0; i < n; i++) {
          for (let j = 0; j < n; j++) {
            let sum = 0;
            for (let k = 0; k < n; k++) {
              const value = H[order[k]! * n + order[j]!]! + (k === j ? damping : 0);
              sum += inverse[i * n + k]! * value;
            }
            worst = Math.max(worst, Math.abs(sum - (i === j ? 1 : 0)));
            if (j < i) below = Math.max(below, Math.abs(upper[i * n + j]!));
          }
        }
        expect(worst).to.be.below(1e-9);
        expect(below).to.equal(0);
      });
    }
  }

  it("adds the part of the mean curvature that is asked for", () => {
    const H = Float64Array.of(4, 0, 0, 8);
    const { upper, damping, note } = inverseHessian(H, 2, { damp: 0.5 });
    expect(damping).to.equal(3);
    expect(note).to.equal(undefined);
    const squares = upper.map((value) => value * value);
    [1 / 7, 0, 0, 1 / 11].forEach((square, at) => {
      expect(squares[at]).to.be.closeTo(square, 1e-15);
    });
  });

  it("damps a singular Hessian more than it was asked to, and says so", () => {
    const H = hessianOf(layerInputs(5, 16), 16);
    const { damping, note } = inverseHessian(H, 16, { damp: 0 });
    expect(damping).to.be.above(0);
    expect(note).to.match(/singular with damping 0: 0.01 of its mean diagonal was added/);
  });

  it("takes no rounding error of a singular Hessian for curvature", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const H = hessianOf(layerInputs(15, 16, 0.75, seed), 16);
      expect(inverseHessian(H, 16, { damp: 0 }).note).to.match(/singular/);
    }
  });

  it("does without damping where the Hessian has full rank", () => {
    const { damping, note } = inverseHessian(hessianOf(layerInputs(64, 16), 16), 16, { damp: 0 });
    expect([damping, note]).to.deep.equal([0, undefined]);
  });

  const refused: readonly (readonly [string, () => unknown, typeof InputError, RegExp])[] = [
    ["zeros only", () => inverseHessian(new Float64Array(9), 3), InputError, /no calibration data/],
    [
      "another size",
      () => inverseHessian(new Float64Array(8), 3),
      InputError,
      /3 × 3 Hessian, not 8/,
    ],
    [
      "a negative diagonal",
      () => inverseHessian(Float64Array.of(1, 0, 0, -1), 2),
      InputError,
      /input 1 is -1/,
    ],
    [
      "infinity",
      () => inverseHessian(Float64Array.of(Infinity, 0, 0, 1), 2),
      InputError,
      /input 0 is Infinity/,
    ],
    [
      "an indefinite matrix",
      () => inverseHessian(Float64Array.of(1, 9, 9, 1), 2),
      InputError,
      /not positive/,
    ],
    [
      "NaN beside the diagonal",
      () => inverseHessian(Float64Array.of(1, NaN, NaN, 1), 2),
      InputError,
      /not positive/,
    ],
    [
      "negative damping",
      () => inverseHessian(Float64Array.of(1), 1, { damp: -1 }),
      UsageError,
      /not -1/,
    ],
  ];
  for (const [what, call, type, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(call).to.throw(type, message);
    });
  }
});
