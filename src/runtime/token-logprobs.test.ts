import { expect } from "chai";
import fc from "fast-check";
import { InputError } from "../core/errors.ts";
import { chosenLogprob, topLogprobs } from "./token-logprobs.ts";

describe("log-probabilities of tokens", () => {
  const logits = fc
    .array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 40 })
    .map((values) => Float32Array.from(values));

  it("are those of a softmax, the largest in order", () => {
    fc.assert(
      fc.property(logits, fc.nat(6), (row, count) => {
        const powers = Array.from(row, Math.exp);
        const sum = powers.reduce((total, power) => total + power, 0);
        const wanted = powers
          .map((power, id) => ({ id, logprob: Math.log(power / sum) }))
          .sort((a, b) => row[b.id]! - row[a.id]! || a.id - b.id)
          .slice(0, count);
        const found = topLogprobs(row, count);
        expect(found.map(({ id }) => id)).to.deep.equal(wanted.map(({ id }) => id));
        found.forEach(({ logprob }, i) => {
          expect(logprob).to.be.closeTo(wanted[i]!.logprob, 1e-9);
        });
      }),
    );
  });

  it("stand for a token that is not among them, and survive what e^x does not", () => {
    const chosen = chosenLogprob(Float32Array.of(1000, 990, -Infinity), 1, 1);
    expect(chosen.top).to.have.lengthOf(1);
    expect(chosen.logprob).to.be.closeTo(-10 - Math.log1p(Math.exp(-10)), 1e-9);
    expect(chosenLogprob(Float32Array.of(0, -Infinity), 1, 0).logprob).to.equal(-Infinity);
  });

  it("are refused where a logit is no number", () => {
    for (const wrong of [NaN, Infinity]) {
      expect(() => topLogprobs(Float32Array.of(1, wrong), 1)).to.throw(InputError, /not finite/);
    }
  });
});
