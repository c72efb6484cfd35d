import { expect } from "chai";
import { seededRng } from "../core/rng.ts";
import {
  entryOf,
  expand,
  plainText,
  polish,
  slotsOf,
  template,
  type Entry,
  type Words,
} from "./story-grammar.ts";

const entries: Readonly<Record<string, Entry>> = {
  h: entryOf({ text: "Mia", he: "she" }),
  thing: entryOf({ text: "old [red|blue] kite", color: "of {h}" }),
};

function told(source: string, seed = 1): string {
  const words: Words = {
    rng: seededRng(seed),
    entry: (name) => {
      const found = entries[name];
      if (!found) throw new Error(`no ${name}`);
      return found;
    },
    fragment: (name) => template(`(${name} of {h})`),
  };
  return expand(template(source), words);
}

function allTold(source: string): string[] {
  return [...new Set(Array.from({ length: 200 }, (_, seed) => told(source, seed)))].sort();
}

describe("the story grammar", () => {
  it("puts in words, other words about them, and capitals", () => {
    expect(told("{h} ran. {^h.he} sang, and {h.he} slept.")).to.equal(
      "Mia ran. She sang, and she slept.",
    );
    expect(told("{thing.color}")).to.equal("of Mia");
    expect(told("a {>walk} b")).to.equal("a (walk of Mia) b");
  });

  it("draws each alternative, empty and nested ones too", () => {
    expect(allTold("[a|b [c|d]|]!")).to.deep.equal(["!", "a!", "b c!", "b d!"]);
    expect(allTold("{thing}")).to.deep.equal(["old blue kite", "old red kite"]);
    expect(told("one | two")).to.equal("one | two");
  });

  it("refuses text that is not of the language", () => {
    for (const source of ["[a|b", "a]", "{h", "{}", "{H}", "{h.}", "{>a.b}x{"]) {
      expect(() => template(source), source).to.throw(Error, source.replace(/^.*x/, ""));
    }
    expect(() => told("{nobody}")).to.throw("no nobody");
    expect(() => told("{h.hat}")).to.throw("The slot h has no hat");
  });

  it("knows the slots of a template and the plain words of an entry", () => {
    expect(slotsOf(template("{h} and [{thing.color}|{>walk} {f}]"))).to.deep.equal([
      ...["h", "thing", "f"],
    ]);
    expect(plainText(entries["thing"]!, "text")).to.equal("old  kite");
    expect(plainText(entries["thing"]!, "size")).to.equal("");
  });

  it("makes sentences: capitals, an before vowels, spaces, paragraphs", () => {
    expect(
      polish('\n  it was  a owl ,\n  a unicorn and a honest man. "who?" he asked.\n'),
    ).to.equal('It was an owl, a unicorn and an honest man. "Who?" he asked.');
    expect(polish("one. two! three? four\n \n\n five")).to.equal("One. Two! Three? Four\n\nFive");
    expect(polish("A apple and a one-eyed goat, once a hour")).to.equal(
      "An apple and a one-eyed goat, once an hour",
    );
  });
});
