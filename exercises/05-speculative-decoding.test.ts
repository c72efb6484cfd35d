/** Project 5, graded: each test names one promise of speculative decoding. */
import { randomInt, type Rng } from "infinity-inference/core/rng";
import {
  expectClose,
  expectEqual,
  expectThat,
  expectThrows,
  gradedExercise,
} from "infinity-inference/course/graded-test";
import { lookUp } from "infinity-inference/runtime/drafts/prompt-lookup";
import { fastestLength } from "infinity-inference/runtime/speculative-speed";
import { mutable, type Remote } from "infinity-inference/sandbox/remote";
import { z } from "zod";
import type * as Exercise from "./05-speculative-decoding.ts";

/** A distribution over as many tokens. */
function distribution(...probabilities: readonly number[]): Float64Array {
  return Float64Array.from(probabilities);
}

/** A random one; a fifth of its tokens are impossible. */
function someDistribution(random: Rng, size: number): Float64Array {
  const weights = Float64Array.from({ length: size }, (_, i) =>
    i > 0 && random() < 0.2 ? 0 : random() + 0.01,
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Random numbers that are known: these, and then none. */
function chances(...numbers: readonly number[]): () => number {
  const left = [...numbers];
  return () => {
    const next = left.shift();
    if (next === undefined) throw new Error("rng was called more often than the text above says");
    return next;
  };
}

/** The middles of `count` equal parts of 0 to 1: chance, without chance. */
function middles(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => (i + 0.5) / count);
}

gradedExercise<typeof Exercise>(
  "acceptProb",
  (graded) => {
    graded(
      "is the target's probability over the draft's",
      {
        points: 2,
        hints: [
          "The draft writes a token twice as often as the target would. How many of them may stay?",
          "Half of them: the probability to accept is p[x] over q[x], for the token x alone.",
          "Return p[x] / q[x] where that is below 1.",
        ],
      },
      async (student) => {
        const p = distribution(0.5, 0.3, 0.2);
        const q = distribution(0.2, 0.3, 0.5);
        expectClose(await student.acceptProb(p, q, 2), 0.4, "token 2, with p = 0.2 and q = 0.5");
        const [one, other] = [distribution(0.1, 0.9), distribution(0.8, 0.2)];
        expectClose(await student.acceptProb(one, other, 0), 0.125, "p = 0.1 and q = 0.8");
      },
    );
    graded(
      "is 1 where the target wants the token more than the draft",
      {
        points: 1,
        hints: [
          "Can something happen with probability 2.5?",
          "Where p[x] is above q[x], every such token stays; the residual makes up for those that are missing.",
          "Math.min(1, p[x] / q[x])",
        ],
      },
      async (student) => {
        const p = distribution(0.5, 0.3, 0.2);
        const q = distribution(0.2, 0.3, 0.5);
        expectEqual(await student.acceptProb(p, q, 0), 1, "p = 0.5 and q = 0.2");
        expectEqual(await student.acceptProb(p, q, 1), 1, "p = q = 0.3");
      },
    );
    graded(
      "is 0 for what the target never writes",
      {
        points: 1,
        hints: [
          "What is 0 / 0 in JavaScript?",
          "NaN, and every comparison with it is false. Decide that case before you divide.",
          "if (p[x] === 0) return 0;",
        ],
      },
      async (student) => {
        const p = distribution(0, 1, 0);
        const q = distribution(0.5, 0.5, 0);
        expectEqual(await student.acceptProb(p, q, 0), 0, "p = 0 and q = 0.5");
        expectEqual(await student.acceptProb(p, q, 2), 0, "p = q = 0");
      },
    );
  },
  { answers: { acceptProb: z.number() } },
);

gradedExercise<typeof Exercise>(
  "residual",
  (graded) => {
    graded(
      "is what the target wants beyond the draft, and sums to 1",
      {
        points: 2,
        hints: [
          "Draw p and q as bars above each other. Which part of p sticks out?",
          "It is p − q where that is above 0. Its sum is less than 1, so divide by it.",
          "rest[i] = Math.max(0, p[i] - q[i]); then divide every rest[i] by their sum.",
        ],
      },
      async (student, random) => {
        expectClose(
          await student.residual(distribution(0.6, 0.3, 0.1), distribution(0.2, 0.2, 0.6)),
          distribution(0.8, 0.2, 0),
          "the residual of [0.6, 0.3, 0.1] beyond [0.2, 0.2, 0.6]",
        );
        const [p, q] = [someDistribution(random, 9), someDistribution(random, 9)];
        const more = p.map((value, i) => Math.max(0, value - q[i]!));
        const sum = more.reduce((total, value) => total + value, 0);
        expectClose(
          await student.residual(p, q),
          more.map((value) => value / sum),
          "the residual of nine tokens",
        );
      },
    );
    graded(
      "is 0 where the draft has covered the target",
      {
        points: 1,
        hints: [
          "A probability is never negative. Is every entry of your answer one?",
          "A token that the draft writes too often is not needed again: its share is 0, not a negative number and not its distance.",
          "Math.max(0, p[i] - q[i])",
        ],
      },
      async (student, random) => {
        const [p, q] = [someDistribution(random, 12), someDistribution(random, 12)];
        const rest = await student.residual(p, q);
        for (const [i, share] of rest.entries()) {
          expectThat(p[i]! > q[i]! || share === 0, `the share of token ${i} has to be 0`, {
            got: share,
            expected: 0,
          });
          expectThat(share >= 0, `the share of token ${i} is negative`, { got: share });
        }
      },
    );
    graded(
      "is p where nothing is left over",
      {
        points: 1,
        hints: [
          "What is the sum that you divide by where both distributions are the same?",
          "It is 0, and 0 / 0 is NaN. Nobody refuses then but for rounding; p is a sound answer.",
          "if (sum === 0) return p.slice();",
        ],
      },
      async (student) => {
        const p = distribution(0.25, 0.5, 0.25);
        expectEqual(await student.residual(p, p.slice()), p, "the residual of p beyond p");
      },
    );
    graded(
      "leaves p and q as they were",
      {
        points: 1,
        hints: [
          "The next guess is checked against the same rows. Do you write into them?",
          "Make a new array: map and slice do, p[i] -= … does not.",
          "const rest = p.map((value, i) => Math.max(0, value - q[i]!));",
        ],
      },
      async (student) => {
        const p = distribution(0.6, 0.3, 0.1);
        const q = distribution(0.2, 0.2, 0.6);
        await student.residual(mutable(p), mutable(q));
        expectEqual(p, distribution(0.6, 0.3, 0.1), "p after the call");
        expectEqual(q, distribution(0.2, 0.2, 0.6), "q after the call");
        const same = distribution(0.5, 0.5);
        const answer = await student.residual(same, same.slice());
        expectEqual(answer, distribution(0.5, 0.5), "the answer where nothing is left over");
      },
    );
  },
  { answers: { residual: z.instanceof(Float64Array) } },
);

gradedExercise<typeof Exercise>(
  "verify",
  (graded) => {
    graded(
      "stops at the first refusal",
      {
        points: 2,
        hints: [
          "Your boss deletes the second word. What becomes of the third?",
          "It was a guess after a word that is no longer there. Return at the first refusal: `accepted` is the number of guesses before it.",
          "for each i: if (rng() >= acceptProb(p[i], q[i], draft[i])) return { accepted: i, next: … }",
        ],
      },
      async (student) => {
        const q = [0, 1, 2].map(() => distribution(0.5, 0.5));
        const p = [0, 1, 2, 3].map(() => distribution(0.25, 0.75));
        const draft = Int32Array.of(0, 0, 1);
        const accepted = async (...numbers: number[]): Promise<number> =>
          (await student.verify(draft, q, p, chances(...numbers))).accepted;
        expectEqual(await accepted(0.6, 0.1), 0, "accepted, with chances 0.6 against 0.5");
        expectEqual(await accepted(0.4, 0.6, 0.1), 1, "accepted, with chances 0.4 and 0.6");
        expectEqual(await accepted(0.4, 0.4, 0.9, 0.1), 3, "accepted, with chances 0.4, 0.4, 0.9");
      },
    );
    graded(
      "gives the target's distribution, whatever the draft's",
      {
        points: 4,
        hints: [
          "Add up by hand how often token 0 comes out, for p = [0.5, 0.3, 0.2] and q = [0.25, 0.25, 0.5]: accepted, and drawn after a refusal.",
          "Accepted guesses already cover min(p, q). What is drawn after a refusal must not cover it again.",
          "After a refusal: next = drawFrom(residual(p[i], q[i]), rng()).",
        ],
      },
      async (student) => {
        const q = distribution(0.25, 0.25, 0.5);
        const p = distribution(0.5, 0.3, 0.2);
        expectClose(await distributionOf(student, p, q), p, {
          label: "how often each token is the first, over all chances",
          tolerance: 1e-9,
        });
      },
    );
    graded(
      "draws what replaces a guess from that guess's own rows",
      {
        points: 2,
        hints: [
          "p[i] is what the target expects in the place of guess i. What is p[i + 1]?",
          "p[i + 1] is what it expects after guess i, which was refused: it is about a text that will not be.",
          "drawFrom(residual(p[i], q[i]), rng()), with the same i for both rows.",
        ],
      },
      async (student) => {
        const p = [
          distribution(1, 0, 0, 0),
          distribution(0, 0.5, 0.5, 0),
          distribution(0, 0, 0, 1),
          distribution(1, 0, 0, 0),
        ];
        const q = [
          distribution(1, 0, 0, 0),
          distribution(0, 1, 0, 0),
          distribution(0.5, 0, 0, 0.5),
        ];
        const draft = Int32Array.of(0, 1, 3);
        expectEqual(
          await student.verify(draft, q, p, chances(0.5, 0.9, 0.5)),
          { accepted: 1, next: 2 },
          "the verdict where the second guess is refused",
        );
      },
    );
    graded(
      "adds a token of the target's own after the last guess",
      {
        points: 2,
        hints: [
          "The target has read all guesses. What does it also know, for nothing?",
          "What comes after the last of them: p has one row more than q.",
          "return { accepted: draft.length, next: drawFrom(p[draft.length], rng()) };",
        ],
      },
      async (student, random) => {
        const rows = [0, 1, 2].map((token) => {
          const row = new Float64Array(5);
          row[token] = 1;
          return row;
        });
        const bonus = distribution(0, 0, 0, 0.25, 0.75);
        for (const [u, next] of [
          [0.2, 3],
          [0.3 + random() / 2, 4],
        ] as const) {
          expectEqual(
            await student.verify(
              Int32Array.of(0, 1, 2),
              rows,
              [...rows, bonus],
              chances(0.9, 0.9, 0.9, u),
            ),
            { accepted: 3, next },
            "the verdict where all is accepted",
          );
        }
        expectEqual(
          await student.verify(new Int32Array(), [], [bonus], chances(0.1)),
          { accepted: 0, next: 3 },
          "the verdict on no guesses",
        );
      },
    );
    graded(
      "uses a fresh random number for every decision",
      {
        points: 2,
        hints: [
          "The number that refused a guess was a large one. Is it still random?",
          "One call of rng for each guess that you check, and a further one for the token you draw.",
          "Call rng() inside the loop's comparison and again inside drawFrom( …, rng()).",
        ],
      },
      async (student, random) => {
        for (let trial = 0; trial < 20; trial++) {
          const length = 1 + randomInt(random, 4);
          const q = Array.from({ length }, () => someDistribution(random, 6));
          const p = Array.from({ length: length + 1 }, () => someDistribution(random, 6));
          const draft = Int32Array.from(q, (row) => row.indexOf(Math.max(...row)));
          let calls = 0;
          const rng = (): number => {
            calls += 1;
            return random();
          };
          const { accepted } = await student.verify(draft, q, p, rng);
          expectEqual(
            calls,
            Math.min(accepted + 1, length) + 1,
            `calls of rng, with ${accepted} of ${length} accepted`,
          );
        }
      },
    );
  },
  {
    answers: {
      verify: z.object({ accepted: z.number().int().min(0), next: z.number().int().min(0) }),
    },
  },
);

gradedExercise<typeof Exercise>(
  "optimalGamma",
  (graded) => {
    graded(
      "finds the best length where checking is free",
      {
        points: 2,
        hints: [
          "How many tokens does a pass give on average, if it checks two guesses that are each right with probability alpha?",
          "1 + alpha + alpha²: the target's own token always, the first guess with alpha, the second only after the first. For gamma guesses add up to alpha to the gamma.",
          "speed(gamma) = (1 + alpha + … + alpha ** gamma) / (gamma * c + v(gamma)); return the gamma with the largest.",
        ],
      },
      async (student) => {
        for (const [alpha, c, best] of [
          [0.8, 0.05, 8],
          [0.8, 0.1, 6],
          [0.8, 0.2, 4],
          [0.8, 0.4, 2],
          [0.6, 0.1, 3],
        ] as const) {
          const found = await student.optimalGamma(alpha, c, () => 1, 16);
          expectEqual(found, best, `the best length for alpha = ${alpha} and c = ${c}`);
        }
        expectEqual(await student.optimalGamma(0.8, 0.05, () => 1, 5), 5, "with at most 5 guesses");
      },
    );
    graded(
      "counts what checking costs",
      {
        points: 2,
        hints: [
          "On a processor, checking five tokens takes longer than checking one. Where does that enter?",
          "v(gamma) is the cost of the target's pass: it stands beside gamma · c in the denominator.",
          "tokens / (gamma * c + v(gamma))",
        ],
      },
      async (student, random) => {
        const stairs = (gamma: number): number => 1 + 0.5 * Math.ceil(gamma / 4);
        for (let trial = 0; trial < 12; trial++) {
          const alpha = 0.5 + random() / 2;
          const c = 0.02 + random() / 5;
          expectEqual(
            await student.optimalGamma(alpha, c, stairs, 12),
            fastestLength(alpha, { draft: c, verify: (n) => (n === 0 ? 1 : stairs(n)) }, 12),
            `the best length for alpha = ${alpha.toFixed(3)}, c = ${c.toFixed(3)}, v in steps of four`,
          );
        }
      },
    );
    graded(
      "is 0 where guessing does not pay",
      {
        points: 2,
        hints: [
          "What is the speed of not guessing at all? Is it among those that you compare?",
          "It is 1. A gamma that gives less than 1 makes the text come later, and gamma = 0 is an answer.",
          "Begin with best = 0 and bestSpeed = 1; take a gamma only where its speed is above bestSpeed.",
        ],
      },
      async (student) => {
        expectEqual(await student.optimalGamma(0.1, 0.4, () => 1, 8), 0, "hardly ever right");
        const dear = (gamma: number): number => 1 + gamma;
        expectEqual(await student.optimalGamma(0.95, 0.1, dear, 8), 0, "checking costs as much");
        expectEqual(await student.optimalGamma(0, 0, () => 1, 8), 0, "never right, and free");
      },
    );
    graded(
      "knows guesses that are always right",
      {
        points: 1,
        hints: [
          "Put alpha = 1 into (1 − alpha^(gamma+1)) / (1 − alpha).",
          "That is 0 / 0. The sum 1 + alpha + … + alpha^gamma has no such hole: it is gamma + 1.",
          "Add up alpha ** i for i from 0 to gamma, or return gamma + 1 tokens where alpha is 1.",
        ],
      },
      async (student) => {
        expectEqual(await student.optimalGamma(1, 0.1, () => 1, 7), 7, "the best length");
      },
    );
  },
  { answers: { optimalGamma: z.number().int() } },
);

gradedExercise<typeof Exercise>(
  "promptLookup",
  (graded) => {
    graded(
      "copies what followed the last time",
      {
        points: 2,
        hints: [
          "Find the last n tokens earlier in the text by eye. What stands right behind them?",
          "A match that begins at b covers n tokens: what is copied begins at b + n.",
          "return ids.slice(begin + size, begin + size + k)",
        ],
      },
      async (student, random) => {
        expectEqual(
          await student.promptLookup(Int32Array.of(1, 2, 3, 9, 8, 7, 1, 2, 3), 3, 2),
          Int32Array.of(9, 8),
          "two tokens after 1, 2, 3",
        );
        for (let trial = 0; trial < 30; trial++) {
          const ids = Int32Array.from({ length: 4 + randomInt(random, 20) }, () =>
            randomInt(random, 3),
          );
          expectEqual(
            await student.promptLookup(ids, 3, 4),
            lookUp([...ids], 4, 3),
            `the guesses after ${ids.join(" ")}`,
          );
        }
      },
    );
    graded(
      "prefers the longest match",
      {
        points: 1,
        hints: [
          "Which tells more about what comes next: the last three words or the last one?",
          "Begin with n tokens, and look for fewer only where n occur nowhere.",
          "for (let size = Math.min(n, ids.length - 1); size >= 1; size--)",
        ],
      },
      async (student) => {
        expectEqual(
          await student.promptLookup(Int32Array.of(1, 2, 7, 7, 2, 4, 4, 1, 2), 3, 2),
          Int32Array.of(7, 7),
          "the guesses: 1, 2 occurred before, and so did 2 alone, later",
        );
      },
    );
    graded(
      "takes the most recent of several",
      {
        points: 1,
        hints: [
          "A text changes its subject. Which of two matches is nearer to it?",
          "Search backwards from the end, or keep the last match that you find.",
          "for (let begin = ids.length - size - 1; begin >= 0; begin--)",
        ],
      },
      async (student) => {
        expectEqual(
          await student.promptLookup(Int32Array.of(1, 2, 5, 5, 1, 2, 6, 6, 1, 2), 2, 2),
          Int32Array.of(6, 6),
          "the guesses",
        );
      },
    );
    graded(
      "does not find the suffix itself",
      {
        points: 2,
        hints: [
          "The last n tokens are equal to themselves. Is that a match?",
          "Nothing follows them. A match has to begin before the place where the suffix begins.",
          "The largest possible begin is ids.length - size - 1.",
        ],
      },
      async (student) => {
        expectEqual(
          await student.promptLookup(Int32Array.of(1, 2, 3, 4), 3, 5),
          new Int32Array(),
          "the guesses where the last token is new",
        );
        expectEqual(
          await student.promptLookup(Int32Array.of(4, 1, 4), 3, 2),
          Int32Array.of(1, 4),
          "the guesses after 4, 1, 4",
        );
        for (const short of [[], [3]]) {
          expectEqual(
            await student.promptLookup(Int32Array.from(short), 3, 2),
            new Int32Array(),
            `the guesses after ${short.length} tokens`,
          );
        }
      },
    );
    graded(
      "gives fewer where the text ends",
      {
        points: 1,
        hints: [
          "What stands in your answer beyond the last token of the text?",
          "Only tokens of the text are guesses: the answer may be shorter than k.",
          "slice stops at the end of an array by itself; do not make an array of k numbers first.",
        ],
      },
      async (student) => {
        expectEqual(
          await student.promptLookup(Int32Array.of(5, 6, 5), 3, 9),
          Int32Array.of(6, 5),
          "at most nine guesses after 5, 6, 5",
        );
      },
    );
  },
  { answers: { promptLookup: z.instanceof(Int32Array) } },
);

gradedExercise<typeof Exercise>("rewind", (graded) => {
  graded(
    "keeps the tokens before and the block that holds the last of them",
    {
      points: 2,
      hints: [
        "Blocks of 4, cut to 5 tokens: how many blocks hold them?",
        "Two: the second is only partly filled, and is needed. Round up.",
        "const kept = Math.ceil(length / cache.blockSize)",
      ],
    },
    async (student) => {
      for (const [length, kept] of [
        [5, 2],
        [8, 2],
        [9, 3],
        [4, 1],
        [0, 0],
      ] as const) {
        const cache = someCache();
        await student.rewind(mutable(cache), length);
        expectEqual(cache.length, length, "the length");
        expectEqual(cache.blockTable, [7, 2, 5].slice(0, kept), `the blocks of ${length} tokens`);
      }
    },
  );
  graded(
    "frees each block once",
    {
      points: 2,
      hints: [
        "Two sequences are given the same block. How can that happen?",
        "A block that became free twice is given out twice. It must leave the table when it becomes free.",
        "for (const block of cache.blockTable.splice(kept)) …: splice takes them out of the table.",
      ],
    },
    async (student) => {
      const cache = someCache();
      await student.rewind(mutable(cache), 6);
      expectEqual([...cache.free].sort(), [1, 5], "the free blocks");
      await student.rewind(mutable(cache), 6);
      await student.rewind(mutable(cache), 5);
      expectEqual([...cache.free].sort(), [1, 5], "the free blocks after two cuts more");
      expectEqual(cache.references[5], 0, "the references of block 5");
      expectEqual(cache.references[2], 1, "the references of block 2, which is still in use");
    },
  );
  graded(
    "leaves a shared block to the other sequence",
    {
      points: 2,
      hints: [
        "references says how many sequences use a block. When may it be given to a third?",
        "Take one reference off. Only at 0 does nobody use it.",
        "cache.references[block] -= 1; if (cache.references[block] === 0) cache.free.push(block);",
      ],
    },
    async (student) => {
      const cache = someCache();
      cache.references[5] = 2;
      await student.rewind(mutable(cache), 4);
      expectEqual([...cache.free].sort(), [1, 2], "the free blocks: 5 has another user");
      expectEqual(cache.references[5], 1, "the references of block 5");
    },
  );
  graded(
    "refuses to forget what is not there",
    {
      points: 1,
      hints: [
        "A cache of 10 tokens is cut to 12. What does it hold then?",
        "Two tokens that nobody has computed. Such a call is a mistake of the caller: say so.",
        "if (length > cache.length) throw new Error(…)",
      ],
    },
    async (student) => {
      await expectThrows(student.rewind(someCache(), 11));
      await expectThrows(student.rewind(someCache(), 100));
    },
  );
});

interface TestCache {
  length: number;
  blockSize: number;
  blockTable: number[];
  references: number[];
  free: number[];
}

/** Ten tokens in blocks of four; block 1 is free. */
function someCache(): TestCache {
  return {
    length: 10,
    blockSize: 4,
    blockTable: [7, 2, 5],
    references: [1, 0, 1, 1, 1, 1, 1, 1],
    free: [1],
  };
}

/**
 * How often each token comes first where one guess is drawn from `q`: all guesses, and for each all
 * chances of the two decisions, in steps that the boundaries of these distributions fall between.
 */
async function distributionOf(
  student: Remote<typeof Exercise>,
  p: Float64Array,
  q: Float64Array,
): Promise<Float64Array> {
  const [first, second] = [middles(10), middles(12)];
  const after = Float64Array.of(1, 0, 0);
  const found = new Float64Array(p.length);
  for (const [token, share] of q.entries()) {
    for (const one of first) {
      for (const other of second) {
        const guess = Int32Array.of(token);
        const { accepted, next } = await student.verify(
          guess,
          [q],
          [p, after],
          chances(one, other),
        );
        found[accepted === 1 ? token : next]! += share / first.length / second.length;
      }
    }
  }
  return found;
}
