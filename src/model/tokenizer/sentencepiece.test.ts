import { expect } from "chai";
import fc from "fast-check";
import { InputError } from "../../core/errors.ts";
import { golden, sentencePieceMetadata } from "./fixtures/golden.ts";
import { tokenizerFromGguf } from "./tokenizer.ts";

const { ids, decoded, pieces } = golden.sentencePiece;

describe("SentencePiece", () => {
  const tokenizer = tokenizerFromGguf(sentencePieceMetadata());

  it(`gives the tokens of SentencePiece for ${golden.texts.length} texts`, () => {
    const encoded = golden.texts.map((text) => [...tokenizer.encode(text, { addSpecial: false })]);
    expect(encoded).to.deep.equal(ids);
  });

  it("decodes as SentencePiece does", () => {
    expect(ids.map((tokens) => tokenizer.decode(tokens))).to.deep.equal(decoded);
  });

  it("decoding gives back every text without the space mark", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const plain = text.replaceAll("\u2581", "_");
        expect(tokenizer.decode(tokenizer.encode(plain))).to.equal(plain);
      }),
    );
  });

  it("begins texts with the begin token and a space, where the file does not say", () => {
    const bare = tokenizerFromGguf(
      sentencePieceMetadata({
        add_bos_token: { type: "bool", value: false },
        add_space_prefix: { type: "bool", value: false },
        add_eos_token: { type: "bool", value: true },
      }),
    );
    const [bos, first] = tokenizer.encode("a");
    expect(bos).to.equal(1);
    expect(pieces[first!]).to.equal("▁a");
    expect(pieces[bare.encode("a")[0]!]).to.equal("a");
    expect([...bare.encode("")]).to.deep.equal([2]);
    expect(bare.decode(bare.encode(" a"))).to.equal(" a");
  });

  it("never makes a control or byte token of ordinary text", () => {
    const steering = new Set([
      "<unk>",
      "<s>",
      "</s>",
      ...pieces.filter((p) => p.startsWith("<0x")),
    ]);
    for (const text of ["<unk>", "<s>", "</s>", "<0x0A>"]) {
      const texts = Array.from(tokenizer.encode(text, { addSpecial: false }), (id) => pieces[id]!);
      expect(
        texts.filter((piece) => steering.has(piece) && !/^<0x[2-7]/.test(piece)),
      ).to.deep.equal([]);
      expect(tokenizer.decode(tokenizer.encode(text))).to.equal(text);
    }
  });

  it("without byte tokens an unknown character is the unknown token", () => {
    const kept = pieces.map((piece) => piece.replace(/^<0x(..)>$/, "[no byte $1]"));
    const poor = tokenizerFromGguf(
      sentencePieceMetadata({ tokens: { type: "array", itemType: "string", items: kept } }),
    );
    expect([...poor.encode("🦊", { addSpecial: false })].at(-1)).to.equal(0);
  });

  it("refuses a vocabulary without scores, or with one that is no number", () => {
    const metadata = sentencePieceMetadata();
    metadata.delete("tokenizer.ggml.scores");
    expect(() => tokenizerFromGguf(metadata)).to.throw(InputError, "needs tokenizer.ggml.scores");
    const scores = new Float32Array(pieces.length).fill(NaN);
    expect(() =>
      tokenizerFromGguf(
        sentencePieceMetadata({ scores: { type: "array", itemType: "f32", items: scores } }),
      ),
    ).to.throw(InputError, "no number");
  });
});
