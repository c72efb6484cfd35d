import { expect } from "chai";
import fc from "fast-check";
import { InputError, UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import {
  candidatesOf,
  checkSampling,
  defaultSampling,
  draw,
  likeliest,
  penalizeRepeats,
  sampleToken,
  type SamplingOptions,
} from "./sampler.ts";

/** Everything may come, as the model says. */
const open: SamplingOptions = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repeatPenalty: 1,
  repeatWindow: 64,
};

/** What has to come out, from the definitions, one filter after the other. */
function expected(logits: readonly number[], options: SamplingOptions): Map<number, number> {
  let kept = logits.map((logit, id) => ({ id, logit }));
  const probabilities = (temperature: number): number[] => {
    const weights = kept.map(({ logit }) => Math.exp(logit / temperature));
    const total = weights.reduce((all, weight) => all + weight, 0);
    return weights.map((weight) => weight / total);
  };
  kept.sort((a, b) => b.logit - a.logit || a.id - b.id);
  if (options.topK > 0) kept = kept.slice(0, options.topK);
  const before = probabilities(1);
  const massBefore = (i: number): number => before.slice(0, i).reduce((all, p) => all + p, 0);
  kept = kept.filter(
    (_, i) =>
      (i === 0 || options.topP === 1 || massBefore(i) < options.topP) &&
      before[i]! >= options.minP * before[0]!,
  );
  return new Map(probabilities(options.temperature).map((p, i) => [kept[i]!.id, p]));
}

describe("the sampler", () => {
  /** Logits in eighths, so that equal ones occur. */
  const someLogits = fc.array(
    fc.oneof(
      fc.integer({ min: -40, max: 40 }).map((eighths) => eighths / 8),
      fc.constantFrom(-0, 1e-45, -1e-45),
    ),
    { minLength: 1, maxLength: 40 },
  );
  const someOptions: fc.Arbitrary<SamplingOptions> = fc.record({
    temperature: fc.constantFrom(0.3, 1, 1.7),
    topK: fc.constantFrom(0, 1, 3, 10, 1000),
    topP: fc.constantFrom(1, 0.95, 0.5, 1e-9),
    minP: fc.constantFrom(0, 0.05, 0.4, 1),
    repeatPenalty: fc.constant(1),
    repeatWindow: fc.constant(0),
  });

  it("keeps the tokens, with the probabilities, that the definitions say", () => {
    fc.assert(
      fc.property(someLogits, someOptions, (logits, options) => {
        const { ids, probabilities } = candidatesOf(Float32Array.from(logits), options);
        const wanted = expected(logits, options);
        expect([...ids]).to.deep.equal([...wanted.keys()]);
        for (const [i, id] of ids.entries()) {
          expect(probabilities[i]).to.be.closeTo(wanted.get(id)!, 1e-12);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("takes the likeliest token at temperature 0, of equal ones the first", () => {
    expect(sampleToken(Float32Array.of(1, 3, 3, 2), { ...open, temperature: 0 }, fail)).to.equal(1);
    expect(sampleToken(Float32Array.of(-Infinity, -9), { ...open, temperature: 0 }, fail)).to.equal(
      1,
    );
  });

  it("never chooses a token that is impossible", () => {
    const logits = Float32Array.of(-Infinity, 0, -Infinity, 0);
    const { ids, probabilities } = candidatesOf(logits, open);
    expect([...ids].slice(0, 2)).to.deep.equal([1, 3]);
    expect([...probabilities]).to.deep.equal([0.5, 0.5, 0, 0]);
    const rng = seededRng(1);
    const drawn = Array.from({ length: 200 }, () => draw({ ids, probabilities }, rng));
    expect(new Set(drawn)).to.deep.equal(new Set([1, 3]));
  });

  it("makes recent tokens less likely, each of them once", () => {
    const logits = Float32Array.of(4, -1, 2, 0.5);
    const options = { repeatPenalty: 2, repeatWindow: 3 };
    expect([...penalizeRepeats(logits, [3, 0, 1, 0], options)]).to.deep.equal([2, -2, 2, 0.5]);
    expect([...logits]).to.deep.equal([4, -1, 2, 0.5]);
    const greedy = { ...open, temperature: 0, ...options, repeatPenalty: 10 };
    expect(sampleToken(logits, greedy, fail, [0])).to.equal(2);
    expect(sampleToken(logits, { ...greedy, repeatWindow: 0 }, fail, [0])).to.equal(0);
  });

  it("draws the same tokens for the same seed", () => {
    const logits = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i));
    const tokens = (seed: number): number[] => {
      const rng = seededRng(seed);
      return Array.from({ length: 30 }, () => sampleToken(logits, open, rng));
    };
    expect(tokens(3)).to.deep.equal(tokens(3));
    expect(tokens(3)).not.to.deep.equal(tokens(4));
  });

  describe("draws each token as often as its probability says", () => {
    const logits = Float32Array.of(2, 1, 0, -1, 1.5, -3, 0.5, 0);
    const numDraws = 40_000;
    /** Chi-square with 7 degrees of freedom exceeds this once in a thousand times. */
    const limit = 24.32;

    /** Pearson's statistic of draws at `drawn` against the probabilities at `claimed`. */
    const statistic = (drawn: number, claimed: number): number => {
      const rng = seededRng(2);
      const counts = new Array<number>(logits.length).fill(0);
      for (let i = 0; i < numDraws; i++) {
        counts[sampleToken(logits, { ...open, temperature: drawn }, rng)]! += 1;
      }
      return [...expected([...logits], { ...open, temperature: claimed })].reduce(
        (total, [id, p]) => total + (counts[id]! - numDraws * p) ** 2 / (numDraws * p),
        0,
      );
    };

    for (const temperature of [0.7, 1, 1.5]) {
      it(`at temperature ${temperature}`, () => {
        expect(statistic(temperature, temperature)).to.be.below(limit);
      });
    }

    it("and the test tells a temperature of 1 from one of 1.05", () => {
      expect(statistic(1.05, 1)).to.be.above(limit);
    });
  });

  it("takes the last candidate where rounding leaves nothing of the sum", () => {
    const candidates = {
      ids: Int32Array.of(5, 6),
      probabilities: Float64Array.of(0.5, 0.49),
    };
    expect(draw(candidates, () => 0.999)).to.equal(6);
  });

  it("refuses logits of damaged weights", () => {
    for (const logits of [[1, NaN], [NaN, 1], [Infinity, 1], [-Infinity, -Infinity], []]) {
      for (const temperature of [0, 1]) {
        expect(
          () => sampleToken(Float32Array.from(logits), { ...open, temperature }, fail),
          logits.join(),
        ).to.throw(InputError, /weights are damaged/);
      }
    }
    expect(likeliest(Float32Array.of(-1))).to.equal(0);
  });

  it("refuses options out of their range, by name", () => {
    const wrong: readonly (readonly [Partial<SamplingOptions>, RegExp])[] = [
      [{ temperature: -1 }, /temperature is -1/],
      [{ temperature: NaN }, /temperature is NaN/],
      [{ topK: 1.5 }, /top-k is 1\.5/],
      [{ topP: 0 }, /top-p is 0/],
      [{ topP: 1.1 }, /top-p is 1\.1/],
      [{ minP: -0.1 }, /min-p is -0\.1/],
      [{ repeatPenalty: 0 }, /repeat penalty is 0/],
      [{ repeatWindow: -1 }, /repeat window is -1/],
    ];
    for (const [options, message] of wrong) {
      expect(() => {
        checkSampling({ ...defaultSampling, ...options });
      }).to.throw(UsageError, message);
    }
    checkSampling(defaultSampling);
    checkSampling(open);
  });
});

function fail(): never {
  throw new Error("A random number was asked for.");
}
