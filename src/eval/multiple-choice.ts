/**
 * Questions with given answers: a model chooses the answer that it thinks likeliest after the question.
 * Two rules are in use, and figures made by one say nothing beside those made by the other: the
 * probability of the whole answer ("acc" of lm-evaluation-harness), and the same per byte of the answer,
 * which takes the advantage from short answers (its "acc_norm").
 */
import { InputError } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import { forwardBatch } from "../model/llama.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { logProbability } from "./log-probability.ts";
import type { Scorer } from "./scored-rows.ts";

/** A question; an answer follows its context as it is written, with the space before it. */
export interface ChoiceQuestion {
  readonly context: string;
  readonly choices: readonly string[];
  /** The place of the right one in `choices`. */
  readonly answer: number;
}

/** What a model makes of a question. */
export interface ChoiceScores {
  /** ln p of each choice after the context. */
  readonly logProbabilities: readonly number[];
  /** The likeliest choice, and the likeliest by ln p per byte. */
  readonly best: number;
  readonly bestPerByte: number;
  /** Tokens of the context that the model had no room for, from its beginning. */
  readonly numDropped: number;
}

/** How many questions were answered rightly. */
export interface ChoiceFigures {
  readonly accuracy: number;
  /** √(p · (1 − p) / n), for accuracy p. */
  readonly standardError: number;
  readonly accuracyPerByte: number;
  readonly numQuestions: number;
  /** Questions whose beginning the model had no room for. */
  readonly numShortened: number;
}

export interface ChoiceOptions {
  /** Counts questions. */
  readonly progress?: Progress;
  /** Awaited before each question. */
  readonly pause?: () => Promise<void> | void;
}

const utf8 = new TextEncoder();

/**
 * Scores the choices of a question. Context and choice are cut into tokens together, as they would be
 * in a text; what the choices and the context alone have in common counts as the context. Throws
 * InputError for no choices, for an empty one, and for one that is longer than what the model looks
 * back on.
 */
export async function scoreChoices(
  { model, cache }: Scorer,
  tokenizer: Tokenizer,
  { context, choices }: ChoiceQuestion,
): Promise<ChoiceScores> {
  const { shared, rests } = splitTokens(tokenizer, context, choices);
  cache.truncate(0);
  const mostTokens = Math.min(cache.numFree, model.config.contextLength);
  const room = mostTokens - Math.max(...rests.map((rest) => rest.length));
  const prefix = shortened(shared, tokenizer, room);
  const expected = await readPrefix({ model, cache }, prefix);
  const logProbabilities: number[] = [];
  for (const rest of rests) {
    let total = logProbability(expected, rest[0]!);
    for (let at = 0; at < rest.length - 1; at += model.batchSize) {
      const tokens = rest.subarray(at, Math.min(at + model.batchSize, rest.length - 1));
      const logits = await run({ model, cache }, tokens, prefix.length + at, "all");
      for (const row of tokens.keys()) {
        const next = logits.subarray(row * model.vocabSize, (row + 1) * model.vocabSize);
        total += logProbability(next, rest[at + row + 1]!);
      }
    }
    cache.truncate(prefix.length);
    logProbabilities.push(total);
  }
  const perByte = logProbabilities.map((value, i) => value / utf8.encode(choices[i]).length);
  return {
    logProbabilities,
    best: greatest(logProbabilities),
    bestPerByte: greatest(perByte),
    numDropped: shared.length - prefix.length,
  };
}

/** Scores all questions. Throws as `scoreChoices` does, and for none. */
export async function answerQuestions(
  scorer: Scorer,
  tokenizer: Tokenizer,
  questions: readonly ChoiceQuestion[],
  { progress = silent, pause = () => undefined }: ChoiceOptions = {},
): Promise<ChoiceFigures> {
  const n = questions.length;
  if (n === 0) throw new InputError("There is no question, so there is no accuracy.");
  let numRight = 0;
  let numRightPerByte = 0;
  let numShortened = 0;
  try {
    for (const [i, question] of questions.entries()) {
      progress.update(i, n);
      await pause();
      const { best, bestPerByte, numDropped } = await scoreChoices(scorer, tokenizer, question);
      numRight += Number(best === question.answer);
      numRightPerByte += Number(bestPerByte === question.answer);
      numShortened += Number(numDropped > 0);
    }
  } finally {
    progress.finish();
  }
  const accuracy = numRight / n;
  return {
    accuracy,
    standardError: Math.sqrt((accuracy * (1 - accuracy)) / n),
    accuracyPerByte: numRightPerByte / n,
    numQuestions: n,
    numShortened,
  };
}

/** The tokens that all choices begin with, at most those of the context, and what follows in each. */
function splitTokens(
  tokenizer: Tokenizer,
  context: string,
  choices: readonly string[],
): { shared: Int32Array; rests: readonly Int32Array[] } {
  if (choices.length === 0 || choices.includes("")) {
    throw new InputError(
      "A question needs choices, and none of them may be empty: an empty answer has no probability.",
    );
  }
  const alone = withoutEnd(tokenizer, tokenizer.encode(context));
  const whole = choices.map((choice) => withoutEnd(tokenizer, tokenizer.encode(context + choice)));
  let numShared = 0;
  while (
    numShared < alone.length &&
    whole.every((tokens) => tokens[numShared] === alone[numShared] && tokens.length > numShared + 1)
  ) {
    numShared++;
  }
  if (numShared === 0) {
    throw new InputError(
      "A question without a context cannot be scored by a model without a begin token: give it a context.",
    );
  }
  return {
    shared: alone.subarray(0, numShared),
    rests: whole.map((tokens) => tokens.subarray(numShared)),
  };
}

/** Some models end every text with a token; an answer does not end there. */
function withoutEnd({ vocabulary }: Tokenizer, tokens: Int32Array): Int32Array {
  const isEnded = tokens.length > 1 && tokens.at(-1) === vocabulary.eos;
  return isEnded ? tokens.subarray(0, -1) : tokens;
}

/** The last of the tokens, as many as there is room for, behind the begin token where there was one. */
function shortened(tokens: Int32Array, { vocabulary }: Tokenizer, room: number): Int32Array {
  if (tokens.length <= room) return tokens;
  const begins = tokens[0] === vocabulary.bos ? tokens.subarray(0, 1) : new Int32Array();
  if (room < begins.length + 1) {
    throw new InputError(
      "An answer is longer than what the model looks back on; it cannot be scored by this model.",
    );
  }
  const kept = tokens.subarray(tokens.length - (room - begins.length));
  return Int32Array.of(...begins, ...kept);
}

/** Reads the context into the empty cache; returns what the model expects after it [vocabSize]. */
async function readPrefix(scorer: Scorer, prefix: Int32Array): Promise<Float32Array> {
  const { batchSize } = scorer.model;
  let expected = new Float32Array();
  for (let at = 0; at < prefix.length; at += batchSize) {
    const tokens = prefix.subarray(at, at + batchSize);
    const isLast = at + batchSize >= prefix.length;
    expected = await run(scorer, tokens, at, isLast ? "last" : "none");
  }
  return expected;
}

async function run(
  { model, cache }: Scorer,
  tokens: Int32Array,
  position: number,
  wanted: "last" | "all" | "none",
): Promise<Float32Array<ArrayBuffer>> {
  const positions = Int32Array.from(tokens, (_, i) => position + i);
  const [logits] = await forwardBatch(model, [{ tokens, positions, cache, wanted }]);
  return logits!;
}

/** The place of the greatest value, the first of them where some are equal. */
function greatest(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}
