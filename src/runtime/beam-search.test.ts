import { expect } from "chai";
import { seededRng } from "../core/rng.ts";
import { BeamSearch, type Beam, type BeamSearchOptions } from "./beam-search.ts";

const end = 0;
const vocabSize = 4;

/** Log-probabilities after every text, seeded by the text. */
function logitsAfter(ids: readonly number[]): Float32Array {
  const rng = seededRng(ids.reduce((hash, id) => hash * 5 + id + 1, 7));
  const weights = Array.from({ length: vocabSize }, () => rng() + 0.02);
  const sum = weights.reduce((a, b) => a + b);
  return Float32Array.from(weights, (weight) => Math.log(weight / sum));
}

function search(options: Partial<BeamSearchOptions>): BeamSearch {
  const beams = new BeamSearch({
    ...{ width: 3, lengthPenalty: 1, maxTokens: 5, endOfGeneration: new Set([end]) },
    ...options,
  });
  let live: readonly Beam[] = [{ ids: [], logprob: 0 }];
  while (live.length > 0) {
    live = beams.advance(
      live,
      live.map(({ ids }) => logitsAfter(ids)),
    );
  }
  return beams;
}

/** Every text there is, ended or as long as may be, with its score. */
function allTexts(maxTokens: number, lengthPenalty: number): { ids: number[]; score: number }[] {
  const done: { ids: number[]; score: number }[] = [];
  const grow = (ids: number[], logprob: number): void => {
    logitsAfter(ids).forEach((added, id) => {
      const sum = logprob + added;
      const length = ids.length + 1;
      const score = sum / length ** lengthPenalty;
      if (id === end) done.push({ ids, score });
      else if (length === maxTokens) done.push({ ids: [...ids, id], score });
      else grow([...ids, id], sum);
    });
  };
  grow([], 0);
  return done.sort((a, b) => b.score - a.score);
}

describe("beam search", () => {
  it("finds the best of all texts where it is wide enough to lose none", () => {
    for (const lengthPenalty of [0, 1]) {
      // Without division a longer text is never better, and the end may come early.
      const found = search({ width: 400, maxTokens: 4, lengthPenalty }).finished;
      const wanted = allTexts(4, lengthPenalty);
      expect(found.slice(0, 20).map(({ ids }) => ids)).to.deep.equal(
        wanted.slice(0, 20).map(({ ids }) => ids),
      );
      found.slice(0, 20).forEach(({ score }, i) => {
        expect(score).to.be.closeTo(wanted[i]!.score, 1e-6);
      });
    }
  });

  it("keeps the likeliest continuations, whoever their parents are", () => {
    const beams = new BeamSearch({
      ...{ width: 2, lengthPenalty: 1, maxTokens: 9, endOfGeneration: new Set([end]) },
    });
    const rows = [
      [0.1, 0.2, 0.3, 0.4],
      [0.1, 0.1, 0.1, 0.7],
    ].map((row) => Float32Array.from(row, Math.log));
    const live = [
      { ids: [1], logprob: Math.log(0.5) },
      { ids: [2], logprob: Math.log(0.1) },
    ];
    const next = beams.advance(live, rows);
    expect(next.map(({ parent, ids }) => [parent, ids])).to.deep.equal([
      [0, [1, 3]],
      [0, [1, 2]],
    ]);
    expect(beams.finished).to.deep.equal([]);
  });

  it("ends when nothing that lives is better than what has ended", () => {
    const beams = new BeamSearch({
      ...{ width: 1, lengthPenalty: 0, maxTokens: 9, endOfGeneration: new Set([end]) },
    });
    const row = Float32Array.from([0.6, 0.2, 0.1, 0.1], Math.log);
    expect(beams.advance([{ ids: [3], logprob: 0 }], [row])).to.deep.equal([]);
    expect(beams.finished).to.have.lengthOf(1);
    expect(beams.finished[0]).to.deep.include({ ids: [3], reason: "stop" });
  });
});
