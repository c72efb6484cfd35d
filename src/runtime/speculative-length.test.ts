import { expect } from "chai";
import { seededRng } from "../core/rng.ts";
import { AdaptiveLength, fixedLength } from "./speculative-length.ts";
import { expectedSpeedup, fastestLength, type SpeculationCosts } from "./speculative-speed.ts";

/** A machine on which a plain pass takes a millisecond, and guesses that are accepted by chance. */
interface World extends SpeculationCosts {
  readonly acceptance: number;
  /** A factor on every time. */
  readonly noise?: () => number;
}

/** Writes `numTokens` with lengths as the policy says; returns milliseconds and the last lengths. */
function write(
  policy: AdaptiveLength,
  worldAt: (token: number) => World,
  numTokens: number,
  seed = 1,
): { readonly ms: number; readonly lengths: readonly number[] } {
  const rng = seededRng(seed);
  const lengths: number[] = [];
  let [ms, written] = [0, 0];
  while (written < numTokens) {
    const { acceptance, draft, verify, noise = () => 1 } = worldAt(written);
    const length = policy.next();
    let numAccepted = 0;
    while (numAccepted < length && rng() < acceptance) numAccepted += 1;
    const times = { draftMs: draft * length * noise(), verifyMs: verify(length) * noise() };
    const numTokens = numAccepted + 1;
    policy.record({ length, numAccepted, wasRefused: numAccepted < length, numTokens, ...times });
    ms += times.draftMs + times.verifyMs;
    written += numTokens;
    lengths.push(length);
  }
  return { ms, lengths };
}

const flat = (): number => 1;
const steep = (length: number): number => 1 + 0.9 * length;
/** As our kernels: rows go through in fours. */
const stairs = (length: number): number =>
  length === 0 ? 1 : 1 + 0.6 * Math.ceil((length + 1) / 4);

describe("the adaptive draft length", () => {
  const worlds: readonly (readonly [string, World])[] = [
    ["good guesses, free checks", { acceptance: 0.9, draft: 0.05, verify: flat }],
    ["fair guesses", { acceptance: 0.6, draft: 0.1, verify: flat }],
    ["checks in steps", { acceptance: 0.85, draft: 0.15, verify: stairs }],
    ["poor guesses", { acceptance: 0.2, draft: 0.3, verify: stairs }],
    ["checks that cost as much as writing", { acceptance: 0.9, draft: 0.2, verify: steep }],
    ["guesses that are never right", { acceptance: 0, draft: 0.5, verify: steep }],
  ];
  for (const [what, world] of worlds) {
    it(`is at least 0.95 of plain, and near the best there is, with ${what}`, () => {
      const best = fastestLength(world.acceptance, world, 8);
      const bestSpeedup = expectedSpeedup(world.acceptance, best, world);
      for (let seed = 1; seed <= 30; seed++) {
        const { ms } = write(new AdaptiveLength(), () => world, 512, seed);
        const speedup = 512 / ms;
        expect(speedup).to.be.at.least(0.95);
        expect(speedup).to.be.at.least(0.8 * bestSpeedup);
      }
    });
  }

  it("is at least 0.93 of plain over a short text of the worst kind", () => {
    const world = { acceptance: 0, draft: 0.5, verify: steep };
    expect(128 / write(new AdaptiveLength(), () => world, 128).ms).to.be.at.least(0.93);
  });

  it("bears times that vary by a half", () => {
    const rng = seededRng(3);
    const world = { acceptance: 0.2, draft: 0.3, verify: stairs, noise: () => 0.75 + rng() / 2 };
    expect(1024 / write(new AdaptiveLength(), () => world, 1024).ms).to.be.at.least(0.93);
  });

  it("finds out when guesses become good, and when they are no longer", () => {
    const good = { acceptance: 0.95, draft: 0.1, verify: flat };
    const bad = { acceptance: 0.05, draft: 0.1, verify: stairs };
    const later = write(new AdaptiveLength(), (token) => (token < 300 ? bad : good), 1500);
    expect(later.lengths.slice(-20).filter((length) => length >= 5).length).to.be.above(15);
    const former = write(new AdaptiveLength(), (token) => (token < 300 ? good : bad), 1500);
    expect(former.lengths.slice(-100).filter((length) => length === 0).length).to.be.above(90);
  });

  it("tries again with every text, and loses little on each", () => {
    const good = { acceptance: 0.85, draft: 0.15, verify: stairs };
    const bad = { ...good, acceptance: 0 };
    let numFast = 0;
    for (let seed = 1; seed <= 50; seed++) {
      const policy = new AdaptiveLength();
      policy.begin();
      write(policy, () => bad, 128, seed);
      policy.begin();
      numFast += Number(128 / write(policy, () => good, 128, seed + 50).ms > 1.2);
      policy.begin();
      expect(128 / write(policy, () => bad, 128, seed + 100).ms).to.be.at.least(0.9);
    }
    expect(numFast).to.be.above(25);
  });

  it("never guesses more than it may, and begins with plain passes", () => {
    const world = { acceptance: 1, draft: 0, verify: flat };
    const { lengths } = write(new AdaptiveLength({ most: 5 }), () => world, 300);
    expect(lengths.slice(0, 3)).to.deep.equal([0, 0, 0]);
    expect(Math.max(...lengths)).to.equal(5);
    expect(fixedLength(4).next()).to.equal(4);
  });
});
