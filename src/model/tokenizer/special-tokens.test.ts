import { expect } from "chai";
import fc from "fast-check";
import { SpecialTokens, type Fragment } from "./special-tokens.ts";
import { vocabularyFromGguf, type Vocabulary } from "./vocabulary.ts";

const normal = 1;
const control = 3;
const userDefined = 4;

function vocabularyOf(tokens: readonly (readonly [string, number])[]): Vocabulary {
  const items = tokens.map(([text]) => text);
  const types = Int32Array.from(tokens, ([, type]) => type);
  return vocabularyFromGguf(
    new Map([
      ["tokenizer.ggml.tokens", { type: "array", itemType: "string", items }],
      ["tokenizer.ggml.token_type", { type: "array", itemType: "i32", items: types }],
    ]),
    {},
  );
}

/** By the definition: for each token, the longest first, its first occurrence in a text, then on. */
function partitionByDefinition(
  text: string,
  tokens: readonly (readonly [string, number])[],
): Fragment[] {
  const order = tokens
    .map(([token, type], id) => ({ token, type, id }))
    .filter(({ type }) => type !== normal)
    .sort((a, b) => b.token.length - a.token.length || a.id - b.id);
  const cut = (fragment: Fragment, token: string, id: number): Fragment[] => {
    if (typeof fragment === "number") return [fragment];
    const at = fragment.indexOf(token);
    if (at < 0) return fragment === "" ? [] : [fragment];
    const rest = cut(fragment.slice(at + token.length), token, id);
    return at === 0 ? [id, ...rest] : [fragment.slice(0, at), id, ...rest];
  };
  return order.reduce<Fragment[]>(
    (fragments, { token, id }) => fragments.flatMap((fragment) => cut(fragment, token, id)),
    text === "" ? [] : [text],
  );
}

describe("special tokens", () => {
  const vocabulary = vocabularyOf([
    ["a", normal],
    ["<|end|>", control],
    ["[USER]", userDefined],
    ["<|", userDefined],
    ["🦊", userDefined],
  ]);
  const specials = new SpecialTokens(vocabulary);

  it("are cut out of trusted text, the longest first", () => {
    expect(specials.partition("a<|end|>b[USER]", true)).to.deep.equal(["a", 1, "b", 2]);
    expect(specials.partition("<|end|><|end|>", true)).to.deep.equal([1, 1]);
    expect(specials.partition("<|end", true)).to.deep.equal([3, "end"]);
    expect(specials.partition("", true)).to.deep.equal([]);
  });

  it("of text that is not trusted only user-defined ones are", () => {
    expect(specials.partition("a<|end|>b[USER]", false)).to.deep.equal(["a", 3, "end|>b", 2]);
    expect(specials.partition("[USER🦊]", false)).to.deep.equal(["[USER", 4, "]"]);
  });

  it("are found as the definition says, also where they overlap", () => {
    const letters = fc.constantFrom("a", "b", "c");
    const token = fc.string({ unit: letters, minLength: 1, maxLength: 4 });
    const tokens = fc.uniqueArray(fc.tuple(token, fc.constantFrom(normal, control, userDefined)), {
      selector: ([text]) => text,
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(tokens, fc.string({ unit: letters, maxLength: 30 }), (entries, text) => {
        const found = new SpecialTokens(vocabularyOf(entries)).partition(text, true);
        expect(found).to.deep.equal(partitionByDefinition(text, entries));
      }),
      { numRuns: 500 },
    );
  });
});
