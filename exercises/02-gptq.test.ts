/** Project 2, graded: each test names one promise of data-aware rounding. */
import { normal, type Rng } from "infinity-inference/core/rng";
import {
  expectClose,
  expectEqual,
  expectThat,
  expectThrows,
  gradedExercise,
} from "infinity-inference/course/graded-test";
import { LinearColumns } from "infinity-inference/quant/column-quantizer";
import { gptq, type GptqResult } from "infinity-inference/quant/gptq";
import { accumulateHessian, inverseHessian } from "infinity-inference/quant/hessian";
import { outputErrorOver, relativeTo } from "infinity-inference/quant/output-error";
import { mutable } from "infinity-inference/sandbox/remote";
import { z } from "zod";
import type * as Exercise from "./02-gptq.ts";

/** Whole numbers from −8 to 8, so that sums of their products are exact in any order. */
function wholeNumbers(random: Rng, length: number): Float32Array {
  return Float32Array.from({ length }, () => Math.round(16 * random()) - 8);
}

function someWeights(random: Rng, length: number): Float32Array {
  return Float32Array.from({ length }, () => normal(random));
}

/** Inputs [tokens, cols] that are correlated with their neighbours; some are larger than others. */
function someInputs(random: Rng, tokens: number, cols: number): Float32Array {
  const X = new Float32Array(tokens * cols);
  for (let at = 0, state = 0; at < X.length; at++) {
    state = 0.8 * state + normal(random);
    X[at] = state * (at % cols === 3 ? 6 : 1 + (at % 5) / 3);
  }
  return X;
}

/** The engine's Hessian. */
function hessianOf(X: Float32Array, cols: number): Float64Array {
  const H = new Float64Array(cols * cols);
  accumulateHessian(H, 0, X, cols);
  return H;
}

function someHessian(random: Rng, cols: number): Float64Array {
  return hessianOf(someInputs(random, 8 * cols, cols), cols);
}

/** The elements on the diagonal and right of it. */
function upperPart(M: Float64Array, cols: number): Float64Array {
  return M.filter((_, at) => at % cols >= Math.floor(at / cols));
}

/** UᵀU · A, which is the identity where UᵀU is A's inverse; only U's upper part is read. */
function productWithInverse(U: Float64Array, A: Float64Array, cols: number): Float64Array {
  const upper = U.map((value, at) => (at % cols >= Math.floor(at / cols) ? value : 0));
  const inverse = new Float64Array(cols * cols);
  const product = new Float64Array(cols * cols);
  const each = (of: (i: number, j: number, k: number) => void): void => {
    for (let at = 0; at < cols ** 3; at++) {
      of(Math.floor(at / cols ** 2), Math.floor(at / cols) % cols, at % cols);
    }
  };
  each((i, j, k) => (inverse[i * cols + j]! += upper[k * cols + i]! * upper[k * cols + j]!));
  each((i, j, k) => (product[i * cols + j]! += inverse[i * cols + k]! * A[k * cols + j]!));
  return product;
}

function identity(cols: number, scale = 1): Float64Array {
  return Float64Array.from({ length: cols * cols }, (_, at) => (at % (cols + 1) === 0 ? scale : 0));
}

/** H with `damping` on its diagonal. */
function damped(H: Float64Array, cols: number, damping: number): Float64Array {
  return H.map((value, at) => value + (at % (cols + 1) === 0 ? damping : 0));
}

function meanDiagonal(H: Float64Array, cols: number): number {
  return H.reduce((sum, value, at) => sum + (at % (cols + 1) === 0 ? value : 0), 0) / cols;
}

/** What the engine makes of it. */
function engineGptq(
  W: Float32Array,
  H: Float64Array,
  { cols, bits, groupSize, damp, actOrder }: Options,
): GptqResult {
  const grid = { bits, mode: "symmetric", convention: "max7", groupSize } as const;
  const columns = new LinearColumns(W.length / cols, cols, grid);
  return gptq(W, inverseHessian(H, cols, { damp, actOrder }), columns);
}

interface Options {
  readonly cols: number;
  readonly bits: number;
  readonly groupSize: number;
  readonly damp: number;
  readonly actOrder: boolean;
}

/** tr(D A Dᵀ) for D = W − Q [rows, cols], by the definition. */
function quadraticLoss(W: Float32Array, Q: Float32Array, A: Float64Array, cols: number): number {
  let sum = 0;
  for (let row = 0; row < W.length; row += cols) {
    for (let at = 0; at < A.length; at++) {
      const [i, j] = [row + Math.floor(at / cols), row + (at % cols)];
      sum += (W[i]! - Q[i]!) * A[at]! * (W[j]! - Q[j]!);
    }
  }
  return sum;
}

/** Rounds to whole multiples of ½. */
function toHalves(W: Float32Array): Float32Array {
  return W.map((weight) => Math.round(2 * weight) / 2);
}

/** Loses more where weights are larger: rounds to three bits of each. */
function coarse(W: Float32Array): Float32Array {
  const peak = W.reduce((high, weight) => Math.max(high, Math.abs(weight)), 0) / 3;
  return W.map((weight) => Math.round(weight / peak) * peak);
}

/** AWQ's scales of a ratio, by the text. */
function scalesAt(X: Float32Array, cols: number, ratio: number): Float32Array {
  const powers = Array.from({ length: cols }, (_, j) => {
    const column = X.filter((_, at) => at % cols === j);
    const mean = column.reduce((sum, x) => sum + Math.abs(x), 0) / column.length;
    return Math.max(1e-4, mean ** ratio);
  });
  const middle = Math.sqrt(Math.max(...powers) * Math.min(...powers));
  return Float32Array.from(powers, (power) => power / middle);
}

gradedExercise<typeof Exercise>(
  "accumulateHessian",
  (graded) => {
    graded(
      "is the mean of 2 · x · xᵀ",
      {
        points: 2,
        hints: [
          "One token with the inputs 1 and 3: write down the four numbers of x · xᵀ, then double them.",
          "Element (i, j) is the mean over the tokens of 2 · x[i] · x[j].",
          "Divide by the number of tokens: a sum would grow with the text.",
        ],
      },
      async (student, random) => {
        const H = new Float64Array(4);
        await student.accumulateHessian(mutable(H), 0, Float32Array.of(1, 3), 2);
        expectClose(upperPart(H, 2), [2, 6, 18], "H of one token, on and right of the diagonal");
        const X = wholeNumbers(random, 40);
        const own = new Float64Array(25);
        await student.accumulateHessian(mutable(own), 0, X, 5);
        expectClose(upperPart(own, 5), upperPart(hessianOf(X, 5), 5), "H of eight tokens");
      },
    );
    graded(
      "does not depend on how the inputs are cut into calls",
      {
        points: 3,
        hints: [
          "H is a mean of `numTokens` inputs, and more come. How much should each of the old ones count now?",
          "A mean of n inputs becomes one of n + m: what is there shrinks by n / (n + m).",
          "Multiply all of H by numTokens / total before you add 2 / total · x · xᵀ for each new x.",
        ],
      },
      async (student, random) => {
        const X = wholeNumbers(random, 60);
        const H = new Float64Array(25);
        let begin = 0;
        for (const end of [5, 35, 60]) {
          await student.accumulateHessian(mutable(H), begin / 5, X.subarray(begin, end), 5);
          begin = end;
        }
        expectClose(
          upperPart(H, 5),
          upperPart(hessianOf(X, 5), 5),
          "H after calls of 1, 6 and 5 tokens",
        );
      },
    );
    graded(
      "fills both sides of the diagonal",
      {
        points: 1,
        hints: [
          "Is x[i] · x[j] something else than x[j] · x[i]?",
          "H is symmetric, and what follows reads all of it.",
          "Let i and j both run over all columns.",
        ],
      },
      async (student, random) => {
        const H = new Float64Array(16);
        await student.accumulateHessian(mutable(H), 0, wholeNumbers(random, 12), 4);
        const transposed = H.map((_, at) => H[(at % 4) * 4 + Math.floor(at / 4)]!);
        expectClose(H, transposed, "H, which must be equal to its transpose,");
      },
    );
    graded(
      "says of how many inputs H is the mean",
      {
        points: 1,
        hints: [
          "The next call needs a number from this one. Which?",
          "All inputs so far, and not only the new ones.",
          "Return numTokens + X.length / cols.",
        ],
      },
      async (student, random) => {
        const H = new Float64Array(9);
        const X = wholeNumbers(random, 12);
        expectEqual(await student.accumulateHessian(mutable(H), 0, X, 3), 4, "the first answer");
        expectEqual(await student.accumulateHessian(mutable(H), 4, X, 3), 8, "the second answer");
      },
    );
  },
  { answers: { accumulateHessian: z.number() } },
);

gradedExercise<typeof Exercise>(
  "cholInvUpper",
  (graded) => {
    graded(
      "has UᵀU = A⁻¹",
      {
        points: 4,
        hints: [
          "Try two columns by hand. The usual Cholesky factor starts at the top left; which corner must this one start from?",
          "Write A = RRᵀ with R upper triangular: begin with the last row, R[d, d] = √A[d, d]. Then A⁻¹ = R⁻ᵀR⁻¹. What is U?",
          "U = R⁻¹. Column j of it: U[j, j] = 1 / R[j, j], and upwards U[i, j] = −Σ R[i, k] · U[k, j] / R[i, i] for k from i + 1 to j.",
        ],
      },
      async (student, random) => {
        const H = someHessian(random, 10);
        const U = await student.cholInvUpper(H, 10, 0);
        expectClose(productWithInverse(U, H, 10), identity(10), {
          label: "UᵀU · H, which must be 1 on the diagonal and 0 beside it,",
          tolerance: 1e-8,
        });
      },
    );
    graded(
      "is upper triangular, and positive on its diagonal",
      {
        points: 1,
        hints: [
          "Print U of a 3 × 3 Hessian. On which side of the diagonal are the zeros?",
          "Element (i, j) with j < i is 0: a column may only change those behind it.",
          "If your factor is lower triangular, you have Uᵀ: exchange i and j.",
        ],
      },
      async (student, random) => {
        const U = await student.cholInvUpper(someHessian(random, 6), 6, 0.01);
        expectEqual(U.length, 36, "the size of U");
        const isBelow = (at: number): boolean => at % 6 < Math.floor(at / 6);
        expectThat(
          U.every((value, at) => !isBelow(at) || value === 0),
          "U has something else than 0 below its diagonal",
          { got: U },
        );
        const least = Math.min(...U.filter((_, at) => at % 7 === 0));
        expectThat(least > 0, "U is not positive on its diagonal", { got: least });
      },
    );
    graded(
      "adds a part of the diagonal's mean",
      {
        points: 2,
        hints: [
          "Inputs of another layer are a hundred times as large, so its Hessian is ten thousand times as large. What should be added there?",
          "The mean of H[i, i], times damp: the same number for every element of the diagonal.",
          "Sum up H[i, i], divide by cols, multiply by damp, and add that to each A[i, i].",
        ],
      },
      async (student, random) => {
        const H = someHessian(random, 8);
        const U = await student.cholInvUpper(H, 8, 0.1);
        const A = damped(H, 8, 0.1 * meanDiagonal(H, 8));
        expectClose(productWithInverse(U, A, 8), identity(8), {
          label: "UᵀU · A with damp 0.1",
          tolerance: 1e-8,
        });
      },
    );
    graded(
      "leaves H as it is",
      {
        points: 1,
        hints: [
          "Other layers use the same Hessian after this one. What do they find?",
          "Damp a copy.",
          "const A = H.slice();",
        ],
      },
      async (student, random) => {
        const H = someHessian(random, 5);
        const before = H.slice();
        await student.cholInvUpper(mutable(H), 5, 0.01);
        expectEqual(H, before, "H after the call");
      },
    );
    graded(
      "refuses a Hessian that has no inverse",
      {
        points: 1,
        hints: [
          "Two inputs that are always equal: H is [1, 1, 1, 1]. What is left for the second root?",
          "A root of 0 makes the next division infinite, and from there everything NaN. Say so instead.",
          "Throw an Error where the number under a root is not above 0.",
        ],
      },
      async (student) => {
        await expectThrows(student.cholInvUpper(Float64Array.of(1, 1, 1, 1), 2, 0));
        const U = await student.cholInvUpper(Float64Array.of(1, 1, 1, 1), 2, 0.5);
        expectThat(U.every(Number.isFinite), "With damp 0.5 the same Hessian has an inverse", {
          got: U,
        });
      },
    );
  },
  { answers: { cholInvUpper: z.instanceof(Float64Array) } },
);

gradedExercise<typeof Exercise>(
  "gptqColumn",
  (graded) => {
    const [rows, cols, i] = [3, 5, 2];
    const toWhole = (_: number, weight: number): number => Math.round(weight);
    /** A step on new weights: the weights before and after it, U, the values and the errors. */
    async function step(
      student: { gptqColumn: (...args: StepArguments) => Promise<Float64Array> },
      random: Rng,
    ): Promise<Step> {
      const before = Float64Array.from({ length: rows * cols }, () => 3 * normal(random));
      const U = Float64Array.from({ length: cols * cols }, () => 0.5 + random());
      const W = before.slice();
      const errors = await student.gptqColumn(mutable(W), U, cols, i, toWhole);
      const column = Array.from({ length: rows }, (_, row) => before[row * cols + i]!);
      const expected = column.map((weight) => (weight - Math.round(weight)) / U[i * cols + i]!);
      return { before, W, U, errors, expected };
    }
    graded(
      "divides what was lost by U[i, i]",
      {
        points: 2,
        hints: [
          "U[i, i]² is how uncertain input i is once the later ones are known. Where is it in the formula?",
          "The error is not the difference itself.",
          "error = (weight − value) / U[i * cols + i]",
        ],
      },
      async (student, random) => {
        const { errors, expected } = await step(student, random);
        expectClose(errors, expected, "the errors");
      },
    );
    graded(
      "moves it onto the columns behind",
      {
        points: 3,
        hints: [
          "Two inputs that are nearly the same: a weight was rounded up by 0.2. Up or down with the other one?",
          "Take errors[row] · U[i, j] from each weight W[row, j] with j > i. Row i of U, not column i.",
          "W[row * cols + j] -= error * U[i * cols + j] for j from i + 1 on.",
        ],
      },
      async (student, random) => {
        const { before, W, U, expected } = await step(student, random);
        const behind = (values: Float64Array): Float64Array =>
          values.filter((_, at) => at % cols > i);
        const moved = before.map(
          (weight, at) => weight - expected[Math.floor(at / cols)]! * U[i * cols + (at % cols)]!,
        );
        expectClose(behind(W), behind(moved), "the columns behind column i");
      },
    );
    graded(
      "does not touch the columns before",
      {
        points: 1,
        hints: [
          "Those columns are finished: their codes are stored. Who would store them again?",
          "What lies left of U's diagonal means nothing, and need not be 0.",
          "Let j begin at i + 1.",
        ],
      },
      async (student, random) => {
        const { before, W } = await step(student, random);
        const ahead = (values: Float64Array): Float64Array =>
          values.filter((_, at) => at % cols < i);
        expectEqual(ahead(W), ahead(before), "the columns before column i");
      },
    );
    graded(
      "leaves the rounded values in its column",
      {
        points: 1,
        hints: [
          "After the last step W should hold nothing but values of the grid. Who writes them?",
          "weight − e · U[i, i] is nearly the value, up to rounding errors. Write the value itself.",
          "W[row * cols + i] = value, after the error has been computed.",
        ],
      },
      async (student, random) => {
        const { before, W } = await step(student, random);
        const column = (values: Float64Array): Float64Array =>
          values.filter((_, at) => at % cols === i);
        expectEqual(column(W), column(before).map(Math.round), "column i");
      },
    );
  },
  { answers: { gptqColumn: z.instanceof(Float64Array) } },
);

type StepArguments = [
  W: ReturnType<typeof mutable<Float64Array>>,
  U: Float64Array,
  cols: number,
  i: number,
  nearest: (row: number, weight: number) => number,
];

interface Step {
  readonly before: Float64Array;
  readonly W: Float64Array;
  readonly U: Float64Array;
  readonly errors: Float64Array;
  readonly expected: readonly number[];
}

gradedExercise<typeof Exercise>(
  "gptq",
  (graded) => {
    const whole: Options = { cols: 16, bits: 3, groupSize: 16, damp: 0.01, actOrder: false };
    graded(
      "is plain rounding on each group's grid where inputs are independent",
      {
        points: 2,
        hints: [
          "If H is the identity, what is U, and what moves?",
          "Nothing moves, so the grid is all there is: max|w| / 3 with 3 bits, one for each row and group.",
          "Column i begins a group where i % groupSize is 0; look at the group's weights of each row then.",
        ],
      },
      async (student, random) => {
        const W = someWeights(random, 4 * 16);
        const { Q } = await student.gptq(W, identity(16, 2), { ...whole, groupSize: 8 });
        const peak = (at: number): number =>
          Math.max(...W.subarray(at - (at % 8), at - (at % 8) + 8).map(Math.abs)) / 3;
        expectClose(
          Q,
          W.map((weight, at) => Math.round(weight / peak(at)) * peak(at)),
          "Q, with groups of 8",
        );
      },
    );
    graded(
      "makes up for what it lost",
      {
        points: 3,
        hints: [
          "Is Q something else than plain rounding? It should be, for these inputs.",
          "For each column in turn: gptqColumn with U of the damped Hessian, and with `nearest` of the group's grid.",
          "Use cholInvUpper(H, cols, damp) once, before the first column: U does not change.",
        ],
      },
      async (student, random) => {
        // Large weights behind an input larger than all: some of them grow beyond their grid.
        const W = someWeights(random, 24 * 16).map((w, at) => (at % 16 === 4 ? 3 * w : w));
        const X = someInputs(random, 128, 16).map((x, at) => (at % 16 === 3 ? 4 * x : x));
        const H = hessianOf(X, 16);
        const { Q } = await student.gptq(W, H, whole);
        expectClose(Q, engineGptq(W, H, whole).values, "Q, with one group a row");
      },
    );
    graded(
      "scales a group by its weights as they have become",
      {
        points: 2,
        hints: [
          "When the second group begins, the first has moved its errors onto it. What is its greatest weight now?",
          "A scale from the weights as they were clips those that have grown.",
          "Find a group's scales when its first column is reached, from the changed weights.",
        ],
      },
      async (student, random) => {
        const W = someWeights(random, 6 * 16);
        const H = someHessian(random, 16);
        const options = { ...whole, groupSize: 4 };
        const { Q } = await student.gptq(W, H, options);
        expectClose(Q, engineGptq(W, H, options).values, "Q, with groups of 4");
      },
    );
    graded(
      "knows its loss: tr((W − Q) A (W − Q)ᵀ)",
      {
        points: 2,
        hints: [
          "The loss that the errors add up to is the loss that one measures afterwards: this identity cannot be met by chance.",
          "A is H, damped. The errors are those of gptqColumn, divided by U[i, i].",
          "Add up error² over all columns and rows.",
        ],
      },
      async (student, random) => {
        const W = someWeights(random, 5 * 16);
        const H = someHessian(random, 16);
        const { Q, loss } = await student.gptq(W, H, whole);
        const A = damped(H, 16, whole.damp * meanDiagonal(H, 16));
        expectClose(loss / quadraticLoss(W, Q, A, 16), 1, {
          label: "the loss, divided by what the answered Q really loses,",
          tolerance: 1e-4,
        });
      },
    );
    graded(
      "takes the largest inputs first, and puts the columns back",
      {
        points: 3,
        hints: [
          "Which columns can still make up for a loss: the first, or the last?",
          "Sort the columns by H[i, i], the largest first. H must be sorted too, its rows and its columns.",
          "Q[row, order[i]] is what step i made of column order[i].",
        ],
      },
      async (student, random) => {
        const W = someWeights(random, 6 * 16);
        const H = someHessian(random, 16);
        const options = { ...whole, actOrder: true };
        const { Q } = await student.gptq(W, H, options);
        expectClose(Q, engineGptq(W, H, options).values, "Q, with actOrder");
      },
    );
    graded(
      "takes weights out whose inputs were always 0",
      {
        points: 2,
        hints: [
          "A weight that is multiplied by 0 does nothing. But what does it do to its group's scale?",
          "Make those weights 0 before the first scale is found, not at the end.",
          "Where H[i, i] is 0, put 0 into the working copy instead of W[row, i].",
        ],
      },
      async (student, random) => {
        const X = someInputs(random, 128, 16).map((x, at) => (at % 16 === 5 ? 0 : x));
        const W = someWeights(random, 3 * 16).map((weight, at) => (at % 16 === 5 ? 50 : weight));
        const without = W.map((weight, at) => (at % 16 === 5 ? 0 : weight));
        const { Q } = await student.gptq(W, hessianOf(X, 16), whole);
        const expected = await student.gptq(without, hessianOf(X, 16), whole);
        expectEqual(Q[5], 0, "the weight of the dead input");
        expectClose(Q, expected.Q, "Q, beside that of weights that were 0 from the beginning,");
      },
    );
  },
  { answers: { gptq: z.object({ Q: z.instanceof(Float32Array), loss: z.number() }) } },
);

gradedExercise<typeof Exercise>(
  "awqSearch",
  (graded) => {
    const cols = 8;
    graded(
      "tries twenty ratios, from 0 to 19/20",
      {
        points: 1,
        hints: [
          "At ratio 0 all scales are 1. What does `round` get to see then?",
          "The weights themselves come first; the last ratio is 0.95, and 1 is never tried.",
          "for (let step = 0; step < 20; step++) with ratio step / 20",
        ],
      },
      async (student, random) => {
        const W = someWeights(random, 3 * cols);
        const seen: Float32Array[] = [];
        const watching = (scaled: Float32Array): Float32Array => {
          seen.push(scaled.slice());
          return toHalves(scaled);
        };
        await student.awqSearch(W, someInputs(random, 20, cols), cols, watching);
        expectEqual(seen.length, 20, "how often `round` was called");
        expectClose(seen[0], W, "what `round` got at first");
      },
    );
    graded(
      "scales by a power of the inputs' mean magnitude, around 1",
      {
        points: 2,
        hints: [
          "Inputs that are often negative are not small. The mean of what?",
          "s = (mean of |x|)^ratio, at least 1e-4. Then all are divided by one number.",
          "That number is √(greatest · least), so that the greatest scale is as far above 1 as the least is below.",
        ],
      },
      async (student, random) => {
        // What column 3 loses outweighs all else, and a scale above 1 divides it.
        const X = someInputs(random, 40, cols).map((x, at) => (at % cols === 3 ? 8 * x : x));
        const W = someWeights(random, 6 * cols);
        const { scales, ratio } = await student.awqSearch(W, X, cols, toHalves);
        expectThat(ratio > 0, "For these inputs some scaling is better than none", { got: ratio });
        expectClose(scales, scalesAt(X, cols, ratio), {
          label: `the scales at ratio ${ratio}`,
          tolerance: 1e-5,
        });
      },
    );
    graded(
      "measures outputs, with the scales taken out again",
      {
        points: 3,
        hints: [
          "If `round` changed nothing at all, what would the loss be?",
          "0: the columns are divided by their scales again before anything is compared. And compared are outputs, X · Wᵀ, not weights.",
          "changed[row, j] = rounded[row, j] / s[j]; loss = mean of (X · (W − changed)ᵀ)²",
        ],
      },
      async (student, random) => {
        const W = someWeights(random, 6 * cols);
        const X = someInputs(random, 40, cols);
        const exact = await student.awqSearch(W, X, cols, (scaled) => scaled);
        expectClose(exact.loss, 0, "the loss where rounding changes nothing");
        const { ratio, loss } = await student.awqSearch(W, X, cols, coarse);
        const scales = scalesAt(X, cols, ratio);
        const changed = coarse(W.map((weight, at) => weight * scales[at % cols]!)).map(
          (weight, at) => weight / scales[at % cols]!,
        );
        expectClose(loss, outputErrorOver(X, cols)(W, changed), {
          label: `the loss at ratio ${ratio}`,
          tolerance: 1e-4,
        });
      },
    );
    graded(
      "keeps the ratio that loses least, and is never worse than rounding alone",
      {
        points: 2,
        hints: [
          "Ratio 0 is plain rounding. Can the best of twenty be worse than the first of them?",
          "Keep ratio, scales and loss together, and replace them only where the loss is less.",
          "if (loss < best.loss) best = { scales, ratio, loss };",
        ],
      },
      async (student, random) => {
        const W = someWeights(random, 6 * cols);
        const X = someInputs(random, 40, cols);
        const error = outputErrorOver(X, cols);
        const losses = Array.from({ length: 20 }, (_, step) => {
          const scales = scalesAt(X, cols, step / 20);
          const rounded = coarse(W.map((weight, at) => weight * scales[at % cols]!));
          return error(
            W,
            rounded.map((weight, at) => weight / scales[at % cols]!),
          );
        });
        const { ratio } = await student.awqSearch(W, X, cols, coarse);
        const best = losses.indexOf(Math.min(...losses)) / 20;
        expectClose(ratio, best, "the ratio");
      },
    );
  },
  {
    answers: {
      awqSearch: z.object({
        scales: z.instanceof(Float32Array),
        ratio: z.number(),
        loss: z.number(),
      }),
    },
  },
);

gradedExercise<typeof Exercise>(
  "heldOutReport",
  (graded) => {
    const cols = 6;
    const layer = (random: Rng): { W: Float32Array; Q: Float32Array } => {
      const W = someWeights(random, 4 * cols);
      return { W, Q: toHalves(W) };
    };
    graded(
      "is the lost part of the outputs",
      {
        points: 2,
        hints: [
          "A layer whose outputs are a thousand times as large has errors a million times as large. Is it worse?",
          "Mean square of the outputs' differences, divided by the mean square of the outputs.",
          "Sum (x · (w − q))² and (x · w)² over all inputs and rows, then divide once.",
        ],
      },
      async (student, random) => {
        const { W, Q } = layer(random);
        const X = someInputs(random, 30, cols);
        const { inSample } = await student.heldOutReport(
          W,
          Q,
          X,
          someInputs(random, 5, cols),
          cols,
        );
        expectClose(inSample, relativeTo(outputErrorOver(X, cols))(W, Q), "inSample");
      },
    );
    graded(
      "judges by the test inputs",
      {
        points: 2,
        hints: [
          "Which inputs has the quantiser never seen?",
          "inSample is over `calibration`, heldOut over `test`, with the same formula.",
          "Write the formula as a function of the inputs and call it twice.",
        ],
      },
      async (student, random) => {
        const { W, Q } = layer(random);
        const [X, test] = [someInputs(random, 30, cols), someInputs(random, 20, cols)];
        const { heldOut } = await student.heldOutReport(W, Q, X, test, cols);
        expectClose(heldOut, relativeTo(outputErrorOver(test, cols))(W, Q), "heldOut");
      },
    );
    graded(
      "lets no input judge that was calibrated with",
      {
        points: 2,
        hints: [
          "Half of the test text was in the calibration text, too. Whom does the figure flatter?",
          "Leave out each input of `test` that is equal to one of `calibration` in all its numbers.",
          "A Set of the calibration inputs' rows, each as a string (row.join()), finds them.",
        ],
      },
      async (student, random) => {
        const { W, Q } = layer(random);
        const [X, fresh] = [someInputs(random, 30, cols), someInputs(random, 10, cols)];
        const test = Float32Array.of(...X.subarray(4 * cols, 9 * cols), ...fresh);
        const { heldOut } = await student.heldOutReport(W, Q, X, test, cols);
        expectClose(
          heldOut,
          relativeTo(outputErrorOver(fresh, cols))(W, Q),
          "heldOut, where a third of the test inputs was calibrated with",
        );
      },
    );
    graded(
      "refuses to judge by nothing",
      {
        points: 1,
        hints: [
          "What is 0 / 0?",
          "Where every test input was calibrated with, there is no held-out error.",
          "Throw an Error if no test input is left.",
        ],
      },
      async (student, random) => {
        const { W, Q } = layer(random);
        const X = someInputs(random, 12, cols);
        await expectThrows(student.heldOutReport(W, Q, X, X.subarray(0, 4 * cols), cols));
      },
    );
  },
  { answers: { heldOutReport: z.object({ inSample: z.number(), heldOut: z.number() }) } },
);
