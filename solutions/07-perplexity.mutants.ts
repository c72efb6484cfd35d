/** Project 7: the mistakes that students make, each as a change to the worked answer. */
import type { Mutant } from "infinity-inference/course/mutants";

export const mutants: readonly Mutant[] = [
  {
    name: "forgets the minus",
    exercise: "logSoftmaxNll",
    mistake: "A loss is −ln p, which is never negative.",
    killedBy: "is minus the natural logarithm of the probability",
    replace: [
      "greatest + Math.log(sum) - logits[target]!",
      "logits[target]! - greatest - Math.log(sum)",
    ],
  },
  {
    name: "mixes two logarithms",
    exercise: "logSoftmaxNll",
    mistake: "Powers of e and log2 do not undo each other.",
    killedBy: "is minus the natural logarithm of the probability",
    replace: ["Math.log(sum)", "Math.log2(sum)"],
  },
  {
    name: "lets the powers overflow",
    exercise: "logSoftmaxNll",
    mistake: "Without the greatest logit taken off, e^1000 is Infinity.",
    killedBy: "survives logits whose powers of e overflow",
    replace: ["greatest = Math.max(greatest, logit)", "greatest = 0"],
  },
  {
    name: "sums in float32",
    exercise: "logSoftmaxNll",
    mistake: "A float32 sum of many small numbers loses digits with each of them.",
    killedBy: "adds up a large vocabulary without losing digits",
    replace: [
      "sum += Math.exp(logit - greatest)",
      "sum = Math.fround(sum + Math.exp(logit - greatest))",
    ],
  },
  {
    name: "scores whole windows",
    exercise: "slidingWindows",
    mistake: "Tokens of the overlap count twice.",
    killedBy: "scores no token twice",
    replace: ["scoreFrom: reached", "scoreFrom: begin + 1"],
  },
  {
    name: "takes whole windows only",
    exercise: "slidingWindows",
    mistake: "The end of the text is never scored.",
    killedBy: "leaves no token out",
    replace: ["reached < n;", "begin + context <= n;"],
  },
  {
    name: "skips a token after each window",
    exercise: "slidingWindows",
    mistake: "The token where the window before ended was not scored: `end` is the first outside.",
    killedBy: "leaves no token out",
    replace: ["reached = end;", "reached = end + 1;"],
  },
  {
    name: "scores the first token",
    exercise: "slidingWindows",
    mistake: "There is no row of logits about token 0.",
    killedBy: "does not score the text's first token",
    replace: ["let reached = 1;", "let reached = 0;"],
  },
  {
    name: "goes on when the text has ended",
    exercise: "slidingWindows",
    mistake: "Windows that score nothing cost a pass each.",
    killedBy: "moves by the stride, and stops with the text",
    replace: ["reached < n;", "begin < n;"],
  },
  {
    name: "moves by the context",
    exercise: "slidingWindows",
    mistake: "Disjoint windows leave the tokens at their start without anything before them.",
    killedBy: "moves by the stride, and stops with the text",
    replace: ["begin += stride", "begin += context"],
  },
  {
    name: "begins half a chunk one token early",
    exercise: "pplChunked",
    mistake:
      "llama.cpp scores by the rows from context / 2 on, which are about the tokens one later.",
    killedBy: "scores the second half of each chunk but for its first token",
    replace: ["let i = context / 2 + 1", "let i = context / 2"],
  },
  {
    name: "scores a token by its own row",
    exercise: "pplChunked",
    mistake: "Row i is about token i + 1.",
    killedBy: "scores the second half of each chunk but for its first token",
    replace: ["(i - 1) * width, i * width", "i * width, (i + 1) * width"],
  },
  {
    name: "reads the text's own first token",
    exercise: "pplChunked",
    mistake: "A model that expects a begin token is lost without it.",
    killedBy: "puts the begin token in the place of each chunk's first",
    replace: ["if (bos !== null) chunk[0] = bos;\n", ""],
  },
  {
    name: "writes null into the chunk",
    exercise: "pplChunked",
    mistake: "null written into an Int32Array is 0, and 0 is a token.",
    killedBy: "puts the begin token in the place of each chunk's first",
    replace: ["if (bos !== null) chunk[0] = bos;", "chunk[0] = bos as number;"],
  },
  {
    name: "writes into the text",
    exercise: "pplChunked",
    mistake: "subarray shares its memory with the text.",
    killedBy: "leaves the text as it was",
    replace: ["ids.slice(begin", "ids.subarray(begin"],
  },
  {
    name: "reads the rest, too",
    exercise: "pplChunked",
    mistake: "A shorter last chunk has another half.",
    killedBy: "leaves out the rest that fills no chunk",
    replace: ["begin + context <= ids.length", "begin < ids.length"],
  },
  {
    name: "averages perplexities",
    exercise: "pplChunked",
    mistake: "The mean of powers of e is not the power of the mean.",
    killedBy: "is e to the mean over all scored tokens",
    code: `
type Model = (tokens: Int32Array) => Float32Array;

export function pplChunked(
  model: Model,
  ids: Int32Array,
  context: number,
  bos: number | null,
): { ppl: number; stderr: number; count: number } {
  if (ids.length < 2 * context) throw new Error("too short");
  const perplexities: number[] = [];
  let [count, sum, squares] = [0, 0, 0];
  for (let begin = 0; begin + context <= ids.length; begin += context) {
    const chunk = ids.slice(begin, begin + context);
    if (bos !== null) chunk[0] = bos;
    const logits = model(chunk);
    const width = logits.length / context;
    let inChunk = 0;
    for (let i = context / 2 + 1; i < context; i++) {
      const loss = logSoftmaxNll(logits.subarray((i - 1) * width, i * width), chunk[i]!);
      [count, sum, squares, inChunk] = [count + 1, sum + loss, squares + loss * loss, inChunk + loss];
    }
    perplexities.push(Math.exp(inChunk / (context / 2 - 1)));
  }
  const mean = sum / count;
  const ppl = perplexities.reduce((total, value) => total + value, 0) / perplexities.length;
  return { ppl, stderr: Math.exp(mean) * Math.sqrt((squares / count - mean * mean) / (count - 1)), count };
}`,
  },
  {
    name: "states the error of the loss",
    exercise: "pplChunked",
    mistake: "Perplexity moves by ppl times as much as the mean loss.",
    killedBy: "states the standard error of the perplexity",
    replace: ["stderr: ppl * Math.sqrt", "stderr: Math.sqrt"],
  },
  {
    name: "states the spread of the losses",
    exercise: "pplChunked",
    mistake: "The mean of many is known better than each: divide by count − 1.",
    killedBy: "states the standard error of the perplexity",
    replace: ["variance / (count - 1)", "variance"],
  },
  {
    name: "takes any text",
    exercise: "pplChunked",
    mistake: "A figure from one chunk is worth nothing, and from none is NaN.",
    killedBy: "refuses a text of fewer than two contexts",
    replace: [
      "if (ids.length < 2 * context) throw new Error(`${2 * context} tokens are needed`);",
      "",
    ],
  },
  {
    name: "leaves nats",
    exercise: "bitsPerByte",
    mistake: "A bit is ln 2 nats.",
    killedBy: "turns nats into bits",
    replace: ["nats / Math.log(2) / numBytes", "nats / numBytes"],
  },
  {
    name: "counts letters",
    exercise: "bitsPerByte",
    mistake: "A string's length is not its size in UTF-8.",
    killedBy: "counts bytes, not letters",
    replace: ["new TextEncoder().encode(text).length", "text.length"],
  },
  {
    name: "turns the divergence round",
    exercise: "klStats",
    mistake: "KL(q ‖ p) asks what the compressed model thinks likely, and forgives what it lost.",
    killedBy:
      "is the divergence of the compressed model from the original, not the other way round",
    replace: ["Math.exp(lnP) * (lnP - lnQ)", "Math.exp(lnQ) * (lnQ - lnP)"],
  },
  {
    name: "adds up the positions",
    exercise: "klStats",
    mistake: "A sum grows with the text; the mean does not.",
    killedBy:
      "is the divergence of the compressed model from the original, not the other way round",
    replace: ["kl: kl / n", "kl"],
  },
  {
    name: "multiplies 0 with infinity",
    exercise: "klStats",
    mistake: "0 · −Infinity is NaN; its limit is 0.",
    killedBy: "takes nothing for a token that the original never expects",
    replace: ["if (lnP > -Infinity) kl", "kl"],
  },
  {
    name: "asks who is right",
    exercise: "klStats",
    mistake: "Agreement is not accuracy: both may expect the same wrong token.",
    killedBy: "counts how often both think the same token likeliest",
    replace: [
      "p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q))",
      "target === q.indexOf(Math.max(...q))",
    ],
  },
  {
    name: "looks at the likeliest token",
    exercise: "klStats",
    mistake: "What counts is the token that came.",
    killedBy: "measures the change for the token that came",
    replace: [
      "Math.exp(-logSoftmaxNll(q, target)) - Math.exp(-logSoftmaxNll(p, target))",
      "Math.exp(-logSoftmaxNll(q, p.indexOf(Math.max(...p)))) - Math.exp(-logSoftmaxNll(p, p.indexOf(Math.max(...p))))",
    ],
  },
  {
    name: "scores the context, too",
    exercise: "mcqScore",
    mistake: "The context is given; its probability says nothing about the answer.",
    killedBy: "adds up the tokens of the answer, each after those before it",
    replace: ["let i = numContext;", "let i = 1;"],
  },
  {
    name: "takes the first token for the answer",
    exercise: "mcqScore",
    mistake: "Answers that begin alike would be equally likely.",
    killedBy: "adds up the tokens of the answer, each after those before it",
    replace: ["i < ids.length; i++", "i < numContext + 1; i++"],
  },
  {
    name: "cuts context and answer apart",
    exercise: "mcqScore",
    mistake: "Tokens may reach over the cut; the model has never seen the text cut there.",
    killedBy: "cuts context and answer into tokens together",
    replace: ["encode(context + choice)", "Int32Array.of(...encode(context), ...encode(choice))"],
  },
  {
    name: "chooses the least likely",
    exercise: "mcqScore",
    mistake: "ln p is negative, and the best is the one nearest to 0.",
    killedBy: "chooses the likeliest",
    replace: ["logp.indexOf(Math.max(...logp))", "logp.indexOf(Math.min(...logp))"],
  },
];
