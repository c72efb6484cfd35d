import { expect } from "chai";
import { createHash } from "node:crypto";
import { UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import {
  promptOf,
  splitOfInstance,
  stories,
  storyAt,
  storyDocumentAt,
  storyDocuments,
  storyPlots,
  storySplits,
  storyWords,
  type Story,
  type StorySplit,
} from "./stories.ts";
import { StoryTeller } from "./story-teller.ts";

/** Of 200 documents of each split; the same on Node 20 and 24. The tokenizer and models depend on it. */
const golden = "08f85115c7236dd7c547aa227e77ae682fcd6d94bf9721181d6d6cd14fed5627";

const numStories = 3_000;
const told = new Map(storySplits.map((split) => [split, take(split, numStories)]));
const all = [...told.values()].flat();

describe("stories", () => {
  it("are the ones that the tokenizer and the models were trained on", () => {
    const hash = createHash("sha256");
    for (const split of storySplits) {
      for (let i = 0; i < 200; i++) hash.update(storyDocumentAt(split, 0, i));
    }
    expect(hash.digest("hex")).to.equal(golden);
  });

  it("are the same wherever one begins, and others for another seed", () => {
    const story = stories("train", 0, 7).next().value;
    expect(story).to.deep.equal(told.get("train")![7]);
    expect(storyAt("train", 1, 7).text).not.to.equal(story.text);
    expect(storyDocuments("test", 0, 3).next().value).to.equal(storyDocumentAt("test", 0, 3));
  });

  it("of two splits share no plot with the same central facts, and so no story", () => {
    for (const key of ["instance", "text"] as const) {
      const found = storySplits.map((split) => new Set(told.get(split)!.map((s) => s[key])));
      const together = new Set(found.flatMap((values) => [...values]));
      expect(together.size).to.equal(found.reduce((sum, values) => sum + values.size, 0));
    }
    for (const split of storySplits) {
      expect(told.get(split)!.every((s) => splitOfInstance(s.instance) === split)).to.equal(true);
    }
  });

  it("name their central facts, so that a story shows its instance", () => {
    for (const { instance, text, plot } of all) {
      const [name, ...facts] = instance.split(" | ");
      expect(name).to.equal(plot);
      for (const fact of facts) expect(text.toLowerCase(), plot).to.include(fact.toLowerCase());
    }
  });

  it("keep about a twentieth of the instances for validation and for the test", () => {
    const rng = seededRng(5);
    const splits = Array.from({ length: 8_000 }, (_, i) =>
      splitOfInstance(new StoryTeller(storyPlots[i % storyPlots.length]!, rng).instance),
    );
    for (const split of ["validation", "test"] as const) {
      // Four standard deviations of a share of 0.05 in 8,000 are 0.01.
      expect(splits.filter((s) => s === split).length / 8_000).to.be.closeTo(0.05, 0.01);
    }
  });

  it("are of every plot in every split, about as often, and none is told twice", () => {
    for (const [split, stories] of told) {
      for (const { name } of storyPlots) {
        const count = stories.filter(({ plot }) => plot === name).length;
        expect(count, `${split}: ${name}`).to.be.within(20, (2 * numStories) / storyPlots.length);
      }
    }
    expect(new Set(all.map(({ text }) => text)).size).to.equal(all.length);
    expect(storyPlots.length).to.be.at.least(25);
  });

  it("have 60 to 250 words in a few paragraphs", () => {
    for (const { text } of all) {
      expect(text.split(/\s+/).length).to.be.within(storyWords.least, storyWords.most);
      expect(text.split("\n\n").length).to.be.within(2, 5);
    }
  });

  it("are written in sentences: articles, capitals, quotes, stops", () => {
    const wrong = all.flatMap(({ text, plot }) =>
      faultsOf(text).map((fault) => `${plot}: ${fault}`),
    );
    expect([...new Set(wrong)]).to.deep.equal([]);
    const bad = 'A owl saw  an fox. it said, "Who?"\n\nwho who , said {h}\n\n"Yes.';
    expect(faultsOf(bad)).to.have.length.at.least(9);
  });

  it("have a thousand words and more, and ever new runs of words", () => {
    const words = told.get("train")!.map(({ text }) => text.toLowerCase().match(/[a-z'-]+/g)!);
    expect(new Set(words.flat()).size).to.be.above(1_000);
    const fourGrams = (stories: readonly string[][]): number =>
      new Set(stories.flatMap((w) => w.slice(3).map((_, i) => w.slice(i, i + 4).join(" ")))).size;
    // Without end: the second half of what is told brings new runs nearly as the first did.
    const half = fourGrams(words.slice(0, numStories / 2));
    expect(fourGrams(words) / half).to.be.above(1.4);
  });

  it("refuse a seed or a number that is none", () => {
    for (const [seed, index] of [
      [-1, 0],
      [0, -1],
      [0.5, 0],
      [2 ** 20, 0],
      [0, 2 ** 32],
    ] as const) {
      expect(() => storyAt("train", seed, index)).to.throw(UsageError, "a whole number from 0");
    }
  });
});

describe("questions about stories", () => {
  const asked = all.flatMap((story) => story.questions.map((question) => ({ story, ...question })));

  it("are one or two for a story, each with four answers that differ", () => {
    expect(asked.length / all.length).to.be.within(1.5, 3);
    for (const { question, options, answer } of asked) {
      expect(question).to.match(/^[A-Z].*\?$/);
      expect(new Set(options.map((option) => option.toLowerCase())).size, question).to.equal(4);
      expect(answer).to.be.within(0, 3);
    }
  });

  it("are about every plot", () => {
    const plots = new Set(asked.map(({ story }) => story.plot));
    expect(storyPlots.filter(({ name }) => !plots.has(name))).to.deep.equal([]);
  });

  it("cannot be answered by looking which option the story names, or names most or first", () => {
    for (const { story, options, answer } of asked) {
      const named = options.filter((option) => timesIn(story.text, option) > 0);
      expect(named).to.include(options[answer]!).and.to.have.length.above(1);
    }
    const share = (score: (text: string, option: string) => number): number =>
      asked.filter(({ story, options, answer }) => {
        const scores = options.map((option) => score(story.text, option));
        return scores.indexOf(Math.max(...scores)) === answer;
      }).length / asked.length;
    const guesses = [
      share(timesIn),
      share((text, option) => -lower(text + option).indexOf(lower(option))),
      share((text, option) => lower(text).lastIndexOf(lower(option))),
    ];
    for (const guess of guesses) expect(guess).to.be.below(0.4);
  });

  it("have their answer anywhere among the four", () => {
    for (let place = 0; place < 4; place++) {
      const share = asked.filter(({ answer }) => answer === place).length / asked.length;
      // Four standard deviations of a quarter in 15,000 questions are 0.014.
      expect(share).to.be.closeTo(0.25, 0.014);
    }
  });

  it("follow about one document in five, with the right answer", () => {
    const documents = Array.from({ length: 1_000 }, (_, i) => storyDocumentAt("train", 0, i));
    const stories = told.get("train")!;
    const questioned = documents.filter((text) => text.includes("\n\nQuestion: "));
    expect(questioned.length / documents.length).to.be.closeTo(0.2, 0.05);
    for (const [i, text] of documents.entries()) {
      const story = stories[i]!;
      const full = story.questions.map((q) => `${promptOf(story.text, q)} ${q.options[q.answer]!}`);
      expect([story.text, ...full]).to.include(text);
    }
  });
});

/** What is wrong with a text, as far as patterns see it. */
function faultsOf(text: string): string[] {
  const patterns = [
    /\b[Aa] (?!one|uni)(?:[aeiou]|hour|honest)\w*|\b[Aa]n (?!hour|honest)[^aeiou]\w*/g,
    /[{}|[\]<>^_]|undefined|[ \n]{3}| {2}| \n|\n /g,
    /[^.][.!?] "?[a-z]\w*|[,;:.!?][,;:]| [,.!?]/g,
    /\b(\w+) \1\b/g,
  ];
  const faults = patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([fault]) => fault));
  const paragraphs = text.split("\n\n");
  const ends = paragraphs.filter((p) => !/[.!?]"?$/.test(p) || !/^["A-Z]/.test(p));
  const quotes = paragraphs.filter((p) => (p.match(/"/g)?.length ?? 0) % 2 === 1);
  return [...faults, ...ends, ...quotes];
}

function lower(text: string): string {
  return text.toLowerCase();
}

function timesIn(text: string, words: string): number {
  return lower(text).split(lower(words)).length - 1;
}

function take(split: StorySplit, count: number): Story[] {
  return Array.from({ length: count }, (_, i) => storyAt(split, 0, i));
}
