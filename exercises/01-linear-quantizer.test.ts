/** Project 1, graded: each test names one promise of the linear quantizer. */
import {
  expectClose,
  expectEqual,
  expectThat,
  gradedExercise,
} from "infinity-inference/course/graded-test";
import { normal, randomInt, type Rng } from "infinity-inference/core/rng";
import { z } from "zod";
import type * as Exercise from "./01-linear-quantizer.ts";

const conventions = ["max7", "max7.5", "ggml"] as const;

/** `count` weights as a trained layer has them: a bell curve, none of them near a rounding tie. */
function bell(count: number, random: Rng, std = 0.045): Float32Array {
  return Float32Array.from({ length: count }, () => normal(random) * std);
}

/** The value of largest magnitude, with its sign. */
function peakOf(x: Float32Array): number {
  return x.reduce((peak, value) => (Math.abs(value) > Math.abs(peak) ? value : peak), 0);
}

gradedExercise<typeof Exercise>("roundHalfEven", (graded) => {
  graded(
    "rounds to the nearest whole number",
    {
      points: 1,
      hints: [
        "Start with values that are no half: 1.2, 1.7, −1.2, −1.7. What should each become?",
        "Math.floor gives the whole number below x. How far above it is x?",
        "Let fraction = x − Math.floor(x). Below 0.5 the floor is the answer; above 0.5 it is the floor plus 1.",
      ],
    },
    async (student, random) => {
      for (const x of [1.2, 1.7, -1.2, -1.7, 3, -4, 0.49999999999999994]) {
        expectEqual(await student.roundHalfEven(x), Math.round(x), `roundHalfEven(${x})`);
      }
      for (let i = 0; i < 20; i++) {
        const [whole, fraction] = [randomInt(random, 200) - 100, random() * 0.98 - 0.49];
        expectEqual(
          await student.roundHalfEven(whole + fraction),
          whole,
          `roundHalfEven(${whole + fraction})`,
        );
      }
    },
  );
  graded(
    "sends a half to the even neighbour",
    {
      points: 2,
      hints: [
        "Math.round sends every half up: 0.5 → 1 and 2.5 → 3. Which way should 0.5 and 2.5 go here?",
        "A half lies between two whole numbers, and exactly one of them is even.",
        "When the fraction is exactly 0.5, take the floor if floor % 2 === 0, else the floor plus 1. It works for negative numbers too.",
      ],
    },
    async (student) => {
      const halves = [0.5, 1.5, 2.5, 3.5, -0.5, -1.5, -2.5, -3.5, 1000000.5];
      const even = [0, 2, 2, 4, 0, -2, -2, -4, 1000000];
      for (const [i, half] of halves.entries()) {
        expectEqual(await student.roundHalfEven(half), even[i], `roundHalfEven(${half})`);
      }
    },
  );
  graded(
    "keeps the sign of zero",
    {
      points: 1,
      hints: [
        "JavaScript has two zeros, 0 and −0. NumPy and IEEE 754 round −0.3 to −0.",
        "Object.is(x, −0) tells the two apart; === does not.",
        "If the result is 0 and x was negative (or −0), return −0.",
      ],
    },
    async (student) => {
      for (const [x, want] of [
        [0, 0],
        [-0, -0],
        [0.3, 0],
        [-0.3, -0],
        [-0.5, -0],
        [0.5, 0],
      ] as const) {
        const label = `roundHalfEven(${Object.is(x, -0) ? "-0" : x})`;
        expectEqual(await student.roundHalfEven(x), want, { label, signedZero: true });
      }
    },
  );
});

gradedExercise<typeof Exercise>(
  "affineParams",
  (graded) => {
    graded(
      "spreads the codes over the range",
      {
        points: 2,
        hints: [
          "How many codes do b bits give, and how many steps lie between the first and the last of them?",
          "2^b codes have 2^b − 1 steps between them, as five fingers have four gaps.",
          "scale = (max − min) / (qmax − qmin), and zero is the code on which the real 0 falls: round(qmin − min / scale).",
        ],
      },
      async (student) => {
        const params = await student.affineParams(-1, 3, 8, false);
        expectEqual([params.qmin, params.qmax], [0, 255], "[qmin, qmax] of 8 unsigned bits");
        expectClose(params.scale, 4 / 255, "scale for [-1, 3]");
        expectEqual(params.zero, 64, "zero for [-1, 3]");
      },
    );
    graded(
      "counts from the lowest code when signed",
      {
        points: 1,
        hints: [
          "Which whole numbers does a signed 4-bit number hold?",
          "b signed bits hold −2^(b−1) to 2^(b−1) − 1.",
          "Set qmin to −(2 ** (bits − 1)) when signed, else 0, and qmax to qmin + 2 ** bits − 1; the zero point moves with qmin.",
        ],
      },
      async (student) => {
        const params = await student.affineParams(-1, 3, 4, true);
        expectEqual([params.qmin, params.qmax], [-8, 7], "[qmin, qmax] of 4 signed bits");
        expectClose(params.scale, 4 / 15, "scale for [-1, 3]");
        expectEqual(params.zero, -4, "zero for [-1, 3]");
      },
    );
    graded(
      "holds 0 even when all weights are on one side of it",
      {
        points: 2,
        hints: [
          "Try a range that leaves 0 out, such as [0.5, 2]. On which code does 0 fall?",
          "A padded or pruned weight is exactly 0 and must stay 0, so the grid has to reach 0 even if the data does not.",
          "Before you compute the scale, widen the range: low = Math.min(min, 0) and high = Math.max(max, 0).",
        ],
      },
      async (student) => {
        for (const [min, max] of [
          [0.5, 2],
          [-2, -0.5],
        ] as const) {
          const { scale, zero, qmin, qmax } = await student.affineParams(min, max, 8, false);
          const range = `[${min}, ${max}]`;
          expectThat(
            zero >= qmin && zero <= qmax,
            `the zero point for ${range} must be one of the codes ${qmin} to ${qmax}`,
            { got: zero },
          );
          expectClose(scale, 2 / 255, `scale for ${range}`);
          expectEqual(zero, min > 0 ? 0 : 255, `zero for ${range}`);
        }
      },
    );
    graded(
      "gives a whole zero point for any range",
      {
        points: 1,
        hints: [
          "The zero point is a code, so it is a whole number. Is yours, for every range?",
          "If zero is a fraction, 0 is not on the grid and comes back as something else.",
          "Round qmin − low / scale, then clamp it between qmin and qmax.",
        ],
      },
      async (student, random) => {
        for (let i = 0; i < 40; i++) {
          const [min, max] = [-random() * 3, random() * 3];
          const bits = 2 + randomInt(random, 7);
          const { scale, zero, qmin, qmax } = await student.affineParams(
            min,
            max,
            bits,
            i % 2 === 0,
          );
          const call = `affineParams(${min.toFixed(4)}, ${max.toFixed(4)}, ${bits}, ${i % 2 === 0})`;
          expectThat(Number.isInteger(zero), `${call} must give a whole zero point`, { got: zero });
          expectThat(
            zero >= qmin && zero <= qmax,
            `${call} must give a zero point among its codes`,
            { got: zero, expected: [qmin, qmax] },
          );
          const ends = [scale * (qmin - zero), scale * (qmax - zero)];
          expectThat(
            Math.abs(ends[0]! - min) <= scale * 0.5001 &&
              Math.abs(ends[1]! - max) <= scale * 0.5001,
            `${call} must cover its range to within half a step`,
            { got: ends, expected: [min, max] },
          );
        }
      },
    );
    graded(
      "survives a range of nothing",
      {
        points: 1,
        hints: [
          "What is the scale of a layer whose weights are all 0, and what happens when you divide by it?",
          "0 / 0 is NaN, and NaN spreads to everything it touches.",
          "When low === high after widening, return a scale of 1.",
        ],
      },
      async (student) => {
        const { scale, zero, qmin, qmax } = await student.affineParams(0, 0, 8, false);
        expectThat(
          Number.isFinite(scale) && scale > 0,
          "the scale for [0, 0] must be a positive number",
          { got: scale, expected: 1 },
        );
        expectThat(
          Number.isInteger(zero) && zero >= qmin && zero <= qmax,
          "the zero point for [0, 0] must be one of the codes",
          { got: zero },
        );
      },
    );
  },
  {
    answers: {
      affineParams: z.object({
        scale: z.number(),
        zero: z.number(),
        qmin: z.number(),
        qmax: z.number(),
      }),
    },
  },
);

gradedExercise<typeof Exercise>(
  "quantizeSym",
  (graded) => {
    graded(
      "max7: the largest weight gets the code 7",
      {
        points: 2,
        hints: [
          "The syllabus prints S = 0.15 for a largest weight of 1.2 and says that 1.2 becomes code 8. Does a signed 4-bit number hold 8?",
          "Signed 4-bit codes end at 7, so 1.2 must become 7: S = 1.2 / 7.",
          "With half = 2 ** (bits − 1), max7 divides the largest |x| by half − 1. Round x / scale for the codes.",
        ],
      },
      async (student, random) => {
        for (const bits of [4, 8, 3]) {
          const x = bell(64, random);
          const { q, scale } = await student.quantizeSym(x, bits, "max7");
          const most = Math.abs(peakOf(x));
          expectClose(scale, most / (2 ** (bits - 1) - 1), `scale at ${bits} bits`);
          expectEqual(
            q,
            Int8Array.from(x, (v) => Math.round(v / scale)),
            `codes at ${bits} bits`,
          );
        }
      },
    );
    graded(
      "looks at magnitudes, not at the largest value",
      {
        points: 1,
        hints: [
          "Try weights whose most extreme value is negative, such as [−2, 1].",
          "The range that must fit is from −m to m, where m is the largest |x|.",
          "Compare Math.abs(value), not value, when you look for the peak.",
        ],
      },
      async (student) => {
        const { q, scale } = await student.quantizeSym(new Float32Array([-2, 1, 0.5]), 4, "max7");
        expectClose(scale, 2 / 7, "scale of [-2, 1, 0.5]");
        expectEqual(q, new Int8Array([-7, 4, 2]), "codes of [-2, 1, 0.5]");
      },
    );
    graded(
      "max7.5: uses all sixteen codes and clamps the top",
      {
        points: 2,
        hints: [
          "max7 leaves the code −8 unused. Fifteen steps between sixteen codes: what scale makes them span from −m to m?",
          "scale = 2m / 15 = m / 7.5. The largest weight then lies at 7.5 steps, and rounds to 8: one too many.",
          "Divide by half − 0.5, and clamp every code between −half and half − 1.",
        ],
      },
      async (student) => {
        const x = new Float32Array([7.5, -7.4, 3.2, -0.4, 7.1]);
        const { q, scale } = await student.quantizeSym(x, 4, "max7.5");
        expectClose(scale, 1, "scale of a largest weight of 7.5");
        expectEqual(q, new Int8Array([7, -7, 3, 0, 7]), "codes");
        const wide = await student.quantizeSym(new Float32Array([127.5, -127.3, 5.2]), 8, "max7.5");
        expectEqual(wide.q, new Int8Array([127, -127, 5]), "codes at 8 bits");
      },
    );
    graded(
      "ggml: the peak gets −8, whatever its sign",
      {
        points: 2,
        hints: [
          "llama.cpp makes sure that the most extreme weight is exact: it always becomes the code −8.",
          "A positive peak becomes −8 if the scale is negative. So the scale carries the sign.",
          "Find the value of largest magnitude with its sign and divide it by −half. Divide every weight by that scale, round, clamp.",
        ],
      },
      async (student, random) => {
        for (const sign of [1, -1]) {
          const x = bell(32, random);
          x[5] = sign * 0.4;
          const { q, scale } = await student.quantizeSym(x, 4, "ggml");
          const peak = Math.fround(sign * 0.4);
          expectClose(scale, peak / -8, {
            label: `scale for a peak of ${sign * 0.4}`,
            tolerance: 1e-7,
          });
          expectEqual(q[5], -8, `code of the peak ${sign * 0.4}`);
          expectEqual(
            q,
            Int8Array.from(x, (v) => Math.min(7, Math.round(v / (peak / -8)))),
            "codes",
          );
        }
      },
    );
    graded(
      "gives zeros for zeros",
      {
        points: 1,
        hints: [
          "What does your function do with a group of nothing but zeros?",
          "If the largest magnitude is 0, so is the scale, and 0 / 0 is NaN.",
          "When there is no peak, return codes of 0 and a scale of 1.",
        ],
      },
      async (student) => {
        for (const convention of conventions) {
          const { q, scale } = await student.quantizeSym(new Float32Array(5), 4, convention);
          expectEqual(q, new Int8Array(5), `codes in the convention ${convention}`);
          expectThat(
            Number.isFinite(scale) && scale !== 0,
            "the scale must be something to divide by",
            {
              got: scale,
              expected: 1,
            },
          );
        }
      },
    );
  },
  { answers: { quantizeSym: z.object({ q: z.instanceof(Int8Array), scale: z.number() }) } },
);

gradedExercise<typeof Exercise>("packNibbles", (graded) => {
  graded(
    "puts two codes into one byte, the first in the low half",
    {
      points: 2,
      hints: [
        "A byte has a low nibble (bits 0–3) and a high nibble (bits 4–7). Which shift moves a code to the high one?",
        "byte = low | (high << 4).",
        "For each pair: bytes[i / 2] = (q[i] & 0x0f) | ((q[i + 1] & 0x0f) << 4).",
      ],
    },
    async (student) => {
      expectEqual(
        await student.packNibbles(new Int8Array([1, 2, 3, 4])),
        new Uint8Array([0x21, 0x43]),
        "bytes of [1, 2, 3, 4]",
      );
    },
  );
  graded(
    "keeps negative codes inside their nibble",
    {
      points: 2,
      hints: [
        "The syllabus packs (a << 4) | (b & 0x0F), with a mask on one code only. In your order, what do the bits of −1 do to the other half?",
        "−1 is a row of ones in binary: without a mask it overwrites its neighbour.",
        "Mask both codes with & 0x0f before you combine them.",
      ],
    },
    async (student) => {
      expectEqual(
        await student.packNibbles(new Int8Array([-1, 2, 3, -8])),
        new Uint8Array([0x2f, 0x83]),
        "bytes of [-1, 2, 3, -8]",
      );
    },
  );
  graded(
    "brings back every code with its sign",
    {
      points: 2,
      hints: [
        "A nibble holds 0 to 15. Which of them stand for negative codes?",
        "0b1111 is 15 as it lies there, and −1 as a signed 4-bit number. 8 to 15 are −8 to −1.",
        "After the mask, subtract 16 from every nibble of 8 or more.",
      ],
    },
    async (student) => {
      const all = Int8Array.from({ length: 512 }, (_, i) => (i % 2 ? i >> 5 : (i >> 1) % 16) - 8);
      const bytes = await student.packNibbles(all);
      expectEqual(
        await student.unpackNibbles(bytes, all.length),
        all,
        "all 256 pairs, packed and unpacked",
      );
      expectEqual(
        await student.unpackNibbles(new Uint8Array([0x8f, 0x70]), 4),
        new Int8Array([-1, -8, 0, 7]),
        "codes of the bytes 8f 70",
      );
    },
  );
  graded(
    "keeps the last code of an odd number",
    {
      points: 1,
      hints: [
        "How many bytes do three codes need?",
        "Round up: three codes take two bytes, and half of the second stays empty.",
        "The length is Math.ceil(q.length / 2); the missing partner of the last code counts as 0.",
      ],
    },
    async (student) => {
      const bytes = await student.packNibbles(new Int8Array([1, -2, 7]));
      expectEqual(bytes, new Uint8Array([0xe1, 0x07]), "bytes of [1, -2, 7]");
      expectEqual(
        await student.unpackNibbles(bytes, 3),
        new Int8Array([1, -2, 7]),
        "the codes again",
      );
    },
  );
});

gradedExercise<typeof Exercise>(
  "quantizeGroups",
  (graded) => {
    graded(
      "gives each group a scale of its own",
      {
        points: 2,
        hints: [
          "One large weight should spoil only its own group. How many scales does a row of 8 have with groups of 4?",
          "Cut each row into pieces of g neighbours and quantise each as if it were alone.",
          "For each group take W.subarray(begin, begin + g), use quantizeSym with max7, copy the codes to q at begin, and keep the scale.",
        ],
      },
      async (student) => {
        const W = new Float32Array([7, 1, 0, -7, 0.7, 0.1, 0, -0.7]);
        const { q, scales } = await student.quantizeGroups(W, 1, 8, 4, 4);
        expectClose(scales, [1, 0.1], "scales of two groups");
        expectEqual(q, new Int8Array([7, 1, 0, -7, 7, 1, 0, -7]), "codes");
      },
    );
    graded(
      "runs along rows, not down columns",
      {
        points: 2,
        hints: [
          "W is stored row after row: the weight in row r and column c is W[r · cols + c].",
          "Neighbours in a group are multiplied by neighbouring inputs, so a group lies inside one row.",
          "The group k of row r begins at r · cols + k · g.",
        ],
      },
      async (student, random) => {
        const [rows, cols, g] = [6, 8, 4];
        const W = bell(rows * cols, random);
        for (let i = 0; i < W.length; i++) W[i]! *= 1 + Math.floor(i / cols);
        const { scales } = await student.quantizeGroups(W, rows, cols, g, 4);
        const want = Array.from(
          { length: (rows * cols) / g },
          (_, k) => Math.abs(peakOf(W.subarray(k * g, (k + 1) * g))) / 7,
        );
        expectClose(scales, want, "scales, row after row");
      },
    );
    graded(
      "ends a group where the row ends",
      {
        points: 2,
        hints: [
          "Rows of 5 in groups of 4: what is left over in each row?",
          "A row of 5 has two groups, of 4 and of 1. The next row starts a new group.",
          "There are Math.ceil(cols / g) groups a row, and a group ends at Math.min(begin + g, (row + 1) · cols).",
        ],
      },
      async (student) => {
        const W = new Float32Array([1, 1, 1, 1, 0.7, 70, 70, 70, 70, 2]);
        const { q, scales } = await student.quantizeGroups(W, 2, 5, 4, 4);
        expectClose(scales, [1 / 7, 0.1, 10, 2 / 7], "scales of rows of 5 in groups of 4");
        expectEqual(q, new Int8Array(10).fill(7), "codes");
      },
    );
  },
  {
    answers: {
      quantizeGroups: z.object({ q: z.instanceof(Int8Array), scales: z.instanceof(Float32Array) }),
    },
  },
);

gradedExercise<typeof Exercise>(
  "mseClip",
  (graded) => {
    const search = { grid: 100, maxShrink: 0.8, norm: 2 };
    graded(
      "tries the whole range too",
      {
        points: 1,
        hints: [
          "Are there weights for which clipping only hurts?",
          "If every weight is as large as the largest, any clipping is an error: p = 1 must be among the candidates.",
          "Let i start at 0, so that the first p is 1 − 0 / grid = 1.",
        ],
      },
      async (student) => {
        const x = Float32Array.from({ length: 32 }, (_, i) => (i % 2 ? 7 : -7));
        const { scale, mse } = await student.mseClip(x, 4, search);
        expectClose(scale, 1, "scale for weights of ±7");
        expectClose(mse, 0, "mean squared error");
      },
    );
    graded(
      "loses at least five times less than no clipping beside an outlier",
      {
        points: 2,
        hints: [
          "4,096 small weights and one of 0.6: how many steps of 0.6 / 7 do the small ones get?",
          "For each candidate, quantise all weights with it (a clipped weight becomes the last code) and add up the errors.",
          "scale = p · max|x| / (half − 1); clamp codes between −half and half − 1; keep the scale with the least error.",
        ],
      },
      async (student, random) => {
        const x = bell(4096, random);
        x[7] = 0.6;
        const unclipped = meanError(x, Math.fround(0.6) / 7, 4, 2);
        const { scale, mse } = await student.mseClip(x, 4, search);
        expectClose(mse, meanError(x, scale, 4, 2), {
          label: "mse, measured again with your scale",
          tolerance: 1e-9,
        });
        expectThat(
          mse * 5 <= unclipped,
          "the error must be at most a fifth of the error without clipping",
          { got: mse, expected: unclipped / 5 },
        );
      },
    );
    graded(
      "never loses more than no clipping",
      {
        points: 1,
        hints: [
          "Compare your error with the error at p = 1 on the same weights.",
          "A weight beyond the range is not gone: it becomes the last code, and its error counts.",
          "Measure |x − code · scale| with the clamped code, for every weight.",
        ],
      },
      async (student, random) => {
        for (let i = 0; i < 10; i++) {
          const x = bell(64, random, 1);
          const bits = 2 + (i % 4);
          const unclipped = meanError(x, Math.abs(peakOf(x)) / (2 ** (bits - 1) - 1), bits, 2);
          const { mse } = await student.mseClip(x, bits, search);
          expectThat(
            mse <= unclipped * (1 + 1e-9),
            `at ${bits} bits the error must not exceed the one without clipping`,
            { got: mse, expected: unclipped },
          );
        }
      },
    );
    graded(
      "weighs errors with the norm",
      {
        points: 2,
        hints: [
          "GPTQ's search uses the power 2.4 instead of 2. What does a higher power care about more?",
          "norm decides which candidate wins: Σ |x − x̂| ** norm. The mse that you return is still the mean of squares.",
          "Choose the scale by the sum with `norm`, then compute the mean squared error of that scale separately.",
        ],
      },
      async (student, random) => {
        const x = bell(512, random);
        x[9] = 0.3;
        for (const norm of [1, 2.4, 8]) {
          const want = bestScale(x, 4, { ...search, norm });
          const { scale, mse } = await student.mseClip(x, 4, { ...search, norm });
          expectClose(scale, want, { label: `scale with norm ${norm}`, tolerance: 1e-7 });
          expectClose(mse, meanError(x, want, 4, 2), {
            label: `mse with norm ${norm}`,
            tolerance: 1e-9,
          });
        }
      },
    );
  },
  { answers: { mseClip: z.object({ scale: z.number(), mse: z.number() }) } },
);

/** Mean of |x − x̂|^norm with clamped codes. */
function meanError(x: Float32Array, scale: number, bits: number, norm: number): number {
  const half = 2 ** (bits - 1);
  const errors = Array.from(x, (v) => {
    const code = Math.max(-half, Math.min(half - 1, Math.round(v / scale)));
    return Math.abs(v - code * scale) ** norm;
  });
  return errors.reduce((sum, error) => sum + error, 0) / x.length;
}

/** The candidate scale of least error, by trying them all. */
function bestScale(
  x: Float32Array,
  bits: number,
  { grid, maxShrink, norm }: { grid: number; maxShrink: number; norm: number },
): number {
  const most = Math.abs(peakOf(x));
  const scales = Array.from(
    { length: Math.round(grid * maxShrink) },
    (_, i) => ((1 - i / grid) * most) / (2 ** (bits - 1) - 1),
  );
  return scales.reduce((a, b) =>
    meanError(x, b, bits, norm) < meanError(x, a, bits, norm) ? b : a,
  );
}
