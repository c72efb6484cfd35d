/** `infinity corpus`: our stories, questions about them, and a tokenizer trained on them or on a text. */
import type { Command } from "commander";
import { UsageError } from "../core/errors.ts";
import { writeFileAtomically } from "../corpus/files.ts";
import {
  promptOf,
  stories,
  storyDocuments,
  storySplits,
  type StorySplit,
} from "../corpus/stories.ts";
import { readTextFile } from "../corpus/text-file.ts";
import {
  loadTokenizer,
  storyPreTokenizer,
  storySpecials,
  tokenizerJson,
} from "../corpus/tokenizer-file.ts";
import { trainBpe } from "../training/bpe.ts";
import { wholeNumber } from "./option-values.ts";
import { progressBar } from "./progress-bar.ts";

interface StoryOptions {
  split: string;
  count: number;
  seed: number;
  start: number;
}

interface TokenizerOptions {
  out: string;
  vocab: number;
  text?: string;
}

/** Training documents that the shipped tokenizer was trained on, and their seed. */
const tokenizerDocuments = 20_000;
const tokenizerSeed = 0;

/** Adds the subcommands of `infinity corpus`. */
export function define(command: Command): void {
  storyCommand(command, "stories", "print stories, about one in five with a question").action(
    printDocuments,
  );
  storyCommand(
    command,
    "questions",
    "print questions about stories, one JSON object a line: context, choices, answer",
  ).action(printQuestions);
  command
    .command("tokenizer")
    .description("train a byte-level tokenizer on our stories or on a text")
    .requiredOption("--out <file>", "the tokenizer.json to write")
    .option("--vocab <n>", "tokens in all", wholeNumber, 2048)
    .option("--text <file>", "learn from this text instead of our stories")
    .action(trainTokenizer);
  command.addHelpText(
    "after",
    `
Examples:
  infinity corpus stories --split validation --count 3
  infinity corpus questions --count 100 > questions.jsonl
  infinity corpus tokenizer --out datasets/tokenizer/tokenizer.json`,
  );
}

function storyCommand(command: Command, name: string, description: string): Command {
  return command
    .command(name)
    .description(description)
    .option("--split <name>", storySplits.join(", "), "validation")
    .option("--count <n>", "how many stories", wholeNumber, 1)
    .option("--seed <n>", "the same seed gives the same stories", wholeNumber, 0)
    .option("--start <n>", "the first story", wholeNumber, 0);
}

function printDocuments({ count, seed, start, split }: StoryOptions): void {
  const documents = storyDocuments(splitNamed(split), seed, start);
  for (let i = 0; i < count; i++) {
    process.stdout.write(`${i === 0 ? "" : "\n---\n\n"}${documents.next().value}\n`);
  }
}

function printQuestions({ count, seed, start, split }: StoryOptions): void {
  const all = stories(splitNamed(split), seed, start);
  for (let i = 0; i < count; i++) {
    const { text, questions } = all.next().value;
    for (const question of questions) {
      const { options, answer } = question;
      const choices = options.map((option) => ` ${option}`);
      const line = JSON.stringify({ context: promptOf(text, question), choices, answer });
      process.stdout.write(`${line}\n`);
    }
  }
}

async function trainTokenizer({ out, vocab, text }: TokenizerOptions): Promise<void> {
  const texts = text === undefined ? trainingDocuments() : [await readTextFile(text)];
  const vocabulary = trainBpe(texts, {
    vocabSize: vocab,
    specials: storySpecials,
    preTokenizer: storyPreTokenizer,
    progress: progressBar("tokens"),
  });
  await writeFileAtomically(out, tokenizerJson(vocabulary));
  const { vocabulary: read } = await loadTokenizer(out);
  process.stdout.write(
    `wrote ${out}: ${read.texts.length} tokens, ${vocabulary.merges.length} merges\n`,
  );
}

function* trainingDocuments(): Generator<string> {
  const documents = storyDocuments("train", tokenizerSeed);
  for (let i = 0; i < tokenizerDocuments; i++) yield documents.next().value;
}

function splitNamed(name: string): StorySplit {
  const split = storySplits.find((known) => known === name);
  if (split) return split;
  throw new UsageError(`There is no split ${name}; there are ${storySplits.join(", ")}.`);
}
