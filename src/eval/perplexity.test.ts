import { expect } from "chai";
import * as fc from "fast-check";
import { normal, seededRng } from "../core/rng.ts";
import {
  bitsPerByte,
  pairedDifference,
  perplexityOf,
  tokenEstimate,
  windowEstimate,
  type TextLosses,
} from "./perplexity.ts";

function losses(values: readonly number[], windowCounts: readonly number[]): TextLosses {
  return { losses: Float64Array.from(values), windowCounts };
}

describe("perplexity", () => {
  it("has the standard errors worked by hand", () => {
    const text = losses([1, 2, 3, 4], [2, 2]);
    // Squares about the mean 2.5 sum to 5; √(5 / 4 / 3).
    const byToken = tokenEstimate(text.losses);
    expect(byToken.mean).to.equal(2.5);
    expect(byToken.standardError).to.be.closeTo(Math.sqrt(5 / 12), 1e-15);
    // The windows sum to 3 and 7, 2 beside 5 each; √(2 / 1 · 8) / 4.
    expect(windowEstimate(text)).to.deep.equal({ mean: 2.5, standardError: 1 });
    expect(perplexityOf({ mean: Math.log(8), standardError: 0.5 })).to.satisfy(
      (found: { perplexity: number; standardError: number }) =>
        Math.abs(found.perplexity - 8) < 1e-14 && Math.abs(found.standardError - 4) < 1e-14,
    );
  });

  it("has no standard error where there is nothing to take it from", () => {
    expect(tokenEstimate(Float64Array.of(3)).standardError).to.equal(undefined);
    expect(windowEstimate(losses([3, 4], [2])).standardError).to.equal(undefined);
    expect(perplexityOf({ mean: 0, standardError: undefined }).standardError).to.equal(undefined);
  });

  it("takes windows of one token for tokens", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { minLength: 2 }),
        (all) => {
          const text = losses(
            all,
            all.map(() => 1),
          );
          const byToken = tokenEstimate(text.losses);
          const byWindow = windowEstimate(text);
          expect(byWindow.mean).to.equal(byToken.mean);
          expect(byWindow.standardError).to.be.closeTo(byToken.standardError!, 1e-9);
        },
      ),
    );
  });

  it("states the error that repeating the measurement shows, where tokens of a window are alike", () => {
    // Each window has a difficulty of its own: 40 windows of 25 tokens, 400 times.
    const rng = seededRng(5);
    const numWindows = 40;
    const counts = new Array<number>(numWindows).fill(25);
    const runs = Array.from({ length: 400 }, () => {
      const values = counts.flatMap((count) => {
        const difficulty = 3 + normal(rng);
        return Array.from({ length: count }, () => difficulty + normal(rng));
      });
      const text = losses(values, counts);
      return { window: windowEstimate(text), token: tokenEstimate(text.losses) };
    });
    const means = runs.map(({ window }) => window.mean);
    const center = mean(means);
    const spread = Math.sqrt(mean(means.map((value) => (value - center) ** 2)));
    const stated = mean(runs.map(({ window }) => window.standardError!));
    // 400 runs know the spread to 1 / √800 = 3.5 %; three of these.
    expect(stated / spread).to.be.closeTo(1, 0.11);
    // Negative control: as if the tokens were independent, the error would be stated far too small.
    expect(mean(runs.map(({ token }) => token.standardError!)) / spread).to.be.below(0.5);
  });

  it("of two models on one text differs by what both share left out", () => {
    const hard = [1, 5, 2, 8];
    const a = losses(hard, [2, 2]);
    const b = losses(
      hard.map((value) => value + 0.25),
      [2, 2],
    );
    expect(pairedDifference(a, b)).to.deep.equal({ mean: 0.25, standardError: 0 });
    expect(pairedDifference(b, a).mean).to.equal(-0.25);
    expect(windowEstimate(a).standardError).to.equal(1);
  });

  it("refuses what does not belong together", () => {
    expect(() => windowEstimate(losses([1, 2], [1]))).to.throw(/do not have the 2 losses/);
    expect(() => pairedDifference(losses([1, 2], [2]), losses([1, 2], [1, 1]))).to.throw(
      /no pairs/,
    );
    expect(() => tokenEstimate(new Float64Array())).to.throw(/No token was scored/);
    expect(() => bitsPerByte(1, 0)).to.throw(/no byte/);
  });

  it("in bits per byte is the length of a code for the text", () => {
    // 8 tokens at 1/16 each: 32 bits for 16 bytes.
    expect(bitsPerByte(8 * Math.log(16), 16)).to.be.closeTo(2, 1e-15);
  });
});

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
