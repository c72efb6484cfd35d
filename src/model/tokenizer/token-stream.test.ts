import { expect } from "chai";
import fc from "fast-check";
import { InputError } from "../../core/errors.ts";
import { bytePairMetadata, golden, sentencePieceMetadata } from "./fixtures/golden.ts";
import { TokenStream } from "./token-stream.ts";
import { tokenizerFromGguf } from "./tokenizer.ts";

describe("the token stream", () => {
  const bytePair = tokenizerFromGguf(bytePairMetadata("gpt-2"));
  const sentencePiece = tokenizerFromGguf(sentencePieceMetadata());

  it("never yields part of a character, and everything in the end", () => {
    const stream = new TokenStream(bytePair);
    const ids = [...bytePair.encode("ñ🦊", { addSpecial: false })];
    expect(ids).to.have.lengthOf(6);
    expect(ids.map((id) => stream.push(id))).to.deep.equal(["", "ñ", "", "", "", "🦊"]);
    expect(stream.flush()).to.equal("");
  });

  it("yields whole characters of any text, which together are the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const stream = new TokenStream(bytePair);
        const parts = Array.from(bytePair.encode(text, { addSpecial: false }), (id) =>
          stream.push(id),
        );
        expect(parts.join("")).to.equal(text);
        expect(stream.flush()).to.equal("");
      }),
    );
  });

  it("says U+FFFD for bytes that are no character, at the end as well", () => {
    const ids = [...bytePair.encode("🦊", { addSpecial: false })];
    const stream = new TokenStream(bytePair);
    expect(stream.push(ids[1]!)).to.equal("\ufffd");
    expect([stream.push(ids[0]!), stream.push(ids[1]!)]).to.deep.equal(["", ""]);
    expect(stream.flush()).to.equal("\ufffd");
  });

  it("keeps a byte order mark", () => {
    expect(bytePair.decode(bytePair.encode("\ufeffa", { addSpecial: false }))).to.equal("\ufeffa");
  });

  it("takes off the space that encoding puts in front, and keeps it in a continuation", () => {
    const ids = sentencePiece.encode("the fox", { addSpecial: false });
    expect(sentencePiece.decode(ids)).to.equal("the fox");
    expect(sentencePiece.decode(ids, { continuation: true })).to.equal(" the fox");
    expect(bytePair.decode(bytePair.encode(" the", { addSpecial: false }))).to.equal(" the");
  });

  it("control tokens are left out unless asked for, and text after them loses its space", () => {
    const ids = sentencePiece.encode("the</s>fox<tag>and", { parseSpecial: true });
    const { pieces } = golden.sentencePiece;
    const tag = pieces.indexOf("<tag>");
    expect([...ids].filter((id) => id <= 3)).to.deep.equal([1, 2, tag]);
    expect(sentencePiece.decode(ids)).to.equal("thefox<tag>and");
    expect(sentencePiece.decode(ids, { skipSpecial: false })).to.equal("<s>the</s>fox<tag>and");
  });

  it("refuses what is no token", () => {
    const { length } = golden.bytePair.tokens;
    for (const id of [length, -1, 0.5, NaN]) {
      expect(() => new TokenStream(bytePair).push(id)).to.throw(
        InputError,
        `${id} is no token: the vocabulary has ${length}, from 0 on.`,
      );
    }
  });
});
