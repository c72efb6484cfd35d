import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { tinyTokenizer } from "./fixtures/tiny.ts";
import { documentsOf, packDocuments, withHeldOutEnd } from "./text.ts";

const metadata = tinyTokenizer(32);
const tokenizer = tokenizerFromGguf(
  metadata.set("tokenizer.ggml.eos_token_id", { type: "u32", value: 31 }),
);

describe("text to train on", () => {
  it("is cut into documents", () => {
    const text = "a<|endoftext|>\n b\n<|endoftext|>  <|endoftext|>";
    expect(documentsOf("x", text)).to.deep.equal(["a", "b"]);
  });

  it("is refused where there is none", () => {
    expect(() => documentsOf("x.txt", " \n<|endoftext|>\n")).to.throw(
      InputError,
      "x.txt holds no text to train on.",
    );
  });

  it("is packed with an end after each document, up to as many tokens as are wanted", () => {
    const documents = ["!#", "$", "%&"];
    const all = [0, 2, 31, 3, 31, 4, 5, 31];
    expect([...packDocuments(documents, tokenizer)]).to.deep.equal(all);
    for (let most = 1; most < 8; most++) {
      expect([...packDocuments(documents, tokenizer, most)]).to.deep.equal(all.slice(0, most));
    }
  });

  it("has one token between documents where the end token also begins them", () => {
    const gpt2 = tinyTokenizer(32)
      .set("tokenizer.ggml.eos_token_id", { type: "u32", value: 31 })
      .set("tokenizer.ggml.bos_token_id", { type: "u32", value: 31 })
      .set("tokenizer.ggml.add_bos_token", { type: "bool", value: true });
    const both = new Map(gpt2).set("tokenizer.ggml.add_eos_token", { type: "bool", value: true });
    for (const metadata of [gpt2, both]) {
      const packed = packDocuments(["!#", "$"], tokenizerFromGguf(metadata));
      expect([...packed]).to.deep.equal([31, 0, 2, 31, 3, 31]);
    }
  });

  it("takes no document after the last one that is needed", () => {
    const endless = function* (): Generator<string> {
      for (;;) yield "!";
    };
    expect(packDocuments(endless(), tokenizer, 1000)).to.have.lengthOf(1000);
  });

  it("needs an end token", () => {
    const without = tokenizerFromGguf(
      tinyTokenizer(32).set("tokenizer.ggml.eos_token_id", { type: "u32", value: 2 ** 32 - 1 }),
    );
    expect(() => packDocuments(["!"], without)).to.throw(InputError, "names no end token");
  });

  it("is held out at its end", () => {
    const tokens = Int32Array.from({ length: 100 }, (_, i) => i);
    const { train, validation } = withHeldOutEnd(tokens);
    expect(train).to.deep.equal(tokens.slice(0, 95));
    expect(validation).to.deep.equal(tokens.slice(95));
  });
});
