import { expect } from "chai";
import * as fc from "fast-check";
import { Divergence, likeliest } from "./divergence.ts";

const logitsOf = (...probabilities: number[]): Float32Array =>
  Float32Array.from(probabilities, Math.log);

const pair = fc.integer({ min: 1, max: 30 }).chain((size) => {
  const row = fc
    .array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: size, maxLength: size })
    .map((values) => Float32Array.from(values));
  return fc.tuple(row, row, fc.integer({ min: 0, max: size - 1 }));
});

describe("divergence", () => {
  it("is what hand and definition give", () => {
    const divergence = new Divergence();
    divergence.add(logitsOf(0.5, 0.5), logitsOf(0.25, 0.75), 0);
    divergence.add(logitsOf(0.8, 0.2), logitsOf(0.6, 0.4), 0);
    const { kl, top1, rmsDeltaP, numPositions } = divergence.figures();
    const first = 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3);
    const second = 0.8 * Math.log(0.8 / 0.6) + 0.2 * Math.log(0.2 / 0.4);
    expect(kl).to.be.closeTo((first + second) / 2, 1e-7);
    // Equal logits: the first counts as the likeliest; 0.5, 0.5 says 0 and 0.25, 0.75 says 1.
    expect([top1, numPositions]).to.deep.equal([0.5, 2]);
    expect(rmsDeltaP).to.be.closeTo(Math.sqrt((0.25 ** 2 + 0.2 ** 2) / 2), 1e-7);
  });

  it("from a model to itself is exactly 0", () => {
    fc.assert(
      fc.property(pair, ([logits, , target]) => {
        const divergence = new Divergence();
        divergence.add(logits, logits, target);
        const { kl, top1, rmsDeltaP } = divergence.figures();
        expect([kl, top1, rmsDeltaP]).to.deep.equal([0, 1, 0]);
      }),
    );
  });

  it("is never negative, and is not changed by what all logits have in common", () => {
    fc.assert(
      fc.property(pair, ([p, q, target]) => {
        const [plain, shifted] = [new Divergence(), new Divergence()];
        plain.add(p, q, target);
        shifted.add(
          p.map((logit) => logit + 64),
          q.map((logit) => logit - 64),
          target,
        );
        expect(plain.figures().kl).to.be.at.least(0);
        // Logits up to 94 in float32 are off by 2⁻¹⁸.
        const { kl } = plain.figures();
        expect(shifted.figures().kl).to.be.closeTo(kl, 1e-4 * (1 + kl));
      }),
    );
  });

  it("does not mind tokens that have no probability", () => {
    const divergence = new Divergence();
    divergence.add(Float32Array.of(0, -Infinity), Float32Array.of(0, 0), 0);
    expect(divergence.figures().kl).to.be.closeTo(Math.log(2), 1e-12);
    divergence.add(Float32Array.of(0, 0), Float32Array.of(0, -Infinity), 0);
    expect(divergence.figures().kl).to.equal(Infinity);
  });

  it("refuses vocabularies of different size, and nothing at all", () => {
    const divergence = new Divergence();
    expect(() => divergence.figures()).to.throw(/No position/);
    expect(() => {
      divergence.add(new Float32Array(3), new Float32Array(4), 0);
    }).to.throw(/over 3 and over 4 tokens/);
  });

  it("takes the first of equally likely tokens", () => {
    expect(likeliest(Float32Array.of(1, 3, 3, 2))).to.equal(1);
  });
});
