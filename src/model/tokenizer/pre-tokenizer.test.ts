import { expect } from "chai";
import fc from "fast-check";
import { InputError } from "../../core/errors.ts";
import { golden } from "./fixtures/golden.ts";
import { preTokenizerNamed, preTokenizerNames } from "./pre-tokenizer.ts";

const codePoints = (words: readonly string[]): number[] =>
  words.map((word) => Array.from(word).length);

/** A million characters take some 0.1 s; what is quadratic in them takes an hour. */
const patienceMs = 10_000;

describe("pre-tokenizers", () => {
  for (const [name, lengths] of Object.entries(golden.words)) {
    it(`${name} cuts ${golden.texts.length} texts as Hugging Face's tokenizers does`, () => {
      const { split } = preTokenizerNamed(name);
      const cut = golden.texts.map((text) => codePoints(split(text)));
      expect(cut).to.deep.equal(lengths);
    });
  }

  for (const name of preTokenizerNames) {
    it(`${name}: the words are not empty, and together they are the text`, () => {
      const { split } = preTokenizerNamed(name);
      const text = fc.array(
        fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...golden.texts)),
      );
      fc.assert(
        fc.property(text, (parts) => {
          const words = split(parts.join(""));
          expect(words.join("")).to.equal(parts.join(""));
          expect(words).to.not.include("");
        }),
        { numRuns: 50 },
      );
    });
  }

  it("names of one family cut alike", () => {
    const families = [
      ["gpt-2", "mpt", "olmo"],
      ["llama-bpe", "llama3", "dbrx", "smaug-bpe"],
      ["qwen2", "deepseek-r1-qwen", "stablelm2"],
      ["smollm", "starcoder", "refact", "command-r"],
    ];
    for (const [first, ...others] of families) {
      for (const name of others) {
        const cut = golden.texts.map((text) => preTokenizerNamed(name).split(text));
        const expected = golden.texts.map((text) => preTokenizerNamed(first!).split(text));
        expect(cut, name).to.deep.equal(expected);
      }
    }
  });

  it("only Llama 3 and its relatives begin texts and ignore merges by themselves", () => {
    const bold = preTokenizerNames.filter((name) => preTokenizerNamed(name).addsBos);
    expect(bold).to.include.members(["llama-bpe", "llama3"]);
    expect(bold).to.not.include.members(["dbrx", "qwen2", "smollm"]);
    expect(preTokenizerNames.filter((name) => preTokenizerNamed(name).ignoresMerges)).to.deep.equal(
      bold,
    );
  });

  it("wide spaces are seen as any other space, also where a script's range holds them", () => {
    // llama.cpp reads every space outside ASCII as a vertical tab.
    for (const name of ["deepseek-coder", "deepseek-llm", "deepseek-v3", "gpt-2", "llama-bpe"]) {
      const { split } = preTokenizerNamed(name);
      const cut = (space: string): number[][] =>
        golden.texts.map((text) => codePoints(split(text.replaceAll(" ", space))));
      expect(cut("\u3000"), name).to.deep.equal(cut("\v"));
      expect(cut("\u2003"), name).to.deep.equal(cut("\v"));
    }
  });

  it("an unknown name is refused, with the nearest known ones", () => {
    expect(() => preTokenizerNamed("llama-bpe2")).to.throw(
      InputError,
      '"llama-bpe2" is not supported; the nearest that are: llama-bpe',
    );
  });

  const million = 1_000_000;
  const hostile = {
    "one letter": "a".repeat(million),
    "one digit": "1".repeat(million),
    "spaces before an ideograph": `${" ".repeat(million)}一`,
    "spaces and returns": " \r".repeat(million / 2),
    quotes: "'".repeat(million),
    "alternating scripts": "a一1 ".repeat(million / 4),
  };
  for (const [what, text] of Object.entries(hostile)) {
    it(`a million characters of ${what} take linear time`, () => {
      const start = performance.now();
      for (const name of ["gpt-2", "llama-bpe", "smollm", "deepseek-llm", "deepseek-v3"]) {
        expect(preTokenizerNamed(name).split(text).join("").length).to.equal(text.length);
      }
      expect(performance.now() - start).to.be.below(patienceMs);
    });
  }
});
