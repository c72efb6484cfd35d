/**
 * Files of multiple-choice questions: one JSON object a line, with `context`, `choices` and `answer`,
 * the place of the right choice, from 0.
 */
import { z } from "zod";
import { InputError } from "../core/errors.ts";
import type { ChoiceQuestion } from "../eval/multiple-choice.ts";
import { readTextFile } from "./text-file.ts";

const questionSchema: z.ZodType<ChoiceQuestion> = z
  .object({
    context: z.string().min(1),
    choices: z.array(z.string().min(1)).min(2).max(100),
    answer: z.int().nonnegative(),
  })
  .refine(({ choices, answer }) => answer < choices.length, {
    error: "there is no choice of that number",
    path: ["answer"],
  });

/**
 * The questions of a file, at most `most`. Throws InputError, with the line, where a line is none, and
 * for a file without any.
 */
export async function readChoiceFile(
  path: string,
  most: number = Infinity,
): Promise<ChoiceQuestion[]> {
  const questions: ChoiceQuestion[] = [];
  for (const [i, line] of (await readTextFile(path)).split("\n").entries()) {
    if (questions.length >= most) break;
    if (line.trim() !== "") questions.push(parseLine(path, i + 1, line));
  }
  if (questions.length > 0) return questions;
  throw new InputError(`${path} holds no question; one JSON object a line is needed.`);
}

/** The text of such a file. */
export function choiceFileText(questions: Iterable<ChoiceQuestion>): string {
  return Array.from(
    questions,
    ({ context, choices, answer }) => `${JSON.stringify({ context, choices, answer })}\n`,
  ).join("");
}

function parseLine(path: string, number: number, line: string): ChoiceQuestion {
  try {
    return questionSchema.parse(JSON.parse(line));
  } catch (error) {
    const reason =
      error instanceof z.ZodError
        ? z.prettifyError(error).replaceAll("\n", " ")
        : "it is no JSON object";
    throw new InputError(
      `Line ${number} of ${path} is no question with context, choices and answer: ${reason}.`,
      { cause: error },
    );
  }
}
