import { expect } from "chai";
import fc from "fast-check";
import { seededRng, type Rng } from "../core/rng.ts";
import { optimalGamma, verify as simpleVerify } from "../../solutions/05-speculative-decoding.ts";
import { chiSquare, chiSquareLimit } from "./chi-square.testing.ts";
import { defaultSampling, candidatesOf } from "./sampler.ts";
import {
  chainDraft,
  childrenOf,
  distributionOf,
  drawFrom,
  followDraft,
  residual,
  verifyDraft,
  without,
  type Draft,
  type Verdict,
} from "./speculative.ts";
import { expectedTokens, fastestLength, overlap } from "./speculative-speed.ts";

type Distribution = Float64Array;
type Verify = (draft: Draft, target: (node: number) => Distribution, rng: Rng) => Verdict;

/** Distributions of a toy model: what comes after each token. */
type Toy = readonly Distribution[];

const p = Float64Array.of(0.5, 0.3, 0.2);
const q = Float64Array.of(0.2, 0.3, 0.5);
const target: Toy = [p, Float64Array.of(0.1, 0.6, 0.3), Float64Array.of(0.7, 0, 0.3)];
const guesser: Toy = [q, Float64Array.of(0.3, 0.3, 0.4), Float64Array.of(0.1, 0.8, 0.1)];
const numSamples = 50_000;

describe("speculation gives the target's distribution", () => {
  const drafts: readonly (readonly [string, (last: number, rng: Rng) => Draft])[] = [
    ["a chain that is drawn", (last, rng) => chain(last, 2, rng)],
    ["a chain that is chosen without chance", () => chainDraft(Int32Array.of(1, 0))],
    ["a tree that is drawn", (last, rng) => tree(last, [2, 2], rng)],
    ["a tree with every token", (last, rng) => tree(last, [3, 1], rng)],
    ["a tree that is chosen without chance", () => chosenTree()],
    ["no draft", () => chainDraft(new Int32Array())],
  ];
  for (const [what, draft] of drafts) {
    it(`from ${what}, over three tokens`, () => {
      expect(statistic(draft, verifyDraft)).to.be.below(chiSquareLimit(26));
    });
  }

  const broken: readonly (readonly [string, Verify])[] = [
    ["draws from p instead of the residual", resampling],
    [
      "forgets to ask what the draft thought",
      (draft, at, rng) => ignoringProposals(draft, at, rng),
    ],
    ["takes the distribution after the refused token", takingNextRow],
    ["uses one random number twice", reusingChance],
  ];
  for (const [what, verify] of broken) {
    it(`and the test notices who ${what}`, () => {
      const found = statistic((last, rng) => chain(last, 2, rng), verify);
      expect(found).to.be.above(10 * chiSquareLimit(26));
    });
  }

  it("and notices a second candidate that is compared with the first's distribution", () => {
    const verify: Verify = (draft, at, rng) => stubborn(draft, at, rng);
    const found = statistic((last, rng) => tree(last, [2, 2], rng), verify);
    expect(found).to.be.above(10 * chiSquareLimit(26));
  });

  it("and the broken rule of the syllabus gives 0.35, 0.39, 0.26 for 0.5, 0.3, 0.2", () => {
    const rng = seededRng(5);
    const counts = [0, 0, 0];
    for (let i = 0; i < numSamples; i++) {
      const draft = chainDraft(Int32Array.of(drawFrom(q, rng)), [q]);
      const { path, next } = resampling(draft, () => p, rng);
      counts[path.length > 0 ? draft.tokens[0]! : next]! += 1;
    }
    expect(chiSquare(counts, [0.35, 0.39, 0.26])).to.be.below(chiSquareLimit(2));
    expect(chiSquare(counts, [...p])).to.be.within(4000, 4700);
  });
});

describe("a draft's fate", () => {
  const distribution = fc
    .array(fc.integer({ min: 0, max: 20 }), { minLength: 6, maxLength: 6 })
    .filter((weights) => weights.some((weight) => weight > 0))
    .map((weights) => {
      const sum = weights.reduce((total, weight) => total + weight, 0);
      return Float64Array.from(weights, (weight) => weight / sum);
    });

  it("is a branch from the sequence on, and a token that is possible", () => {
    fc.assert(
      fc.property(distribution, distribution, fc.integer(), (one, other, seed) => {
        const rng = seededRng(seed);
        const tokens = Int32Array.from({ length: 6 }, () => drawFrom(other, rng));
        const draft = { tokens, parents: Int32Array.of(-1, 0, 1, -1, 0, 3), proposals: [] };
        const { path, next } = verifyDraft(draft, () => one, rng);
        path.forEach((node, i) => {
          expect(draft.parents[node]).to.equal(path[i - 1] ?? -1);
          expect(one[tokens[node]!]).to.be.above(0);
        });
        expect(one[next]).to.be.above(0);
      }),
    );
  });

  it("is that of the worked answer for a chain, and so is the best length", () => {
    const toy = fc.array(distribution, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(toy, toy, fc.integer(), (wanted, guessed, seed) => {
        const q = guessed.slice(0, 3);
        const rng = seededRng(seed);
        const draft = chainDraft(
          Int32Array.from(q, (row) => drawFrom(row, rng)),
          q,
        );
        const { path, next } = verifyDraft(draft, (node) => wanted[node + 1]!, seededRng(seed + 1));
        const simple = simpleVerify(draft.tokens, q, wanted, seededRng(seed + 1));
        expect({ accepted: path.length, next }).to.deep.equal(simple);
        const [alpha, cost] = [rng(), rng() / 2];
        const stairs = (length: number): number => 1 + Math.ceil(length / 4) / 4;
        expect(fastestLength(alpha, { draft: cost, verify: stairs }, 12)).to.equal(
          optimalGamma(alpha, cost, stairs, 12),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("is the same by distributions and by tokens where nothing is left to chance", () => {
    const token = fc.integer({ min: 0, max: 2 });
    const tree = fc.array(fc.tuple(token, fc.nat()), { maxLength: 12 });
    fc.assert(
      fc.property(tree, fc.array(token, { minLength: 13, maxLength: 13 }), (nodes, wanted) => {
        const tokens = Int32Array.from(nodes, ([id]) => id);
        const draft = {
          tokens,
          parents: Int32Array.from(nodes, ([, pick], i) => (pick % (i + 1)) - 1),
          proposals: [],
        };
        const likeliest = (node: number): number => wanted[node + 1]!;
        const certain = (node: number): Distribution => {
          const distribution = new Float64Array(3);
          distribution[likeliest(node)] = 1;
          return distribution;
        };
        expect(followDraft(draft, likeliest)).to.deep.equal(
          verifyDraft(draft, certain, seededRng(0)),
        );
      }),
      { numRuns: 1000 },
    );
  });

  it("takes one random number for each token that is checked and one for the last", () => {
    fc.assert(
      fc.property(distribution, distribution, fc.integer(), (one, other, seed) => {
        let numDraws = 0;
        const rng = seededRng(seed);
        const draft = chain(0, 3, rng, [other, other, other, other, other, other]);
        const counting: Rng = () => ((numDraws += 1), rng());
        const { path } = verifyDraft(draft, () => one, counting);
        expect(numDraws).to.equal(Math.min(path.length + 1, 3) + 1);
      }),
    );
  });

  it("is full acceptance and a bonus where both models agree", () => {
    const rng = seededRng(1);
    for (let i = 0; i < 200; i++) {
      const draft = chain(0, 4, rng, target);
      const at = (node: number): Distribution => target[draft.tokens[node] ?? 0]!;
      expect(verifyDraft(draft, at, rng).path).to.deep.equal([0, 1, 2, 3]);
    }
  });

  it("is refusal where the models never agree, and asks for nothing behind it", () => {
    const draft = chainDraft(Int32Array.of(1, 1), [Float64Array.of(0, 1), Float64Array.of(0, 1)]);
    const asked: number[] = [];
    const at = (node: number): Distribution => (asked.push(node), Float64Array.of(1, 0));
    expect(verifyDraft(draft, at, seededRng(1))).to.deep.equal({ path: [], next: 0 });
    expect(asked).to.deep.equal([-1]);
  });

  it("is accepted as often as the distributions overlap, and as long as the formula says", () => {
    const rng = seededRng(7);
    const alpha = overlap(p, q);
    expect(alpha).to.be.closeTo(0.2 + 0.3 + 0.2, 1e-12);
    const toy = [p, p, p];
    const lengths = Array.from({ length: numSamples }, () => {
      const draft = chain(0, 4, rng, [q, q, q]);
      return verifyDraft(draft, (node) => toy[draft.tokens[node] ?? 0]!, rng).path.length + 1;
    });
    const mean = lengths.reduce((sum, length) => sum + length, 0) / numSamples;
    const variance = lengths.reduce((sum, length) => sum + (length - mean) ** 2, 0) / numSamples;
    const sigma = Math.sqrt(variance / numSamples);
    expect(Math.abs(mean - expectedTokens(alpha, 4))).to.be.below(3 * sigma);
    const first = lengths.filter((length) => length > 1).length / numSamples;
    expect(first).to.be.closeTo(alpha, 3 * Math.sqrt((alpha * (1 - alpha)) / numSamples));
  });

  it("prefers a tree's further candidates only where they were possible", () => {
    const draft: Draft = {
      tokens: Int32Array.of(0, 1, 2),
      parents: Int32Array.of(-1, -1, 1),
      proposals: [],
    };
    const at = (): Distribution => Float64Array.of(0, 1, 0);
    expect(verifyDraft(draft, at, seededRng(1))).to.deep.equal({ path: [1], next: 1 });
    expect(childrenOf(draft)).to.deep.equal([[0, 1], [], [2], []]);
  });
});

describe("distributions", () => {
  it("what is left after a refusal sums to 1 and lies where the target wants more", () => {
    expect([...residual(p, q)]).to.deep.equal([1, 0, 0]);
    const rest = residual(Float64Array.of(0.5, 0.5, 0), Float64Array.of(0.25, 0, 0.75));
    expect(rest[0]).to.be.closeTo(1 / 3, 1e-15);
    expect(rest[1]).to.be.closeTo(2 / 3, 1e-15);
    expect(residual(p, p)).to.equal(p);
  });

  it("what is left without a token keeps the others' shares", () => {
    const rest = without(p, 0);
    expect(rest[0]).to.equal(0);
    expect(rest[1]! / rest[2]!).to.be.closeTo(1.5, 1e-12);
    const sure = Float64Array.of(0, 1);
    expect(without(sure, 1)).to.equal(sure);
  });

  it("of logits are the sampler's, and at temperature 0 one token", () => {
    const logits = Float32Array.from({ length: 60 }, (_, i) => Math.sin(i * i) * 4);
    const { ids, probabilities } = candidatesOf(logits, defaultSampling);
    const found = distributionOf(logits, defaultSampling);
    expect(found).to.have.lengthOf(60);
    ids.forEach((id, i) => expect(found[id]).to.equal(probabilities[i]));
    expect(found.filter((value) => value > 0)).to.have.lengthOf(ids.length);
    const greedy = distributionOf(logits, { ...defaultSampling, temperature: 0 });
    expect(greedy[ids[0]!]).to.equal(1);
    expect(greedy.filter((value) => value > 0)).to.have.lengthOf(1);
    const options = { ...defaultSampling, temperature: 0, repeatPenalty: 100 };
    expect(distributionOf(logits, options, [ids[0]!])[ids[0]!]).to.equal(0);
  });
});

/** Pearson's statistic of the first three tokens after token 0, written by speculation. */
function statistic(draftAfter: (last: number, rng: Rng) => Draft, verify: Verify): number {
  const rng = seededRng(11);
  const counts = new Array<number>(27).fill(0);
  for (let i = 0; i < numSamples; i++) {
    const text = [0];
    while (text.length < 4) {
      const last = text.at(-1)!;
      const draft = draftAfter(last, rng);
      const at = (node: number): Distribution => target[draft.tokens[node] ?? last]!;
      const { path, next } = verify(draft, at, rng);
      text.push(...path.map((node) => draft.tokens[node]!), next);
    }
    counts[9 * text[1]! + 3 * text[2]! + text[3]!]! += 1;
  }
  const wanted = counts.map((_, cell) => {
    const [a, b, c] = [Math.floor(cell / 9), Math.floor(cell / 3) % 3, cell % 3] as const;
    return target[0]![a]! * target[a]![b]! * target[b]![c]!;
  });
  return chiSquare(counts, wanted);
}

function chain(last: number, length: number, rng: Rng, toy: Toy = guesser): Draft {
  const proposals: Distribution[] = [];
  const tokens = Int32Array.from({ length }, () => {
    const proposal = toy[last]!;
    proposals.push(proposal);
    return (last = drawFrom(proposal, rng));
  });
  return chainDraft(tokens, proposals);
}

/** Draws `widths[0]` candidates without replacement, and after each of them `widths[1]`. */
function tree(last: number, [first, second]: readonly [number, number], rng: Rng): Draft {
  const [tokens, parents]: [number[], number[]] = [[], []];
  const proposals: Distribution[] = [];
  const add = (parent: number, token: number, count: number): void => {
    let left = (proposals[parent + 1] = guesser[token]!);
    for (let i = 0; i < count; i++) {
      const drawn = drawFrom(left, rng);
      tokens.push(drawn);
      parents.push(parent);
      left = without(left, drawn);
    }
  };
  add(-1, last, first);
  for (let node = 0; node < first; node++) add(node, tokens[node]!, second);
  return { tokens: Int32Array.from(tokens), parents: Int32Array.from(parents), proposals };
}

function chosenTree(): Draft {
  const parents = Int32Array.of(-1, -1, 0, 0, 1);
  return { tokens: Int32Array.of(0, 2, 1, 0, 1), parents, proposals: [] };
}

/** As `verifyDraft` for a chain, with what may go wrong there. */
function verifyChain(
  draft: Draft,
  at: (node: number) => Distribution,
  rng: Rng,
  {
    accepts,
    rest,
  }: {
    accepts: (p: number, q: number) => boolean;
    rest: (refused: number) => Distribution;
  },
): Verdict {
  const path: number[] = [];
  for (const [node, token] of draft.tokens.entries()) {
    if (!accepts(at(node - 1)[token]!, draft.proposals[node]![token]!)) {
      return { path, next: drawFrom(rest(node), rng) };
    }
    path.push(node);
  }
  return { path, next: drawFrom(at(draft.tokens.length - 1), rng) };
}

function resampling(draft: Draft, at: (node: number) => Distribution, rng: Rng): Verdict {
  return verifyChain(draft, at, rng, {
    accepts: (wanted, proposed) => rng() < wanted / proposed,
    rest: (node) => at(node - 1),
  });
}

function ignoringProposals(draft: Draft, at: (node: number) => Distribution, rng: Rng): Verdict {
  return verifyChain(draft, at, rng, {
    accepts: (wanted) => rng() < wanted,
    rest: (node) => residual(at(node - 1), draft.proposals[node]!),
  });
}

function takingNextRow(draft: Draft, at: (node: number) => Distribution, rng: Rng): Verdict {
  return verifyChain(draft, at, rng, {
    accepts: (wanted, proposed) => rng() < wanted / proposed,
    rest: (node) => residual(at(node), draft.proposals[node]!),
  });
}

function reusingChance(draft: Draft, at: (node: number) => Distribution, rng: Rng): Verdict {
  let drawn = 0;
  return verifyChain(draft, at, () => drawn, {
    accepts: (wanted, proposed) => (drawn = rng()) < wanted / proposed,
    rest: (node) => residual(at(node - 1), draft.proposals[node]!),
  });
}

/** Every candidate of a node is compared with what the first was drawn from. */
function stubborn(draft: Draft, at: (node: number) => Distribution, rng: Rng): Verdict {
  const children = childrenOf(draft);
  const path: number[] = [];
  for (let node = -1; ; node = path.at(-1)!) {
    const proposal = draft.proposals[node + 1];
    let left = at(node);
    const accepted = children[node + 1]!.find((child) => {
      const token = draft.tokens[child]!;
      if (rng() * proposal![token]! < left[token]!) return true;
      left = residual(left, proposal!);
      return false;
    });
    if (accepted === undefined) return { path, next: drawFrom(left, rng) };
    path.push(accepted);
  }
}
