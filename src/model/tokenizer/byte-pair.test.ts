import { expect } from "chai";
import fc from "fast-check";
import { InputError } from "../../core/errors.ts";
import { byteCharacters, bytesOfCharacters } from "./byte-level.ts";
import { bytePairMetadata, golden } from "./fixtures/golden.ts";
import { tokenizerFromGguf } from "./tokenizer.ts";

const { tokens, merges } = golden.bytePair;
const withMerges = (
  items: readonly string[],
): Map<string, unknown> & ReturnType<typeof bytePairMetadata> =>
  bytePairMetadata("gpt-2", { merges: { type: "array", itemType: "string", items } });

describe("byte-level BPE", () => {
  for (const [name, ids] of Object.entries(golden.bytePair.ids)) {
    it(`${name} gives the tokens of Hugging Face's tokenizers for ${golden.texts.length} texts`, () => {
      const tokenizer = tokenizerFromGguf(bytePairMetadata(name));
      const encoded = golden.texts.map((text) => [
        ...tokenizer.encode(text, { addSpecial: false }),
      ]);
      expect(encoded).to.deep.equal(ids);
    });
  }

  it("only a tokenizer that ignores merges finds words that no merges lead to", () => {
    const word = tokens.indexOf("Hello");
    const encode = (pre: string): number[] => [
      ...tokenizerFromGguf(bytePairMetadata(pre)).encode("Hello", { addSpecial: false }),
    ];
    expect(encode("llama-bpe")).to.deep.equal([word]);
    expect(encode("gpt-2")).to.not.include(word);
  });

  it("decoding gives back every text", () => {
    const tokenizer = tokenizerFromGguf(bytePairMetadata("llama-bpe"));
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text, { addSpecial: false }))).to.equal(text);
      }),
    );
  });

  it("repeats itself when its memory of words is full", () => {
    const tokenizer = tokenizerFromGguf(bytePairMetadata("gpt-2"));
    const text = Array.from({ length: 40_000 }, (_, i) => ` w${i.toString(36)}`).join("");
    expect(tokenizer.encode(text)).to.deep.equal(tokenizer.encode(text));
    expect(tokenizer.decode(tokenizer.encode(text))).to.equal(text);
  });

  it("of equal merges the first counts", () => {
    const twice = tokenizerFromGguf(withMerges([...merges, ...merges.toReversed()]));
    const once = tokenizerFromGguf(withMerges(merges));
    for (const text of golden.texts) expect(twice.encode(text)).to.deep.equal(once.encode(text));
  });

  it("a merge that yields no token leaves its bytes, and bytes without a token vanish", () => {
    const few = byteCharacters.filter((character) => character !== "z");
    const tokenizer = tokenizerFromGguf(
      bytePairMetadata(
        "gpt-2",
        { merges: { type: "array", itemType: "string", items: ["a b", "c z"] } },
        few,
      ),
    );
    const ids = tokenizer.encode("abczd", { addSpecial: false });
    expect(tokenizer.decode(ids)).to.equal("abcd");
    expect(ids).to.have.lengthOf(4);
  });

  it("refuses a merge that is not two texts", () => {
    expect(() => tokenizerFromGguf(withMerges(["a b", "ab"]))).to.throw(
      InputError,
      'merge 1 is "ab"',
    );
  });

  it("has a printable character of its own for every byte", () => {
    expect(new Set(byteCharacters).size).to.equal(256);
    expect(byteCharacters.join("")).to.match(/^[!-~¡-¬®-ÿĀ-Ń]{256}$/);
    // OpenAI's encoder.py: a space is Ġ, a line feed is Ċ, and é is the bytes C3 A9.
    expect([0x20, 0x0a, 0xc3, 0xa9, 0xad].map((byte) => byteCharacters[byte]).join("")).to.equal(
      "ĠĊÃ©Ń",
    );
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(bytesOfCharacters(byteCharacters.join(""))).to.deep.equal(bytes);
    expect(bytesOfCharacters("a b")).to.equal(undefined);
  });
});
