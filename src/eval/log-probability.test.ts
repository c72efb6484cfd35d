import { expect } from "chai";
import * as fc from "fast-check";
import { logProbability, logSoftmax, logSumExp } from "./log-probability.ts";

const someLogits = fc
  .array(fc.float({ min: -80, max: 80, noNaN: true }), { minLength: 1, maxLength: 40 })
  .map((values) => Float32Array.from(values));

describe("log-probabilities", () => {
  it("are those of the definition, worked by hand", () => {
    // e^ln1 + e^ln2 + e^ln5 = 8.
    const logits = Float32Array.of(0, Math.log(2), Math.log(5));
    expect(logSumExp(logits)).to.be.closeTo(Math.log(8), 1e-7);
    expect(logProbability(logits, 2)).to.be.closeTo(Math.log(5 / 8), 1e-7);
    expect([...logSoftmax(logits)].map(Math.exp)).to.satisfy((found: number[]) =>
      [1 / 8, 2 / 8, 5 / 8].every((value, i) => Math.abs(found[i]! - value) < 1e-7),
    );
  });

  it("sum to 1 and do not change when a number is added to all logits", () => {
    fc.assert(
      fc.property(someLogits, fc.integer({ min: -1000, max: 1000 }), (logits, shift) => {
        const total = logSoftmax(logits).reduce((sum, value) => sum + Math.exp(value), 0);
        expect(total).to.be.closeTo(1, 1e-12);
        // The shifted logits are rounded to float32.
        const error = 2 ** -23 * (Math.abs(shift) + 80);
        const shifted = logits.map((logit) => logit + shift);
        expect(logProbability(shifted, 0)).to.be.closeTo(logProbability(logits, 0), 2 * error);
      }),
    );
  });

  it("survive logits whose powers of e overflow", () => {
    const logits = Float32Array.of(3e4, 3e4 - 1, -3e38);
    expect(logProbability(logits, 0)).to.be.closeTo(-Math.log(1 + Math.exp(-1)), 1e-12);
    expect(logProbability(logits, 2)).to.be.below(-1e38);
  });

  it("are no numbers where a logit is none, and −∞ where all are", () => {
    expect(logProbability(Float32Array.of(1, NaN), 0)).to.be.NaN;
    expect(logSumExp(Float32Array.of(-Infinity, -Infinity))).to.equal(-Infinity);
  });
});
