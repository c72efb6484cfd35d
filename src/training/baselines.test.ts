import { expect } from "chai";
import { randomInt, seededRng } from "../core/rng.ts";
import { baselinesOf } from "./baselines.ts";

const rng = seededRng(4);

describe("baselines of a text", () => {
  it("are those of its source: pairs whose second token follows from the first", () => {
    const text = Int32Array.from({ length: 100_000 }, () => 0);
    for (let i = 0; i < text.length; i += 2) {
      text[i] = randomInt(rng, 8);
      text[i + 1] = 8 + text[i]!;
    }
    const { uniform, unigram, bigram } = baselinesOf(
      text.subarray(0, 90_000),
      text.subarray(90_000),
      32,
    );
    expect(uniform).to.equal(Math.log(32));
    expect(unigram).to.be.closeTo(Math.log(16), 0.01);
    expect(bigram).to.be.closeTo(Math.log(8) / 2, 0.01);
  });

  it("are probabilities that add up to 1, also for what was never seen", () => {
    const train = Int32Array.from({ length: 40 }, () => randomInt(rng, 5));
    const vocabSize = 7;
    for (let before = 0; before < vocabSize; before++) {
      let [unigrams, bigrams] = [0, 0];
      for (let token = 0; token < vocabSize; token++) {
        const { unigram, bigram } = baselinesOf(train, Int32Array.of(before, token), vocabSize);
        unigrams += Math.exp(-unigram);
        bigrams += Math.exp(-bigram);
      }
      expect(unigrams).to.be.closeTo(1, 1e-12);
      expect(bigrams).to.be.closeTo(1, 1e-12);
    }
  });
});
