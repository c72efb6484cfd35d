import { expect } from "chai";
import fc from "fast-check";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { storyDocuments, type StorySplit } from "../corpus/stories.ts";
import {
  loadTokenizer,
  readTokenizerFile,
  storyPreTokenizer,
  storySpecials,
} from "../corpus/tokenizer-file.ts";
import { byteCharacters } from "../model/tokenizer/byte-level.ts";
import {
  bytePairMetadata,
  type BytePairVocabulary,
} from "../model/tokenizer/byte-pair-metadata.ts";
import { golden as tokenizers } from "../model/tokenizer/fixtures/golden.ts";
import { tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { outsideData } from "../testing.ts";
import { countWords, trainBpe } from "./bpe.ts";

/** What a run of the reference gave: sha256 of all lines, and the last merges for a reader's eye. */
interface Trained {
  readonly size: number;
  readonly merges: string;
  readonly tokens: string;
  readonly last: readonly string[];
}

interface Golden {
  readonly validation: Trained & { readonly count: number };
  readonly shipped: Trained;
  readonly shakespeare: Trained;
  readonly heldOut: { readonly count: number; readonly ids: string };
  readonly begun: readonly number[];
  readonly texts: readonly (readonly number[])[];
}

const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures/bpe-golden.json"), "utf8"),
) as Golden;

describe("the BPE trainer", () => {
  it("gives the merges of Hugging Face's tokenizers on our stories", () => {
    const { count, ...trained } = golden.validation;
    expectTrained(train(documents("validation", count), trained.size), trained);
  });

  it("gives the merges of Hugging Face's tokenizers on Shakespeare", function () {
    const text = readFileSync(outsideData(this, "text/tinyshakespeare.txt"), "utf8");
    expectTrained(train([text], golden.shakespeare.size), golden.shakespeare);
  });

  it("merges as the definition says, with ties, for any texts", () => {
    const letters = fc.constantFrom("a", "b", "c", " ", "é");
    const texts = fc.array(fc.string({ unit: letters, maxLength: 30 }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 12 }), (texts, most) => {
        const merges = mergesByDefinition(texts, most);
        fc.pre(merges.length > 0);
        const size = storySpecials.length + 256 + merges.length;
        expect(train(texts, size).merges).to.deep.equal(merges);
      }),
      { numRuns: 200 },
    );
  });

  it("numbers specials, then bytes by their characters, then merges", () => {
    const { tokens, merges, numSpecials } = train(["low lower lowest"], 263);
    expect(tokens.slice(0, numSpecials)).to.deep.equal(storySpecials);
    expect(tokens.slice(4, 260)).to.deep.equal(byteCharacters.toSorted());
    expect(merges).to.deep.equal(["l o", "lo w", "Ġ low"]);
    expect(tokens.slice(260)).to.deep.equal(["lo", "low", "Ġlow"]);
  });

  it("counts words as the pre-tokenizer cuts them", () => {
    const counts = countWords(["a a12", "a"], storyPreTokenizer);
    expect(Object.fromEntries(counts)).to.deep.equal({ a: 2, " a": 1, "1": 1, "2": 1 });
  });

  it("refuses a vocabulary that cannot hold the bytes, and specials that are taken", () => {
    for (const size of [259, 0, 300.5, NaN, 2 ** 22]) {
      expect(() => train(["text"], size)).to.throw(UsageError, "need 260 or more");
    }
    for (const specials of [["a"], ["<e>", "<e>"], [""]]) {
      const options = { vocabSize: 300, specials, preTokenizer: storyPreTokenizer };
      expect(() => trainBpe(["text"], options)).to.throw(UsageError, "a text of its own");
    }
    const options = { vocabSize: 260, specials: ["end"], preTokenizer: storyPreTokenizer };
    expect(() => trainBpe(["end end end"], options)).to.throw(InputError, '"end" as an ordinary');
  });

  it("refuses no text, and too little for so many tokens", () => {
    expect(() => train([], 300)).to.throw(InputError, "The text is empty");
    expect(() => train([""], 300)).to.throw(InputError, "The text is empty");
    expect(() => train(["ab ab"], 300)).to.throw(InputError, "only 262 tokens to offer");
  });
});

describe("the tokenizer that ships", () => {
  it("is what the trainer makes of 20,000 training stories, and what the reference makes", async () => {
    const shipped = await readTokenizerFile();
    expectTrained(shipped, golden.shipped);
    expect(train(documents("train", 20_000), golden.shipped.size)).to.deep.equal(shipped);
  });

  it("encodes stories that it was not trained on as the reference does", async () => {
    const tokenizer = await loadTokenizer();
    const encoded = documents("test", golden.heldOut.count).map((text) =>
      tokenizer.encode(text, { addSpecial: false }).join(" "),
    );
    expect(sha256(encoded)).to.equal(golden.heldOut.ids);
  });

  it("encodes texts of other sorts as the reference does, and gives them back", async () => {
    const tokenizer = await loadTokenizer();
    for (const [i, text] of tokenizers.texts.entries()) {
      const ids = tokenizer.encode(text, { addSpecial: false });
      expect([...ids]).to.deep.equal(golden.texts[i]);
      expect(tokenizer.decode(ids)).to.equal(text);
    }
  });

  it("begins a text with the token that ends one, and never reads it in a text", async () => {
    const tokenizer = await loadTokenizer();
    const { vocabulary } = tokenizer;
    expect([...tokenizer.encode("One morning")]).to.deep.equal(golden.begun);
    expect([vocabulary.bos, vocabulary.eos]).to.deep.equal([0, 0]);
    expect([...vocabulary.endOfGeneration].toSorted()).to.deep.equal([0, 3]);
    const ids = tokenizer.encode("<|endoftext|>", { addSpecial: false });
    expect(Math.min(...ids)).to.be.at.least(storySpecials.length);
    expect(tokenizer.decode(ids)).to.equal("<|endoftext|>");
  });

  it("needs few tokens for a word of our stories", async () => {
    const tokenizer = await loadTokenizer();
    const text = documents("test", 100).join("\n");
    const numWords = text.split(/\s+/).length;
    // Punctuation takes about a fifth of the tokens.
    expect(tokenizer.encode(text).length / numWords).to.be.within(1, 1.5);
  });

  it("says what it is in a model file's metadata", async () => {
    const metadata = bytePairMetadata(await readTokenizerFile());
    const value = (key: string): unknown => {
      const stored = metadata.get(`tokenizer.ggml.${key}`);
      return stored?.type === "array" ? stored.items.length : stored?.value;
    };
    expect([value("model"), value("pre"), value("add_bos_token")]).to.deep.equal([
      "gpt2",
      "smollm",
      true,
    ]);
    expect(["tokens", "token_type", "merges"].map(value)).to.deep.equal([2048, 2048, 1788]);
    expect(tokenizerFromGguf(metadata).vocabulary.types.slice(0, 5)).to.deep.equal([
      ...["control", "control", "control", "control", "normal"],
    ]);
  });
});

function train(texts: Iterable<string>, vocabSize: number): BytePairVocabulary {
  return trainBpe(texts, { vocabSize, specials: storySpecials, preTokenizer: storyPreTokenizer });
}

function documents(split: StorySplit, count: number): string[] {
  const all = storyDocuments(split, 0);
  return Array.from({ length: count }, () => all.next().value);
}

function expectTrained({ tokens, merges }: BytePairVocabulary, expected: Trained): void {
  expect(tokens).to.have.lengthOf(expected.size);
  expect(merges.slice(-expected.last.length)).to.deep.equal(expected.last);
  expect([sha256(merges), sha256(tokens)]).to.deep.equal([expected.merges, expected.tokens]);
}

function sha256(lines: readonly string[]): string {
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

/** Counts all pairs anew for each merge. */
function mergesByDefinition(texts: readonly string[], most: number): string[] {
  const alphabet = [...storySpecials, ...byteCharacters.toSorted()];
  const order = new Map(alphabet.map((token, id) => [token, id]));
  const words = [...countWords(texts, storyPreTokenizer)].map(([word, count]) => ({
    symbols: Array.from(new TextEncoder().encode(word), (byte) => byteCharacters[byte]!),
    count,
  }));
  const merges: string[] = [];
  while (merges.length < most) {
    const counts = new Map<string, number>();
    for (const { symbols, count } of words) {
      for (let i = 1; i < symbols.length; i++) {
        const pair = `${symbols[i - 1]!} ${symbols[i]!}`;
        counts.set(pair, (counts.get(pair) ?? 0) + count);
      }
    }
    const ids = (pair: string): number[] => pair.split(" ").map((token) => order.get(token)!);
    const [best] = [...counts].sort(
      ([a, m], [b, n]) => n - m || ids(a)[0]! - ids(b)[0]! || ids(a)[1]! - ids(b)[1]!,
    );
    if (!best) break;
    const [left, right] = best[0].split(" ") as [string, string];
    merges.push(best[0]);
    order.set(left + right, order.size);
    for (const { symbols } of words) {
      for (let i = 0; i + 1 < symbols.length; i++) {
        if (symbols[i] === left && symbols[i + 1] === right) symbols.splice(i, 2, left + right);
      }
    }
  }
  return merges;
}
