/**
 * Simple English stories from a grammar of our own: characters who want something, what stands in
 * their way, what they do about it and what comes of that. Seeded and without end. Every word is
 * ours, so the stories and what is trained on them are free of other people's rights.
 */
import { UsageError } from "../core/errors.ts";
import { type Rng, randomInt, seededRng } from "../core/rng.ts";
import { friendPlots } from "./story-plots-friends.ts";
import { homePlots } from "./story-plots-home.ts";
import { lostPlots } from "./story-plots-lost.ts";
import { naturePlots } from "./story-plots-nature.ts";
import { questPlots } from "./story-plots-quests.ts";
import type { Plot } from "./story-plot.ts";
import { type StoryQuestion, StoryTeller } from "./story-teller.ts";

/** Training learns, validation chooses, the test judges. */
export type StorySplit = "train" | "validation" | "test";

/** The splits. */
export const storySplits: readonly StorySplit[] = ["train", "validation", "test"];

/** All plots. */
export const storyPlots: readonly Plot[] = [
  ...lostPlots,
  ...friendPlots,
  ...homePlots,
  ...naturePlots,
  ...questPlots,
];

/** A story and what can be asked about it. */
export interface Story {
  readonly text: string;
  readonly plot: string;
  /** The plot and its central facts: what decides the story's split. */
  readonly instance: string;
  readonly questions: readonly StoryQuestion[];
}

/** Words in a story, at least and at most. */
export const storyWords = { least: 60, most: 250 } as const;

/** Of a hundred template instances, how many are kept apart for validation and for the test. */
const heldOutPercent = 5;

/** Of five documents, one asks about its story. */
const documentsPerQuestion = 5;

/** Below these, seed and index together are one exact number that seeds the story. */
const mostIndices = 2 ** 32;
const mostSeeds = 2 ** 20;

/**
 * The split of a template instance: a hash of it decides, so that all tellings of an instance, with
 * whatever names and words, are in one split. FNV-1a of the UTF-16 units, modulo 100.
 */
export function splitOfInstance(instance: string): StorySplit {
  let hash = 0x811c9dc5;
  for (let i = 0; i < instance.length; i++) {
    hash = Math.imul(hash ^ instance.charCodeAt(i), 0x01000193);
  }
  const percent = (hash >>> 0) % 100;
  if (percent < heldOutPercent) return "test";
  return percent < 2 * heldOutPercent ? "validation" : "train";
}

/**
 * Story `index` of a split, the same for the same seed whatever was drawn before, so that a reader
 * may begin anywhere. Throws UsageError for a seed or index that is no whole number in range.
 */
export function storyAt(split: StorySplit, seed: number, index: number): Story {
  return tellStory(split, rngAt(seed, index));
}

/** The stories of a split from `start` on, without end. Throws UsageError as `storyAt` does. */
export function* stories(split: StorySplit, seed: number, start = 0): Generator<Story, never> {
  for (let index = start; ; index++) yield storyAt(split, seed, index);
}

/**
 * What models are trained on and judged by: story `index` of a split, and after about one in
 * five a question with its answer, so that a model learns what is asked of it.
 */
export function storyDocumentAt(split: StorySplit, seed: number, index: number): string {
  const rng = rngAt(seed, index);
  const { text, questions } = tellStory(split, rng);
  const asked = questions[randomInt(rng, documentsPerQuestion * Math.max(1, questions.length))];
  return asked ? `${promptOf(text, asked)} ${asked.options[asked.answer]!}` : text;
}

/** The documents of a split from `start` on, without end. Throws UsageError as `storyAt` does. */
export function* storyDocuments(
  split: StorySplit,
  seed: number,
  start = 0,
): Generator<string, never> {
  for (let index = start; ; index++) yield storyDocumentAt(split, seed, index);
}

/** What a model reads before it answers; each option follows it after a space. */
export function promptOf(text: string, { question }: StoryQuestion): string {
  return `${text}\n\nQuestion: ${question}\nAnswer:`;
}

function tellStory(split: StorySplit, rng: Rng): Story {
  for (;;) {
    const plot = storyPlots[randomInt(rng, storyPlots.length)]!;
    const teller = new StoryTeller(plot, rng);
    const { instance } = teller;
    if (splitOfInstance(instance) !== split) continue;
    const text = teller.tell();
    const numWords = text.split(/\s+/).length;
    if (numWords < storyWords.least || numWords > storyWords.most) continue;
    return { text, plot: plot.name, instance, questions: teller.ask(text) };
  }
}

function rngAt(seed: number, index: number): Rng {
  checkWhole("seed", seed, mostSeeds);
  checkWhole("index", index, mostIndices);
  return seededRng(seed * mostIndices + index);
}

function checkWhole(name: string, value: number, bound: number): void {
  if (Number.isInteger(value) && value >= 0 && value < bound) return;
  throw new UsageError(
    `There is no story with the ${name} ${value}: a whole number from 0 to ${bound - 1} is needed.`,
  );
}
