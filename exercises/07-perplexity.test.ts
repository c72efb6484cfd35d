/** Project 7, graded: each test names one promise of an honest measurement. */
import { randomInt, type Rng } from "infinity-inference/core/rng";
import {
  expectClose,
  expectEqual,
  expectThat,
  expectThrows,
  gradedExercise,
} from "infinity-inference/course/graded-test";
import { logSoftmax } from "infinity-inference/eval/log-probability";
import { mutable } from "infinity-inference/sandbox/remote";
import { z } from "zod";
import type * as Exercise from "./07-perplexity.ts";

/** Logits of given probabilities. */
function logitsOf(...probabilities: readonly number[]): Float32Array {
  return Float32Array.from(probabilities, Math.log);
}

function someLogits(random: Rng, size: number, spread = 6): Float32Array {
  return Float32Array.from({ length: size }, () => (random() - 0.5) * spread);
}

/** The engine's −ln p. */
function lossOf(logits: Float32Array, target: number): number {
  return -logSoftmax(logits)[target]!;
}

/** A model of 5 tokens whose row i depends on the token before i and on how many came. */
function model(tokens: Int32Array): Float32Array {
  const rows = Array.from(tokens, (token, i) => rowAfter(token, i));
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

function rowAfter(token: number, position: number): Float32Array {
  return Float32Array.from({ length: 5 }, (_, next) =>
    Math.fround(2 * Math.sin(3 * token + 5 * next + position)),
  );
}

/** The losses that llama.cpp's rule scores, in order. */
function chunkLosses(ids: Int32Array, context: number): number[] {
  const losses: number[] = [];
  for (let begin = 0; begin + context <= ids.length; begin += context) {
    for (let i = context / 2 + 1; i < context; i++) {
      losses.push(lossOf(rowAfter(ids[begin + i - 1]!, i - 1), ids[begin + i]!));
    }
  }
  return losses;
}

function someTokens(random: Rng, length: number): Int32Array {
  return Int32Array.from({ length }, () => randomInt(random, 5));
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

/** How often each token is scored. */
function coverage(
  n: number,
  windows: readonly { scoreFrom: number; end: number }[],
): readonly number[] {
  const counts = new Array<number>(n).fill(0);
  for (const { scoreFrom, end } of windows) {
    for (let i = scoreFrom; i < Math.min(end, n); i++) counts[i]! += 1;
  }
  return counts;
}

gradedExercise<typeof Exercise>(
  "logSoftmaxNll",
  (graded) => {
    graded(
      "is minus the natural logarithm of the probability",
      {
        points: 2,
        hints: [
          "How large is the loss of a token that was certain? And of one that was impossible?",
          "softmax(logits)[target] is e^logits[target] divided by the sum of all e^logit; the loss is −ln of it.",
          "ln(Σ e^logit) − logits[target]",
        ],
      },
      async (student, random) => {
        expectClose(
          await student.logSoftmaxNll(logitsOf(0.5, 0.25, 0.25), 1),
          Math.log(4),
          "the loss of a token of probability ¼",
        );
        const logits = someLogits(random, 20);
        const target = randomInt(random, 20);
        expectClose(await student.logSoftmaxNll(logits, target), lossOf(logits, target));
      },
    );
    graded(
      "survives logits whose powers of e overflow",
      {
        points: 1,
        hints: [
          "What is Math.exp(800)? And Infinity / Infinity?",
          "Softmax does not change when the same number is taken from all logits. Which number makes every power at most 1?",
          "Take the greatest logit off before Math.exp, and add it again after Math.log.",
        ],
      },
      async (student) => {
        const logits = Float32Array.of(1000, 999, -1000);
        expectClose(
          await student.logSoftmaxNll(logits, 0),
          Math.log(1 + Math.exp(-1)),
          "the loss of the greatest of 1000, 999, −1000",
        );
        expectClose(
          await student.logSoftmaxNll(
            logits.map((x) => x - 2000),
            1,
          ),
          lossOf(logits, 1),
        );
      },
    );
    graded(
      "adds up a large vocabulary without losing digits",
      {
        points: 1,
        hints: [
          "Seven digits are all that a float32 has. How many does a sum of 100,000 of them have?",
          "Numbers in JavaScript are float64. Where do you make them shorter?",
          "Do not keep powers or sums in a Float32Array or Math.fround.",
        ],
      },
      async (student, random) => {
        const logits = someLogits(random, 100_000, 2);
        expectClose(await student.logSoftmaxNll(logits, 7), lossOf(logits, 7), {
          label: "the loss in a vocabulary of 100,000",
          tolerance: 1e-9,
        });
      },
    );
  },
  { answers: { logSoftmaxNll: z.number() } },
);

gradedExercise<typeof Exercise>(
  "slidingWindows",
  (graded) => {
    graded(
      "scores no token twice",
      {
        points: 2,
        hints: [
          "Windows overlap, so that later tokens have something before them. Should the overlap count again?",
          "Remember how far the window before has reached; the next one scores from there.",
          "scoreFrom is the `end` of the window before.",
        ],
      },
      async (student) => {
        for (const [n, context, stride] of [
          [10, 6, 3],
          [100, 16, 5],
          [64, 16, 15],
        ] as const) {
          const most = Math.max(...coverage(n, await student.slidingWindows(n, context, stride)));
          const label = `a token of ${n} is scored ${most} times, with context ${context} and stride ${stride}`;
          expectThat(most <= 1, label, { got: most, expected: 1 });
        }
      },
    );
    graded(
      "leaves no token out",
      {
        points: 2,
        hints: [
          "A text of 10 tokens, windows of 6 that are 3 apart: where does the last window end?",
          "The last window may be shorter than the others, and must be there.",
          "Go on until a window has ended at n: end = Math.min(begin + context, n).",
        ],
      },
      async (student) => {
        for (const [n, context, stride] of [
          [10, 6, 3],
          [12, 6, 3],
          [5, 16, 8],
          [101, 16, 5],
        ] as const) {
          const counts = coverage(n, await student.slidingWindows(n, context, stride));
          const missing = counts.indexOf(0, 1);
          const label = `token ${missing} of ${n} is not scored, with context ${context} and stride ${stride}`;
          expectThat(missing < 0, label);
        }
      },
    );
    graded(
      "does not score the text's first token",
      {
        points: 1,
        hints: [
          "What does the model know when it has read nothing?",
          "Row 0 of the logits is about token 1. There is no row about token 0.",
          "The first window has scoreFrom 1.",
        ],
      },
      async (student) => {
        const [first] = await student.slidingWindows(20, 8, 4);
        expectEqual(first?.scoreFrom, 1, "scoreFrom of the first window");
      },
    );
    graded(
      "moves by the stride, and stops with the text",
      {
        points: 2,
        hints: [
          "Write down begin and end of each window for 10 tokens, context 6 and stride 3.",
          "A window whose tokens were all scored before scores nothing, and costs a pass of the model.",
          "0–6, 3–9, 6–10, and no more, because the text has ended.",
        ],
      },
      async (student) => {
        expectEqual(
          await student.slidingWindows(10, 6, 3),
          [
            { begin: 0, end: 6, scoreFrom: 1 },
            { begin: 3, end: 9, scoreFrom: 6 },
            { begin: 6, end: 10, scoreFrom: 9 },
          ],
          "the windows of 10 tokens",
        );
        expectEqual(
          await student.slidingWindows(9, 6, 3),
          [
            { begin: 0, end: 6, scoreFrom: 1 },
            { begin: 3, end: 9, scoreFrom: 6 },
          ],
          "the windows of 9 tokens",
        );
      },
    );
  },
  {
    answers: {
      slidingWindows: z.array(
        z.object({ begin: z.number(), end: z.number(), scoreFrom: z.number() }),
      ),
    },
  },
);

gradedExercise<typeof Exercise>(
  "pplChunked",
  (graded) => {
    graded(
      "scores the second half of each chunk but for its first token",
      {
        points: 3,
        hints: [
          "Of a chunk of 8 tokens, three are scored. Which?",
          "Tokens 5, 6 and 7; each by the row of the token before it.",
          "for i from context / 2 + 1 to context − 1: the loss of chunk[i] under row i − 1.",
        ],
      },
      async (student, random) => {
        const ids = someTokens(random, 32);
        const losses = chunkLosses(ids, 8);
        const { ppl, count } = await student.pplChunked(model, ids, 8, null);
        expectEqual(count, 12, "count, for four chunks of 8");
        expectClose(ppl, Math.exp(mean(losses)), "ppl");
      },
    );
    graded(
      "puts the begin token in the place of each chunk's first",
      {
        points: 2,
        hints: [
          "Which token does the model read first in chunk 2?",
          "bos, where the model has one; a copy of the chunk is needed, because the text must stay.",
          "const chunk = ids.slice(…); if (bos !== null) chunk[0] = bos;",
        ],
      },
      async (student, random) => {
        const ids = someTokens(random, 24).map((token) => token || 1);
        const firsts: number[] = [];
        const watching = (tokens: Int32Array): Float32Array => {
          firsts.push(tokens[0]!);
          return model(tokens);
        };
        await student.pplChunked(watching, mutable(ids), 8, 3);
        expectEqual(firsts, [3, 3, 3], "the first token of each chunk, as the model reads it");
        firsts.length = 0;
        await student.pplChunked(watching, ids, 8, null);
        expectEqual(firsts, [ids[0], ids[8], ids[16]], "the same for a model without such a token");
      },
    );
    graded(
      "leaves the text as it was",
      {
        points: 1,
        hints: [
          "Measure twice. Is the second figure the same?",
          "subarray shows the same memory, slice copies it.",
          "const chunk = ids.slice(begin, begin + context);",
        ],
      },
      async (student, random) => {
        const ids = someTokens(random, 24);
        const before = ids.slice();
        await student.pplChunked(model, mutable(ids), 8, 3);
        expectEqual(ids, before, "ids after the call");
      },
    );
    graded(
      "leaves out the rest that fills no chunk",
      {
        points: 1,
        hints: [
          "How many whole chunks of 8 are there in 21 tokens?",
          "Two. What is left over is not scored.",
          "for (let begin = 0; begin + context <= ids.length; begin += context)",
        ],
      },
      async (student, random) => {
        const ids = someTokens(random, 21);
        const lengths: number[] = [];
        const watching = (tokens: Int32Array): Float32Array => {
          lengths.push(tokens.length);
          return model(tokens);
        };
        await student.pplChunked(watching, ids, 8, null);
        expectEqual(lengths, [8, 8], "the lengths of what the model reads");
      },
    );
    graded(
      "is e to the mean over all scored tokens",
      {
        points: 2,
        hints: [
          "Two chunks have perplexities 2 and 8. What is the text's?",
          "4: the losses are averaged, not their powers of e. The mean of 2 and 8 would be 5.",
          "Add up all losses of all chunks, divide once, and take Math.exp at the very end.",
        ],
      },
      async (student) => {
        // The second half of the first chunk is certain, that of the second impossible to guess.
        const uneven = (tokens: Int32Array): Float32Array => {
          const rows = Array.from(tokens, () => (tokens[0] === 1 ? [0, 20] : [20, 0]));
          return Float32Array.from(rows.flat());
        };
        const ids = Int32Array.of(1, 1, 1, 1, 0, 1, 1, 1);
        const losses = [lossOf(Float32Array.of(0, 20), 1), lossOf(Float32Array.of(20, 0), 1)];
        const { ppl } = await student.pplChunked(uneven, ids, 4, null);
        expectClose(ppl, Math.exp(mean(losses)), "ppl, where one chunk is easy and one hard");
      },
    );
    graded(
      "states the standard error of the perplexity",
      {
        points: 2,
        hints: [
          "The losses have a standard error. Perplexity is e to their mean: how much does it move when the mean moves a little?",
          "By ppl times as much.",
          "ppl * Math.sqrt((squares / count − mean²) / (count − 1))",
        ],
      },
      async (student, random) => {
        const ids = someTokens(random, 40);
        const losses = chunkLosses(ids, 8);
        const center = mean(losses);
        const variance = mean(losses.map((loss) => (loss - center) ** 2));
        const expected = Math.exp(center) * Math.sqrt(variance / (losses.length - 1));
        const { stderr } = await student.pplChunked(model, ids, 8, null);
        expectClose(stderr, expected, "stderr");
      },
    );
    graded(
      "refuses a text of fewer than two contexts",
      {
        points: 1,
        hints: [
          "What would a figure from a single chunk be worth?",
          "llama.cpp refuses it. So should you, with an error.",
          "if (ids.length < 2 * context) throw new Error(…)",
        ],
      },
      async (student, random) => {
        await expectThrows(student.pplChunked(model, someTokens(random, 15), 8, null));
        await student.pplChunked(model, someTokens(random, 16), 8, null);
      },
    );
  },
  {
    answers: {
      pplChunked: z.object({ ppl: z.number(), stderr: z.number(), count: z.number() }),
    },
  },
);

gradedExercise<typeof Exercise>(
  "bitsPerByte",
  (graded) => {
    graded(
      "turns nats into bits",
      {
        points: 1,
        hints: [
          "A loss of ln 2 nats is one yes-or-no question. How many bits is that?",
          "One. So divide by ln 2.",
          "nats / Math.log(2) / numBytes",
        ],
      },
      async (student) => {
        expectClose(await student.bitsPerByte(8 * Math.log(16), "sixteen letters!"), 2);
      },
    );
    graded(
      "counts bytes, not letters",
      {
        points: 1,
        hints: [
          "How long is a file that holds nothing but 🐎?",
          "A string's length counts UTF-16 units. A file's bytes are UTF-8.",
          "new TextEncoder().encode(text).length",
        ],
      },
      async (student) => {
        expectClose(await student.bitsPerByte(11 * Math.log(2), "žluť 🐎"), 1);
      },
    );
  },
  { answers: { bitsPerByte: z.number() } },
);

gradedExercise<typeof Exercise>(
  "klStats",
  (graded) => {
    graded(
      "is the divergence of the compressed model from the original, not the other way round",
      {
        points: 2,
        hints: [
          "The two directions are different numbers. By whose probabilities are the logarithms weighted?",
          "By the original's: what it thinks likely is what must not be lost.",
          "Σ p · (ln p − ln q), with p from base.",
        ],
      },
      async (student, random) => {
        const one = await student.klStats(
          logitsOf(0.5, 0.5),
          logitsOf(0.25, 0.75),
          Int32Array.of(0),
        );
        expectClose(one.kl, 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3), "kl of ½, ½ and ¼, ¾");
        const [base, quant] = [someLogits(random, 24), someLogits(random, 24)];
        const { kl } = await student.klStats(base, quant, Int32Array.of(1, 2, 3));
        expectClose(kl, klOf(base, quant, 3), "kl, the mean of three positions of 8 tokens");
      },
    );
    graded(
      "takes nothing for a token that the original never expects",
      {
        points: 1,
        hints: [
          "What is 0 · −Infinity in JavaScript?",
          "NaN, and from then on every sum is. Its limit is 0.",
          "Leave a token out where p is 0.",
        ],
      },
      async (student) => {
        const base = Float32Array.of(0, 0, -Infinity);
        const { kl } = await student.klStats(base, Float32Array.of(0, 0, 0), Int32Array.of(0));
        expectClose(kl, Math.log(1.5), "kl of ½, ½, 0 and three thirds");
      },
    );
    graded(
      "counts how often both think the same token likeliest",
      {
        points: 1,
        hints: [
          "The model would write its likeliest token. At how many positions does it still write the same?",
          "Compare the place of the greatest logit, not its size, and not the token that came.",
          "p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q))",
        ],
      },
      async (student) => {
        const base = Float32Array.of(3, 1, 0, 0, 2, 1, 0, 1, 5, 4, 0, 0);
        const quant = Float32Array.of(9, 8, 7, 1, 2, 0, 0, 0, 1, 2, 3, 4.5);
        const { top1 } = await student.klStats(base, quant, new Int32Array(6).fill(1));
        expectClose(top1, topOf(base, quant, 6), "top1 of six positions of two tokens");
      },
    );
    graded(
      "measures the change for the token that came",
      {
        points: 1,
        hints: [
          "Which token's probability decides the perplexity?",
          "That of the token that came: targets[i].",
          "The root of the mean of (q[target] − p[target])².",
        ],
      },
      async (student) => {
        const base = logitsOf(0.5, 0.3, 0.2, 0.1, 0.1, 0.8);
        const quant = logitsOf(0.2, 0.4, 0.4, 0.2, 0.5, 0.3);
        const { rmsDp } = await student.klStats(base, quant, Int32Array.of(1, 0));
        expectClose(rmsDp, 0.1, "rmsDp, where both targets change by 0.1");
      },
    );
  },
  {
    answers: { klStats: z.object({ kl: z.number(), top1: z.number(), rmsDp: z.number() }) },
  },
);

/** The mean of Σ p (ln p − ln q), by the engine's logarithms. */
function klOf(base: Float32Array, quant: Float32Array, positions: number): number {
  const width = base.length / positions;
  const rows = Array.from({ length: positions }, (_, i) => {
    const [lnP, lnQ] = [base, quant].map((all) =>
      logSoftmax(all.subarray(i * width, (i + 1) * width)),
    );
    return lnP!.reduce(
      (total, value, token) => total + Math.exp(value) * (value - lnQ![token]!),
      0,
    );
  });
  return mean(rows);
}

/** The share of positions of two tokens whose greater one is the same. */
function topOf(base: Float32Array, quant: Float32Array, positions: number): number {
  const same = Array.from({ length: positions }, (_, i) => {
    const isFirst = (all: Float32Array): boolean => all[2 * i]! >= all[2 * i + 1]!;
    return Number(isFirst(base) === isFirst(quant));
  });
  return mean(same);
}

/** Tokens of one letter, but "ab" and " c" are one token each. */
function encode(text: string): Int32Array {
  const pieces = text.match(/ab| c|[a-z ]/g) ?? [];
  return Int32Array.from(pieces, (piece) => ["ab", " c", "a", "b"].indexOf(piece) + 1);
}

/** ln p of the tokens of `text` behind the first `numContext`. */
function logpOf(text: string, numContext: number): number {
  const ids = encode(text);
  let total = 0;
  for (let i = numContext; i < ids.length; i++) {
    total -= lossOf(rowAfter(ids[i - 1]!, i - 1), ids[i]!);
  }
  return total;
}

gradedExercise<typeof Exercise>(
  "mcqScore",
  (graded) => {
    graded(
      "adds up the tokens of the answer, each after those before it",
      {
        points: 2,
        hints: [
          "An answer of three tokens: of how many rows of logits do you need the loss?",
          "Of three. The first of them is the row of the context's last token.",
          "for i from numContext to ids.length − 1: total −= loss of ids[i] under row i − 1.",
        ],
      },
      async (student) => {
        const { logp } = await student.mcqScore(model, encode, "bbb", [" c", " cab", "b c ca"]);
        const expected = [" c", " cab", "b c ca"].map((choice) => logpOf(`bbb${choice}`, 3));
        expectClose(logp, expected, "logp of three answers after a context of three tokens");
      },
    );
    graded(
      "cuts context and answer into tokens together",
      {
        points: 2,
        hints: [
          'The context is "ba", an answer begins with b, and "ab" is one token. Which tokens does the text have?',
          "b and ab. Cut apart, it would be b, a and b: a text that the model has never seen so.",
          "const ids = encode(context + choice);",
        ],
      },
      async (student) => {
        const { logp } = await student.mcqScore(model, encode, "bba", ["bb", "b c"]);
        expectClose(
          logp,
          ["bb", "b c"].map((choice) => logpOf(`bba${choice}`, 3)),
          "logp, where the cut between context and answer is inside a token",
        );
      },
    );
    graded(
      "chooses the likeliest",
      {
        points: 1,
        hints: [
          "ln p is negative. Is the best one the greatest or the least?",
          "The greatest, which is the one nearest to 0.",
          "logp.indexOf(Math.max(...logp))",
        ],
      },
      async (student, random) => {
        const texts = ["a", "b", " c", "ab", "bb", "aa"];
        const choices = Array.from(
          { length: 4 },
          () => texts[randomInt(random, 6)]! + texts[randomInt(random, 6)]!,
        );
        const { best, logp } = await student.mcqScore(model, encode, "bb c", choices);
        expectEqual(best, logp.indexOf(Math.max(...logp)), "best, for the answer's own logp");
      },
    );
  },
  { answers: { mcqScore: z.object({ best: z.number(), logp: z.array(z.number()) }) } },
);
