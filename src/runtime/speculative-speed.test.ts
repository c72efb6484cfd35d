import { expect } from "chai";
import { seededRng } from "../core/rng.ts";
import {
  acceptanceRate,
  expectedSpeedup,
  expectedTokens,
  fastestLength,
  overlap,
} from "./speculative-speed.ts";

describe("the formulas of speculation", () => {
  it("expect as many tokens as trials give", () => {
    const rng = seededRng(1);
    for (const [acceptance, length] of [
      [0.8, 4],
      [0.3, 6],
      [0.95, 2],
    ] as const) {
      const trials = 40_000;
      let sum = 0;
      for (let i = 0; i < trials; i++) {
        let accepted = 0;
        while (accepted < length && rng() < acceptance) accepted += 1;
        sum += accepted + 1;
      }
      // The standard deviation is below (length + 1) / 2.
      const sigma = (length + 1) / 2 / Math.sqrt(trials);
      expect(sum / trials).to.be.closeTo(expectedTokens(acceptance, length), 3 * sigma);
    }
  });

  it("know their ends: nothing accepted, all accepted, nothing guessed", () => {
    expect(expectedTokens(0, 5)).to.equal(1);
    expect(expectedTokens(1, 5)).to.equal(6);
    expect(expectedTokens(0.7, 0)).to.equal(1);
    expect(expectedSpeedup(0.7, 0, { draft: 0.1, verify: () => 1 })).to.equal(1);
  });

  /** Worked out apart from this code, for passes that cost the same whatever their length. */
  const free: readonly (readonly [number, number, number, number])[] = [
    [0.8, 0.05, 8, 3.09],
    [0.8, 0.1, 6, 2.47],
    [0.8, 0.2, 4, 1.87],
    [0.8, 0.4, 2, 1.36],
    [0.6, 0.1, 3, 1.67],
    [0.5, 0.4, 1, 1.07],
  ];
  for (const [acceptance, draft, length, speedup] of free) {
    it(`find ${length} guesses best at acceptance ${acceptance} and cost ${draft}`, () => {
      const costs = { draft, verify: () => 1 };
      expect(fastestLength(acceptance, costs, 20)).to.equal(length);
      expect(expectedSpeedup(acceptance, length, costs)).to.be.closeTo(speedup, 0.005);
    });
  }

  it("advise against guessing where checking costs as much as writing", () => {
    const costs = { draft: 0.1, verify: (length: number) => 1 + length };
    expect(fastestLength(0.9, costs, 20)).to.equal(0);
    expect(fastestLength(0.1, { draft: 0.4, verify: () => 1 }, 20)).to.equal(0);
  });

  it("count only what was checked", () => {
    expect(acceptanceRate(3, 1)).to.equal(0.75);
    expect(acceptanceRate(0, 0)).to.equal(null);
    expect(overlap(Float64Array.of(0.5, 0.5, 0), Float64Array.of(0.25, 0, 0.75))).to.equal(0.25);
  });
});
