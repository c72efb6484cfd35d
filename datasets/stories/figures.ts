/**
 * Prints the figures of README.md beside this file: how varied the stories are, what a model without
 * memory of the story could know, and how well questions are answered without understanding them.
 * `node --import tsx datasets/stories/figures.ts`, half a minute.
 */
import {
  type Story,
  type StorySplit,
  stories,
  storyDocuments,
  storyPlots,
} from "../../src/corpus/stories.ts";
import { loadTokenizer } from "../../src/corpus/tokenizer-file.ts";
import type { Tokenizer } from "../../src/model/tokenizer/tokenizer.ts";
import { baselinesOf } from "../../src/training/baselines.ts";
import { packDocuments } from "../../src/training/text.ts";

const numStories = 20_000;
const judgedStories = 2_000;

async function print(): Promise<void> {
  const tokenizer = await loadTokenizer();
  const told = take(stories("train", 0), numStories);
  const words = told.map(({ text }) => text.toLowerCase().match(/[a-z'-]+/g) ?? []);
  line("plots", storyPlots.length);
  line("template instances in 20,000 stories", new Set(told.map((s) => s.instance)).size);
  line("different stories among 20,000", new Set(told.map(({ text }) => text)).size);
  line("words in a story, mean", words.reduce((sum, w) => sum + w.length, 0) / words.length);
  line("different words", new Set(words.flat()).size);
  for (const count of [5_000, 10_000, 20_000]) {
    const runs = [2, 4, 8].map((n) => distinctRuns(words.slice(0, count), n));
    line(`different runs of 2, 4, 8 words in ${count} stories`, ...runs);
  }
  printTokens(tokenizer);
  for (const split of ["validation", "test"] as const) printQuestions(split);
}

function printTokens(tokenizer: Tokenizer): void {
  const train = packDocuments(take(storyDocuments("train", 0), numStories), tokenizer);
  const judged = packDocuments(take(storyDocuments("validation", 0), judgedStories), tokenizer);
  line("tokens of 20,000 training documents", train.length);
  line("tokens of 2,000 validation documents", judged.length);
  const { uniform, unigram, bigram } = baselinesOf(
    train,
    judged,
    tokenizer.vocabulary.texts.length,
  );
  line("nats per token: uniform, unigram, bigram", uniform, unigram, bigram);
  line("bits per token", ...[uniform, unigram, bigram].map((nats) => nats / Math.LN2));
}

function printQuestions(split: StorySplit): void {
  const told = take(stories(split, 0), judgedStories);
  const asked = told.flatMap((story) => story.questions.map((question) => ({ story, question })));
  const right = asked.filter(
    ({ story, question }) => mostNamed(story, question.options) === question.answer,
  );
  line(`${split}: questions about 2,000 stories`, asked.length);
  line(`${split}: answered by the option that is named most often`, right.length / asked.length);
}

/** The option that the story names most often; the first of several. */
function mostNamed({ text }: Story, options: readonly string[]): number {
  const counts = options.map((option) => text.toLowerCase().split(option.toLowerCase()).length);
  return counts.indexOf(Math.max(...counts));
}

function distinctRuns(stories: readonly (readonly string[])[], length: number): number {
  const runs = new Set<string>();
  for (const words of stories) {
    for (let i = 0; i + length <= words.length; i++) runs.add(words.slice(i, i + length).join(" "));
  }
  return runs.size;
}

function take<T>(items: Generator<T, never>, count: number): T[] {
  return Array.from({ length: count }, () => items.next().value);
}

function line(name: string, ...values: readonly number[]): void {
  const texts = values.map((value) => (Number.isInteger(value) ? `${value}` : value.toFixed(3)));
  process.stdout.write(`${name}: ${texts.join(", ")}\n`);
}

await print();
