import { expect } from "chai";
import { InputError, UsageError } from "../core/errors.ts";
import { BlockColumns, type ColumnDtype } from "./block-columns.ts";
import { dequantizeBlocks } from "./blocks/dequantize.ts";
import { quantizeBlocks } from "./blocks/quantize.ts";
import { LinearColumns, type LinearColumnsOptions } from "./column-quantizer.ts";
import {
  codesAsText,
  goldens,
  hessianOf,
  layerInputs,
  layerWeights,
  quadraticError,
} from "./fixtures/layer.ts";
import { gptq, gptqSteps, type GptqOptions, type GptqResult } from "./gptq.ts";
import { inverseHessian, type InverseFactor, type InverseOptions } from "./hessian.ts";
import { dequantizeLinear, quantizeLinear } from "./linear.ts";

const [rows, cols] = [24, 96];
const W = layerWeights(rows, cols);
const H = hessianOf(layerInputs(4 * cols, cols), cols);

interface Run {
  readonly linear?: Partial<LinearColumnsOptions>;
  readonly inverse?: InverseOptions;
  readonly sweep?: GptqOptions;
  readonly weights?: Float32Array;
  readonly hessian?: Float64Array;
}

function run({ linear, inverse, sweep, weights = W, hessian = H }: Run = {}): {
  readonly result: GptqResult;
  readonly columns: LinearColumns;
  readonly factor: InverseFactor;
} {
  const n = Math.sqrt(hessian.length);
  const options = { bits: 4, mode: "symmetric", ...linear } as const;
  const columns = new LinearColumns(weights.length / n, n, options);
  const factor = inverseHessian(hessian, n, inverse);
  return { result: gptq(weights, factor, columns, sweep), columns, factor };
}

function damped(matrix: Float64Array, damping: number): Float64Array {
  const n = Math.sqrt(matrix.length);
  return matrix.map((value, at) => value + (at % (n + 1) === 0 ? damping : 0));
}

const identity = (n: number, scale: number): Float64Array =>
  Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? scale : 0));

const variants: readonly (readonly [string, Run])[] = [
  ["one scale a row", {}],
  ["groups of 16", { linear: { groupSize: 16 } }],
  [
    "groups of 32, asymmetric, act-order",
    { linear: { groupSize: 32, mode: "asymmetric" }, inverse: { actOrder: true } },
  ],
  [
    "static groups of 8, act-order, 3 bits",
    {
      linear: { groupSize: 8, bits: 3 },
      inverse: { actOrder: true },
      sweep: { staticGroups: true },
    },
  ],
  ["groups of 48, 2 bits, mse clipping", { linear: { groupSize: 48, bits: 2, clip: "mse" } }],
];

describe("gptq", () => {
  for (const [name, variant] of variants) {
    it(`predicts its loss exactly: ${name}`, () => {
      const { result, factor } = run(variant);
      const expected = quadraticError(W, result.values, damped(H, factor.damping), cols);
      expect(result.loss / expected).to.be.closeTo(1, 1e-10);
      const perColumn = result.columnLosses.reduce((sum, loss) => sum + loss, 0);
      expect(perColumn / result.loss).to.be.closeTo(1, 1e-12);
    });

    it(`gives the same with any block size: ${name}`, () => {
      const { columns } = run(variant);
      for (const blockSize of [1, 5, 8, 16, 37, cols]) {
        const other = run({ ...variant, sweep: { ...variant.sweep, blockSize } });
        expect(other.columns.matrix()).to.deep.equal(columns.matrix());
      }
    });

    it(`loses less than rounding to nearest, on inputs that it has not seen: ${name}`, () => {
      const { linear = {} } = variant;
      const unseen = hessianOf(layerInputs(4 * cols, cols, 0.75, 99), cols);
      const options = { bits: 4, mode: "symmetric", ...linear } as const;
      const granularity = linear.groupSize ? { group: linear.groupSize } : "row";
      const nearest = dequantizeLinear(quantizeLinear(W, rows, cols, { ...options, granularity }));
      const { result } = run(variant);
      const gain =
        quadraticError(W, nearest, unseen, cols) / quadraticError(W, result.values, unseen, cols);
      expect(gain).to.be.above(1.3);
    });
  }

  it("is E · U away from the weights it began with", () => {
    const factor = inverseHessian(H, cols);
    const columns = new LinearColumns(rows, cols, { bits: 4, mode: "symmetric" });
    const E = new Float64Array(rows * cols);
    const steps = gptqSteps(W, factor, columns, { blockSize: 20 });
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      const { begin, end, errors } = step.value;
      for (let i = 0; i < errors.length; i++) {
        E[Math.floor(i / (end - begin)) * cols + begin + (i % (end - begin))] = errors[i]!;
      }
    }
    for (let at = 0; at < W.length; at++) {
      const [row, column] = [Math.floor(at / cols), at % cols];
      let moved = 0;
      for (let k = 0; k <= column; k++)
        moved += E[row * cols + k]! * factor.upper[k * cols + column]!;
      expect(W[at]! - step.value.values[at]!).to.be.closeTo(moved, 1e-12);
    }
  });

  for (const [name, variant] of variants.filter(([, { inverse }]) => !inverse)) {
    it(`is rounding to nearest, bit for bit, where inputs are independent: ${name}`, () => {
      const { columns, result } = run({ ...variant, hessian: identity(cols, 3) });
      const { groupSize, ...options } = { bits: 4, mode: "symmetric", ...variant.linear } as const;
      const granularity = groupSize ? { group: groupSize } : "row";
      const nearest = quantizeLinear(W, rows, cols, { ...options, granularity });
      expect(columns.matrix()).to.deep.equal(nearest);
      expect(result.values).to.deep.equal(dequantizeLinear(nearest));
    });
  }

  it("quantises rows that are apart as it does together", () => {
    const half = (rows / 2) * cols;
    const parts = [W.subarray(0, half), W.subarray(half)].map((weights) => run({ weights }));
    const together = run().result;
    const values = parts.flatMap(({ result }) => [...result.values]);
    expect(values).to.deep.equal([...together.values]);
    const loss = parts.reduce((sum, { result }) => sum + result.loss, 0);
    expect(loss / together.loss).to.be.closeTo(1, 1e-12);
  });

  it("takes 2 to 8 bits, and each more than halves the loss", () => {
    const losses = [2, 3, 4, 5, 6, 7, 8].map((bits) => run({ linear: { bits } }).result.loss);
    for (let i = 1; i < losses.length; i++) expect(losses[i - 1]! / losses[i]!).to.be.above(2);
  });

  it("on fewer tokens than inputs fits the tokens: the gain on others is a fraction of that on them", () => {
    const seen = hessianOf(layerInputs(cols / 3, cols), cols);
    const unseen = hessianOf(layerInputs(16 * cols, cols, 0.75, 99), cols);
    const { values } = run({ hessian: seen }).result;
    const nearest = dequantizeLinear(
      quantizeLinear(W, rows, cols, { bits: 4, mode: "symmetric", granularity: "row" }),
    );
    const gain = (hessian: Float64Array): number =>
      quadraticError(W, nearest, hessian, cols) / quadraticError(W, values, hessian, cols);
    expect(gain(seen)).to.be.above(4 * gain(unseen));
  });

  it("rounds halves to even, as quantizeLinear does", () => {
    const weights = Float32Array.of(7, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, -3.5);
    const { columns } = run({ weights, hessian: identity(8, 1) });
    expect([...columns.matrix().codes]).to.deep.equal([7, 0, 2, 2, 0, -2, -2, -4]);
  });

  it("with act-order takes the largest curvature first, and without correlation loses the same", () => {
    const hessian = Float64Array.from({ length: 64 }, (_, at) =>
      at % 9 === 0 ? 1 + ((at * 5) % 8) : 0,
    );
    const weights = layerWeights(4, 8);
    const plain = run({ weights, hessian });
    const ordered = run({ weights, hessian, inverse: { actOrder: true } });
    const diagonal = Array.from(ordered.factor.order, (column) => hessian[column * 9]!);
    expect(diagonal).to.deep.equal([...diagonal].sort((a, b) => b - a));
    expect(ordered.columns.matrix()).to.deep.equal(plain.columns.matrix());
  });

  it("with act-order does not depend on how the inputs are numbered", () => {
    const permutation = Array.from({ length: cols }, (_, i) => (i * 35) % cols);
    const weights = W.map((_, at) => W[at - (at % cols) + permutation[at % cols]!]!);
    const hessian = H.map((_, at) => {
      return H[permutation[Math.floor(at / cols)]! * cols + permutation[at % cols]!]!;
    });
    const inverse = { actOrder: true };
    const one = run({ inverse });
    const other = run({ weights, hessian, inverse });
    const back = new Float32Array(W.length);
    other.result.values.forEach((value, at) => {
      back[at - (at % cols) + permutation[at % cols]!] = value;
    });
    expect(back).to.deep.equal(one.result.values);
  });

  it("is never better than the best codes of all (brute force), and on average much nearer to them than rounding", () => {
    const n = 5;
    const sums = { best: 0, gptq: 0, rounded: 0 };
    for (let seed = 1; seed <= 200; seed++) {
      const weights = layerWeights(1, n, seed);
      const hessian = hessianOf(layerInputs(40, n, 0.9, seed + 1), n);
      const { result, columns, factor } = run({ weights, hessian, linear: { bits: 2 } });
      const scale = columns.matrix().scales[0]!;
      const errorOf = (values: Float32Array): number =>
        quadraticError(weights, values, damped(hessian, factor.damping), n);
      let best = Infinity;
      const trial = new Float32Array(n);
      for (let choice = 0; choice < 4 ** n; choice++) {
        for (let i = 0; i < n; i++) trial[i] = scale * (((choice >> (2 * i)) & 3) - 2);
        best = Math.min(best, errorOf(trial));
      }
      expect(result.loss).to.be.at.least(best * (1 - 1e-9));
      sums.best += best;
      sums.gptq += result.loss;
      const nearest = (w: number): number => Math.min(1, Math.max(-2, Math.round(w / scale)));
      sums.rounded += errorOf(weights.map((w) => scale * nearest(w)));
    }
    expect(sums.gptq - sums.best).to.be.below((sums.rounded - sums.best) / 2);
  });

  for (const [name, expected] of Object.entries(goldens.gptq)) {
    it(`gives the codes and the loss of a NumPy version with explicit inverses: ${name}`, () => {
      const [order, grouping, groupSize, bits, mode] = name.split(" ");
      const { columns, result } = run({
        weights: layerWeights(6, 48),
        hessian: hessianOf(layerInputs(100, 48), 48),
        linear: {
          bits: Number(bits),
          mode: mode as "symmetric" | "asymmetric",
          groupSize: Number(groupSize),
        },
        inverse: { actOrder: order === "act-order" },
        sweep: { staticGroups: grouping === "static", blockSize: 32 },
      });
      const offset = mode === "symmetric" ? 2 ** (Number(bits) - 1) : 0;
      expect(codesAsText(columns.matrix().codes, offset)).to.equal(expected.codes);
      expect(result.loss / expected.loss).to.be.closeTo(1, 1e-9);
    });
  }

  it("gives up the weights of inputs that were always 0, and says which group each column has", () => {
    const X = layerInputs(4 * cols, cols).map((x, at) => (at % cols === 10 ? 0 : x));
    const hessian = hessianOf(X, cols);
    const linear = { groupSize: 16 };
    const { result, factor } = run({ hessian, linear, inverse: { actOrder: true } });
    expect(factor.order[cols - 1]).to.equal(10);
    expect(result.groupOfColumn[10]).to.equal(5);
    for (let row = 0; row < rows; row++) expect(result.values[row * cols + 10]).to.equal(0);
  });

  const refused: readonly (readonly [string, () => unknown, typeof InputError, RegExp])[] = [
    [
      "a Hessian of another layer",
      () =>
        gptq(
          W,
          inverseHessian(H, cols),
          new LinearColumns(cols, rows, { bits: 4, mode: "symmetric" }),
        ),
      InputError,
      /a Hessian of 24 inputs, not 2304 and 96/,
    ],
    [
      "NaN weights",
      () => run({ weights: W.map((w, i) => (i === 7 ? NaN : w)) }),
      InputError,
      /Value 7 is NaN/,
    ],
    ["blocks of no columns", () => run({ sweep: { blockSize: 0 } }), UsageError, /at least 1; 0/],
    ["9 bits", () => run({ linear: { bits: 9 } }), UsageError, /2 to 8 bits, not 9/],
    [
      "groups of 7",
      () => run({ linear: { groupSize: 7 } }),
      InputError,
      /do not divide a row of 96/,
    ],
    [
      "act-order on blocks without static groups",
      () =>
        gptq(W, inverseHessian(H, cols, { actOrder: true }), new BlockColumns("Q4_0", rows, cols)),
      UsageError,
      /static groups/,
    ],
  ];
  for (const [what, call, type, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(call).to.throw(type, message);
    });
  }
});

describe("gptq on the grids of GGUF files", () => {
  const [n, m] = [512, 6];
  const weights = layerWeights(m, n, 5);
  const hessian = hessianOf(layerInputs(4 * n, n), n);
  const dtypes: readonly ColumnDtype[] = [
    ...(["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"] as const),
    ...(["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"] as const),
  ];
  // A negative scale makes −0 of the middle code, which chai tells from 0.
  const positiveZeros = (values: Float32Array): Float32Array => values.map((value) => value + 0);
  const decoded = (dtype: ColumnDtype, columns: BlockColumns): Float32Array =>
    positiveZeros(dequantizeBlocks(dtype, columns.bytes(), m * n));
  let plain: InverseFactor;
  let ordered: InverseFactor;

  before(() => {
    plain = inverseHessian(hessian, n);
    ordered = inverseHessian(hessian, n, { actOrder: true });
  });

  for (const dtype of dtypes) {
    it(`${dtype}: the bytes decode to the values, which lose less than rounding does`, () => {
      const nearest = dequantizeBlocks(dtype, quantizeBlocks(dtype, weights), m * n);
      const base = quadraticError(weights, nearest, hessian, n);
      for (const [factor, staticGroups] of [
        [plain, false],
        [ordered, true],
      ] as const) {
        const columns = new BlockColumns(dtype, m, n);
        const { values } = gptq(weights, factor, columns, { staticGroups });
        expect(decoded(dtype, columns)).to.deep.equal(positiveZeros(values));
        expect(base / quadraticError(weights, values, hessian, n)).to.be.above(1.2);
      }
    });

    it(`${dtype}: with independent inputs, each code is the nearest of its block's grid`, () => {
      const columns = new BlockColumns(dtype, m, n);
      const { values } = gptq(weights, inverseHessian(identity(n, 1), n), columns);
      const bytes = quantizeBlocks(dtype, weights);
      const nearest = dequantizeBlocks(dtype, bytes, m * n);
      // ggml rounds its first formats with the scale before float16; the K types with the stored one.
      if (dtype.endsWith("_K")) expect(columns.bytes()).to.deep.equal(bytes);
      for (let i = 0; i < values.length; i++) {
        const [ours, theirs] = [values[i]!, nearest[i]!].map((v) => Math.abs(v - weights[i]!));
        expect(ours).to.be.at.most(theirs! + 1e-7);
      }
    });
  }

  it("importance moves the scales, and the bytes still decode to the values", () => {
    const importance = Float32Array.from({ length: n }, (_, i) => hessian[i * (n + 1)]!);
    const columns = new BlockColumns("Q4_0", m, n, importance);
    const { values } = gptq(weights, plain, columns);
    expect(decoded("Q4_0", columns)).to.deep.equal(positiveZeros(values));
    const without = new BlockColumns("Q4_0", m, n);
    gptq(weights, plain, without);
    expect(columns.bytes()).to.not.deep.equal(without.bytes());
  });

  it("refuses rows that do not divide into blocks", () => {
    expect(() => new BlockColumns("Q4_K", 1, 288)).to.throw(
      InputError,
      /288 .* Q4_K blocks of 256/,
    );
  });
});
