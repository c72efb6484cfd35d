import { expect } from "chai";
import { kvBytesPerToken, llamaModels, storedModelNamed } from "./llama-sizes.ts";

describe("sizes of published Llamas", () => {
  it("have the published numbers of weights", () => {
    const numWeights = Object.keys(llamaModels).map((name) => storedModelNamed(name).numWeights);
    expect(numWeights).to.deep.equal([
      6_738_415_616, 13_015_864_320, 68_976_648_192, 8_030_261_248, 70_553_706_496,
    ]);
  });

  it("have a token's keys and values of real bytes: shared heads, and both of them", () => {
    const kib = Object.values(llamaModels).map((sizes) => kvBytesPerToken(sizes) / 1024);
    expect(kib).to.deep.equal([512, 800, 320, 128, 320]);
    const { sizes } = storedModelNamed("llama-3-8b-q4");
    expect(kvBytesPerToken(sizes, "Q8_0") / kvBytesPerToken(sizes)).to.equal(34 / 64);
  });

  it("leave nothing of 16 GB in f16, and about 77 thousand tokens in 4 bits", () => {
    const { sizes, weightBytes } = storedModelNamed("llama-3-8b");
    expect(weightBytes).to.be.greaterThan(16e9);
    const small = storedModelNamed("Llama-3-8B-q4");
    // llama.cpp's own file of this model is 4.92 GB, with a tokenizer of some megabytes.
    expect(small.weightBytes).to.be.within(4.9e9, 4.92e9);
    expect(Math.floor((15e9 - small.weightBytes) / kvBytesPerToken(sizes))).to.equal(76_958);
    expect(storedModelNamed("llama-3-8b-q4_k_m").weightBytes).to.equal(small.weightBytes);
  });

  it("say what there is where a name is not known", () => {
    expect(() => storedModelNamed("gpt-2")).to.throw("llama-3-8b");
    expect(() => storedModelNamed("llama-3-8b-q99")).to.throw("q99");
  });
});
