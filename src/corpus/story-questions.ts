/** Questions about our stories, as multiple choice: what a model of stories remembers of one. */
import type { ChoiceQuestion } from "../eval/multiple-choice.ts";
import { promptOf, stories, type StorySplit } from "./stories.ts";

/**
 * The first `count` questions of a split's stories from story 0 of `seed` on; each choice follows its
 * context after a space. Throws UsageError as `storyAt` does.
 */
export function storyQuestions(split: StorySplit, seed: number, count: number): ChoiceQuestion[] {
  const found: ChoiceQuestion[] = [];
  const all = stories(split, seed);
  while (found.length < count) {
    const { text, questions } = all.next().value;
    for (const question of questions) {
      const choices = question.options.map((option) => ` ${option}`);
      found.push({ context: promptOf(text, question), choices, answer: question.answer });
    }
  }
  return found.slice(0, count);
}
