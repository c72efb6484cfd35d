import { expect } from "chai";
import fc from "fast-check";
import { InputError } from "../core/errors.ts";
import { evaluationShards, WindowSampler } from "./windows.ts";

const contextLength = 4;

/** Tokens that are their own places. */
function places(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}

function windowsOf(sampler: WindowSampler, first: number, count: number): number[][] {
  return sampler.shards(first, 1, 1).length === 1
    ? Array.from({ length: count }, (_, i) => [...sampler.shards(first + i, 1, 1)[0]!])
    : [];
}

describe("training windows", () => {
  it("are consecutive tokens, each place a target at most once an epoch", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 200 }),
        fc.nat(1000),
        fc.nat(3),
        (length, seed, epoch) => {
          const sampler = new WindowSampler(places(length), contextLength, length, seed);
          const { windowsPerEpoch } = sampler;
          const windows = windowsOf(sampler, epoch * windowsPerEpoch, windowsPerEpoch);
          for (const window of windows) {
            expect(window).to.deep.equal(window.map((_, i) => window[0]! + i));
          }
          const targets = windows.flatMap((window) => window.slice(1));
          expect(new Set(targets).size).to.equal(windowsPerEpoch * contextLength);
          // No more than two windows' worth of a text is left out.
          expect(length - targets.length).to.be.below(2 * contextLength + 1);
        },
      ),
    );
  });

  it("follow from seed and step alone, in shards of any size", () => {
    const make = (seed: number): WindowSampler =>
      new WindowSampler(places(400), contextLength, 400, seed);
    const sampler = make(1);
    const all = Array.from({ length: 60 }, (_, step) => sampler.shards(step, 6, 2));
    for (const step of [59, 0, 31]) {
      expect(make(1).shards(step, 6, 2)).to.deep.equal(all[step]);
      const whole = make(1).shards(step, 6, 6)[0]!;
      expect([...whole]).to.deep.equal(all[step]!.flatMap((shard) => [...shard]));
    }
    expect(make(2).shards(0, 6, 2)).to.not.deep.equal(all[0]);
  });

  it("come in another order in the next epoch", () => {
    const sampler = new WindowSampler(places(400), contextLength, 400, 1);
    const { windowsPerEpoch } = sampler;
    expect(windowsOf(sampler, 0, windowsPerEpoch)).to.not.deep.equal(
      windowsOf(sampler, windowsPerEpoch, windowsPerEpoch),
    );
  });

  it("need two windows of text, and tokens of the vocabulary", () => {
    expect(() => new WindowSampler(places(7), contextLength, 7, 0)).to.throw(
      InputError,
      "The text has 7 tokens, and training on windows of 4 needs 8 or more.",
    );
    expect(() => new WindowSampler(places(8), contextLength, 7, 0)).to.throw(
      InputError,
      "7 is no token",
    );
    expect(() => evaluationShards(Int32Array.of(0, -1), 1, 7, 1)).to.throw(InputError, "-1 is no");
  });

  it("for evaluation are the first of the text", () => {
    expect(
      evaluationShards(places(14), contextLength, 14, 2).map((shard) => [...shard]),
    ).to.deep.equal([
      [0, 1, 2, 3, 4],
      [4, 5, 6, 7, 8],
    ]);
    expect(evaluationShards(places(14), contextLength, 14, 9)).to.have.lengthOf(3);
    expect(evaluationShards(places(4), contextLength, 14, 9)).to.have.lengthOf(0);
  });
});
