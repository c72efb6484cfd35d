import { expect } from "chai";
import { readFileSync } from "node:fs";
import { InputError } from "../../core/errors.ts";
import { bytesSource } from "../../formats/byte-source.ts";
import { openGguf } from "../../formats/gguf/gguf-file.ts";
import { outsideData } from "../../testing.ts";
import { bytePairMetadata, golden, sentencePieceMetadata, text } from "./fixtures/golden.ts";
import { tokenizerFromGguf, type Tokenizer } from "./tokenizer.ts";
import type { GgufMetadata } from "./vocabulary.ts";

/** A million characters take about a second on a machine at rest; what is quadratic takes hours. */
const patienceMs = 15_000;

async function tokenizerOfFile(path: string): Promise<Tokenizer> {
  return tokenizerFromGguf((await openGguf(bytesSource(path, readFileSync(path)))).metadata);
}

describe("tokenizers of real models", () => {
  for (const name of ["gpt-2", "falcon", "deepseek-coder", "llama-spm"]) {
    it(`${name} gives the model's own tokens, and its text back`, async function () {
      const path = outsideData(this, `vocab/ggml-vocab-${name}.gguf`);
      const tokenizer = await tokenizerOfFile(path);
      const inputs = readFileSync(`${path}.inp`, "utf8").split("\n__ggml_vocab_test__\n");
      const lines = readFileSync(`${path}.out`, "utf8").split("\n");
      expect(inputs.length).to.be.above(40);
      for (const [i, input] of inputs.entries()) {
        const ids = tokenizer.encode(input, { addSpecial: false });
        expect(ids.join(" "), JSON.stringify(input)).to.equal(lines[i]!.trim());
        expect(tokenizer.decode(ids)).to.equal(input);
      }
    });
  }

  it("stories260K gives llama.cpp's tokens for the prompts, and its text for the answers", async function () {
    const path = outsideData(this, "golden/stories260K-f32.golden.json");
    const { cases } = JSON.parse(readFileSync(path, "utf8")) as {
      cases: { prompt: string; promptIds: number[]; ids: number[]; text: string }[];
    };
    const model = outsideData(this, "models/stories260K-f32.gguf");
    const tokenizer = await tokenizerOfFile(model);
    expect(cases).to.have.lengthOf(4);
    for (const { prompt, promptIds, ids, text: answer } of cases) {
      expect([...tokenizer.encode(prompt)]).to.deep.equal(promptIds);
      expect(tokenizer.decode(ids, { continuation: true })).to.equal(answer);
    }
  });
});

describe("a tokenizer", () => {
  const id = (value: number) => ({ type: "u32", value }) as const;
  const flag = (value: boolean) => ({ type: "bool", value }) as const;

  it("puts the begin and end tokens around a text as the file asks", () => {
    const ends = { add_eos_token: flag(true), eos_token_id: id(7), bos_token_id: id(5) };
    const llama3 = tokenizerFromGguf(bytePairMetadata("llama-bpe", ends));
    const gpt2 = tokenizerFromGguf(bytePairMetadata("gpt-2", ends));
    const both = tokenizerFromGguf(
      bytePairMetadata("gpt-2", { ...ends, add_bos_token: flag(true) }),
    );
    expect([...llama3.encode("")]).to.deep.equal([5, 7]);
    expect([...gpt2.encode("")]).to.deep.equal([7]);
    expect([...both.encode("")]).to.deep.equal([5, 7]);
    expect([...both.encode("", { addSpecial: false })]).to.deep.equal([]);
  });

  it("knows the tokens that end an answer", () => {
    const tokens = [...golden.bytePair.tokens, "<|im_end|>", "<|eot_id|>"];
    const { length } = golden.bytePair.tokens;
    const { vocabulary } = tokenizerFromGguf(
      bytePairMetadata("qwen2", { eos_token_id: id(3), eot_token_id: id(4) }, tokens),
    );
    expect([...vocabulary.endOfGeneration]).to.have.members([3, 4, length, length + 1]);
    expect(vocabulary.types[length]).to.equal("control");
  });

  it("reads the text of a control token as that token only where it is told to", () => {
    const tokenizer = tokenizerFromGguf(
      bytePairMetadata("qwen2", {}, [...golden.bytePair.tokens, "<|im_end|>"]),
    );
    const end = golden.bytePair.tokens.length;
    expect([...tokenizer.encode("a<|im_end|>")]).to.not.include(end);
    expect([...tokenizer.encode("<|im_end|>", { parseSpecial: true })]).to.deep.equal([end]);
    expect(tokenizer.decode([end])).to.equal("");
    expect(tokenizer.decode([end], { skipSpecial: false })).to.equal("<|im_end|>");
  });

  it("sees U+FFFD in place of lone surrogates", () => {
    const tokenizer = tokenizerFromGguf(bytePairMetadata("gpt-2"));
    for (const [hurt, whole] of [
      ["a\ud800b", "a\ufffdb"],
      ["\udc00\ud800", "\ufffd\ufffd"],
      ["\ud83e\udd8a\ud83e", "🦊\ufffd"],
    ] as const) {
      expect(tokenizer.encode(hurt)).to.deep.equal(tokenizer.encode(whole));
    }
  });

  it("gives the bytes of each kind of token", () => {
    const tokenizer = tokenizerFromGguf(sentencePieceMetadata());
    const { pieces } = golden.sentencePiece;
    const bytes = (piece: string): string =>
      Buffer.from(tokenizer.pieceOf(pieces.indexOf(piece))).toString("latin1");
    expect([bytes("<s>"), bytes("<tag>"), bytes("<0xE9>"), bytes("▁the")]).to.deep.equal([
      "<s>",
      "<tag>",
      "\xe9",
      " the",
    ]);
  });

  const refused: Readonly<Record<string, readonly [GgufMetadata, string]>> = {
    "no tokenizer": [new Map(), "has no tokenizer.ggml.model"],
    "an unknown model": [
      bytePairMetadata("gpt-2", { model: text("t5") }),
      'The tokenizer model "t5" is not supported',
    ],
    "an unknown pre-tokenizer": [bytePairMetadata("tekken"), '"tekken" is not supported'],
    "a model that is no text": [
      bytePairMetadata("gpt-2", { model: id(1) }),
      "tokenizer.ggml.model must be a string, and it is u32",
    ],
    "tokens that are no texts": [
      bytePairMetadata("gpt-2", {
        tokens: { type: "array", itemType: "u8", items: new Uint8Array(1) },
      }),
      "must be an array of strings, and it is an array of u8",
    ],
    "a repeated token": [
      bytePairMetadata("gpt-2", {}, ["a", "b", "a"]),
      'tokens 0 and 2 are both "a"',
    ],
    "types of fewer tokens": [
      bytePairMetadata("gpt-2", {
        token_type: { type: "array", itemType: "i32", items: new Int32Array(2) },
      }),
      `has 2 values for ${golden.bytePair.tokens.length} tokens`,
    ],
    "a begin token that is asked for and unnamed": [
      bytePairMetadata("llama-bpe", { bos_token_id: id(2 ** 32 - 1) }),
      "tokenizer.ggml.bos_token_id is needed",
    ],
    "a flag that is no truth value": [
      bytePairMetadata("gpt-2", { add_bos_token: id(1) }),
      "must be a truth value",
    ],
  };
  for (const [what, [metadata, message]] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      expect(() => tokenizerFromGguf(metadata)).to.throw(InputError, message);
    });
  }

  const million = 1_000_000;
  const hostile = {
    "one letter": "a".repeat(million),
    spaces: " ".repeat(million),
    "lone surrogates": "\ud800".repeat(million),
    NULs: "\0".repeat(million),
    "the beginnings of special tokens": "<ta".repeat(million / 3),
    prose: golden.texts.join(" ").repeat(1000).slice(0, million),
  };
  for (const [what, input] of Object.entries(hostile)) {
    it(`a million characters of ${what} take linear time`, () => {
      const start = performance.now();
      for (const metadata of [bytePairMetadata("llama-bpe"), sentencePieceMetadata()]) {
        const ids = tokenizerFromGguf(metadata).encode(input, { parseSpecial: true });
        expect(ids.length).to.be.above(1000);
      }
      expect(performance.now() - start).to.be.below(patienceMs);
    }).timeout(2 * patienceMs);
  }
});
