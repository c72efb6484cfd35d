/** Project 5: the mistakes that students make, each as a change to the worked answer. */
import type { Mutant } from "infinity-inference/course/mutants";

export const mutants: readonly Mutant[] = [
  {
    name: "divides the wrong way round",
    exercise: "acceptProb",
    mistake: "q over p accepts most what the draft writes too often.",
    killedBy: "is the target's probability over the draft's",
    replace: ["p[x]! / q[x]!", "q[x]! / p[x]!"],
  },
  {
    name: "asks only the target",
    exercise: "acceptProb",
    mistake: "With p[x] alone, even a perfect draft is refused most of the time.",
    killedBy: "is the target's probability over the draft's",
    replace: ["p[x]! / q[x]!", "p[x]!"],
  },
  {
    name: "has probabilities above 1",
    exercise: "acceptProb",
    mistake: "The ratio of two probabilities can be any number.",
    killedBy: "is 1 where the target wants the token more than the draft",
    replace: ["Math.min(1, p[x]! / q[x]!)", "p[x]! / q[x]!"],
  },
  {
    name: "divides nothing by nothing",
    exercise: "acceptProb",
    mistake: "0 / 0 is NaN, and no comparison with it is true.",
    killedBy: "is 0 for what the target never writes",
    replace: ["if (p[x] === 0) return 0;\n", ""],
  },
  {
    name: "does not make it sum to 1",
    exercise: "residual",
    mistake: "p − q sums to the probability of a refusal, which is below 1.",
    killedBy: "is what the target wants beyond the draft, and sums to 1",
    replace: ["rest.map((value) => value / sum)", "rest"],
  },
  {
    name: "takes what the draft wants beyond the target",
    exercise: "residual",
    mistake: "Refused tokens would be drawn again.",
    killedBy: "is what the target wants beyond the draft, and sums to 1",
    replace: ["probability - q[id]!", "q[id]! - probability"],
  },
  {
    name: "takes the distance",
    exercise: "residual",
    mistake: "|p − q| gives a share to tokens that the draft writes too often.",
    killedBy: "is 0 where the draft has covered the target",
    replace: ["Math.max(0, probability - q[id]!)", "Math.abs(probability - q[id]!)"],
  },
  {
    name: "keeps negative shares",
    exercise: "residual",
    mistake: "Without max(0, …), the shares sum to 0.",
    killedBy: "is 0 where the draft has covered the target",
    replace: ["Math.max(0, probability - q[id]!)", "probability - q[id]!"],
  },
  {
    name: "divides by a sum of nothing",
    exercise: "residual",
    mistake: "Where p and q are the same, all shares become NaN.",
    killedBy: "is p where nothing is left over",
    replace: ["sum === 0 ? p.slice() : ", ""],
  },
  {
    name: "writes into p",
    exercise: "residual",
    mistake: "The row is needed again: by whoever asked, and for the next draft.",
    killedBy: "leaves p and q as they were",
    code: `export function residual(p: Float64Array, q: Float64Array): Float64Array {
  const rest = p.map((probability, id) => Math.max(0, probability - q[id]!));
  const sum = rest.reduce((total, value) => total + value, 0);
  if (sum > 0) p.set(rest.map((value) => value / sum));
  return p.slice();
}`,
  },
  {
    name: "goes on after a refusal",
    exercise: "verify",
    mistake: "Guesses after a refused one are guesses about another text.",
    killedBy: "stops at the first refusal",
    code: `export function verify(
  draft: Int32Array,
  q: Float64Array[],
  p: Float64Array[],
  rng: () => number,
): { accepted: number; next: number } {
  const isAccepted = (x: number, i: number): boolean => rng() < acceptProb(p[i]!, q[i]!, x);
  const accepted = draft.filter(isAccepted).length;
  const row = accepted < draft.length ? residual(p[accepted]!, q[accepted]!) : p[draft.length]!;
  let left = rng();
  return { accepted, next: row.findIndex((share) => (left -= share) < 0) };
}`,
  },
  {
    name: "counts the refused guess",
    exercise: "verify",
    mistake: "`accepted` is how many stay, not how many were looked at.",
    killedBy: "stops at the first refusal",
    replace: ["return { accepted: i, next:", "return { accepted: i + 1, next:"],
  },
  {
    name: "draws from p after a refusal",
    exercise: "verify",
    mistake:
      "The syllabus's rule without its other half: likely tokens of the draft come too often.",
    killedBy: "gives the target's distribution, whatever the draft's",
    replace: ["drawFrom(residual(p[i]!, q[i]!), rng())", "drawFrom(p[i]!, rng())"],
  },
  {
    name: "takes the likeliest after a refusal",
    exercise: "verify",
    mistake: "Greedy correction is right at temperature 0 only.",
    killedBy: "gives the target's distribution, whatever the draft's",
    replace: [
      "return { accepted: i, next: drawFrom(residual(p[i]!, q[i]!), rng()) };",
      "const rest = residual(p[i]!, q[i]!);\n      rng();\n      return { accepted: i, next: rest.indexOf(Math.max(...rest)) };",
    ],
  },
  {
    name: "draws from the row after the refused guess",
    exercise: "verify",
    mistake: "p[i + 1] is what follows guess i, and guess i is gone.",
    killedBy: "draws what replaces a guess from that guess's own rows",
    replace: ["residual(p[i]!, q[i]!)", "residual(p[i + 1]!, q[i]!)"],
  },
  {
    name: "forgets the bonus",
    exercise: "verify",
    mistake: "The row after the last guess is there for nothing.",
    killedBy: "adds a token of the target's own after the last guess",
    replace: [
      "drawFrom(p[draft.length]!, rng())",
      "drawFrom(p[Math.max(0, draft.length - 1)]!, rng())",
    ],
  },
  {
    name: "uses a number twice",
    exercise: "verify",
    mistake: "The number that refused is not random any more: it was large.",
    killedBy: "uses a fresh random number for every decision",
    replace: [
      "if (rng() >= acceptProb(p[i]!, q[i]!, draft[i]!)) {\n      return { accepted: i, next: drawFrom(residual(p[i]!, q[i]!), rng()) };",
      "const u = rng();\n    if (u >= acceptProb(p[i]!, q[i]!, draft[i]!)) {\n      return { accepted: i, next: drawFrom(residual(p[i]!, q[i]!), u) };",
    ],
  },
  {
    name: "expects one token too few",
    exercise: "optimalGamma",
    mistake: "With gamma guesses a pass gives up to gamma + 1 tokens.",
    killedBy: "finds the best length where checking is free",
    replace: ["i <= gamma; i++", "i < gamma; i++"],
  },
  {
    name: "takes guesses for free",
    exercise: "optimalGamma",
    mistake: "Then more guesses are always better.",
    killedBy: "finds the best length where checking is free",
    replace: ["gamma * c + v(gamma)", "v(gamma)"],
  },
  {
    name: "takes checking for free",
    exercise: "optimalGamma",
    mistake: "The paper's assumption holds on a GPU that waits for memory, not everywhere.",
    killedBy: "counts what checking costs",
    replace: ["gamma * c + v(gamma)", "gamma * c + 1"],
  },
  {
    name: "always guesses",
    exercise: "optimalGamma",
    mistake: "Not to guess is a choice, too, and often the best.",
    killedBy: "is 0 where guessing does not pay",
    replace: ["let best = 0;\n  let bestSpeed = 1;", "let best = 1;\n  let bestSpeed = 0;"],
  },
  {
    name: "takes the largest of equals",
    exercise: "optimalGamma",
    mistake: "The same speed with more work is worse for everybody else.",
    killedBy: "is 0 where guessing does not pay",
    replace: ["speed > bestSpeed", "speed >= bestSpeed"],
  },
  {
    name: "falls into the hole of the formula",
    exercise: "optimalGamma",
    mistake: "(1 − α^(γ+1)) / (1 − α) is 0 / 0 at α = 1.",
    killedBy: "knows guesses that are always right",
    replace: [
      "let tokens = 1;\n    for (let i = 1; i <= gamma; i++) tokens += alpha ** i;",
      "const tokens = (1 - alpha ** (gamma + 1)) / (1 - alpha);",
    ],
  },
  {
    name: "copies the match instead of what follows",
    exercise: "promptLookup",
    mistake: "Those tokens are written already.",
    killedBy: "copies what followed the last time",
    replace: ["ids.slice(begin + size, begin + size + k)", "ids.slice(begin, begin + k)"],
  },
  {
    name: "begins with the shortest match",
    exercise: "promptLookup",
    mistake: "One word is found in many places, most of them wrong.",
    killedBy: "prefers the longest match",
    replace: [
      "let size = Math.min(n, end - 1); size >= 1; size--",
      "let size = 1; size <= Math.min(n, end - 1); size++",
    ],
  },
  {
    name: "takes the first match",
    exercise: "promptLookup",
    mistake: "What was written last is nearer to what comes next.",
    killedBy: "takes the most recent of several",
    replace: [
      "let begin = end - size - 1; begin >= 0; begin--",
      "let begin = 0; begin < end - size; begin++",
    ],
  },
  {
    name: "finds the suffix itself",
    exercise: "promptLookup",
    mistake: "It is the most recent match of all, and nothing follows it.",
    killedBy: "does not find the suffix itself",
    replace: ["let begin = end - size - 1;", "let begin = end - size;"],
  },
  {
    name: "fills up with zeros",
    exercise: "promptLookup",
    mistake: "Token 0 would be guessed, and checked for nothing.",
    killedBy: "gives fewer where the text ends",
    replace: [
      "if (matches) return ids.slice(begin + size, begin + size + k);",
      "const found = new Int32Array(k);\n      found.set(ids.slice(begin + size, begin + size + k));\n      if (matches) return found;",
    ],
  },
  {
    name: "rounds down",
    exercise: "rewind",
    mistake: "The block that is partly filled still holds tokens.",
    killedBy: "keeps the tokens before and the block that holds the last of them",
    replace: ["Math.ceil(", "Math.floor("],
  },
  {
    name: "forgets to say how long it is",
    exercise: "rewind",
    mistake: "The next token would be written behind the forgotten ones.",
    killedBy: "keeps the tokens before and the block that holds the last of them",
    replace: ["  cache.length = length;\n", ""],
  },
  {
    name: "leaves freed blocks in the table",
    exercise: "rewind",
    mistake: "The next cut frees them again.",
    killedBy: "frees each block once",
    replace: ["cache.blockTable.splice(kept)", "cache.blockTable.slice(kept)"],
  },
  {
    name: "frees what others use",
    exercise: "rewind",
    mistake: "Another sequence's tokens would be overwritten.",
    killedBy: "leaves a shared block to the other sequence",
    replace: [
      "cache.references[block]! -= 1;\n    if (cache.references[block] === 0) cache.free.push(block);",
      "cache.references[block] = 0;\n    cache.free.push(block);",
    ],
  },
  {
    name: "keeps a reference to what it has left",
    exercise: "rewind",
    mistake: "A block whose users have all gone would never become free.",
    killedBy: "leaves a shared block to the other sequence",
    replace: [
      "cache.references[block]! -= 1;\n    if (cache.references[block] === 0) cache.free.push(block);",
      "if (cache.references[block] === 1) {\n      cache.references[block] = 0;\n      cache.free.push(block);\n    }",
    ],
  },
  {
    name: "grows without a word",
    exercise: "rewind",
    mistake: "A longer cache would claim tokens that nobody has computed.",
    killedBy: "refuses to forget what is not there",
    replace: ["if (length > cache.length)", "if (length < 0)"],
  },
];
