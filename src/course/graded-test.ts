/**
 * How graded tests are written: mocha tests with points and hints, which call the student's
 * functions in the student's own process and judge the answers here. The grader puts a `Grading`
 * into mocha's context; without one a graded test only says how it is run.
 *
 *     gradedExercise<typeof Exercise>("affineParams", (graded) => {
 *       graded("0 is representable", { points: 2, hints: ["…", "…", "…"] }, async (student, random) => {
 *         const { zero } = await student.affineParams(0.5, 2, 8, false);
 *         expectClose(zero, 0, "zero");
 *       });
 *     });
 */
import type { Context } from "mocha";
import type { z } from "zod";
import { UsageError } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import { SandboxFailure } from "../sandbox/failure.ts";
import type { Remote } from "../sandbox/remote.ts";
import { close, difference, equal, same } from "./compare.ts";

/** What one graded test is worth and how it helps. */
export interface GradedOptions {
  readonly points: number;
  /** The ladder: where to look, what is wrong, what to write. */
  readonly hints: readonly [string, string, string];
  /** Milliseconds that one call may take; a test whose honest answer is slow raises it. */
  readonly deadlineMs?: number;
}

/** Adds one graded test to the exercise. `random` is seeded: the same seed, the same inputs. */
export type Graded<Module> = (
  name: string,
  options: GradedOptions,
  body: (student: Remote<Module>, random: Rng) => Promise<void>,
) => void;

/** What must hold for every answer of a function, by its name: checked before a test sees it. */
export type AnswerSchemas = Readonly<Record<string, z.ZodType>>;

/** One graded test, as the grader finds it on mocha's test. */
export interface GradedTest extends GradedOptions {
  readonly exercise: string;
  readonly name: string;
  readonly answers: AnswerSchemas;
}

/** What the grader provides to the tests of one run, under `gradingKey` in mocha's context. */
export interface Grading {
  /** Why the test cannot run, for example because its exercise is not written yet; else null. */
  refusal(test: GradedTest): string | null;
  student(test: GradedTest): object;
  random(test: GradedTest): Rng;
  /** Tells why a test that is about to be skipped did not run. */
  notRun(test: GradedTest, reason: string): void;
}

export const gradingKey: unique symbol = Symbol.for("infinity-inference.grading");
export const gradedKey: unique symbol = Symbol.for("infinity-inference.graded-test");

/**
 * The graded tests of the exercise in region `exercise` of the file whose module is `Module`.
 * `answers` gives zod schemas for functions whose answer has a shape worth a sentence of its own.
 */
export function gradedExercise<Module extends object>(
  exercise: string,
  define: (graded: Graded<Module>) => void,
  { answers = {} }: { readonly answers?: AnswerSchemas } = {},
): void {
  describe(exercise, () => {
    define((name, options, body) => {
      const graded: GradedTest = { ...options, exercise, name, answers };
      const test = it(name, async function () {
        const grading = gradingOf(this);
        const refusal = grading.refusal(graded);
        const reason =
          refusal ??
          (await unwritten(() =>
            body(grading.student(graded) as Remote<Module>, grading.random(graded)),
          ));
        if (reason === null) return;
        grading.notRun(graded, reason);
        this.skip();
      });
      Object.assign(test, { [gradedKey]: graded });
    });
  });
}

function gradingOf(context: Context): Grading {
  const grading = (context as { [gradingKey]?: Grading })[gradingKey];
  if (grading) return grading;
  throw new UsageError(
    "Graded tests call the student's code in a process of its own: run them with `npx infinity grade`, not with mocha alone.",
  );
}

/** Runs a test and returns which stub it has reached, as a sentence, or null. */
async function unwritten(run: () => Promise<void>): Promise<string | null> {
  try {
    await run();
    return null;
  } catch (error) {
    if (error instanceof SandboxFailure && error.category === "unwritten") return error.message;
    throw error;
  }
}

/** An answer that is not the expected one; both are kept, for the report's picture. */
export class Mismatch extends Error {
  override readonly name: string = "Mismatch";
  readonly expected: unknown;
  readonly got: unknown;

  constructor(message: string, expected: unknown, got: unknown) {
    super(message);
    this.expected = expected;
    this.got = got;
  }
}

/** What the sentence calls the answer, and whether −0 must be told from 0. */
export interface Exactness {
  readonly label?: string;
  readonly signedZero?: boolean;
}

/**
 * Throws Mismatch unless `got` is `want`: lists in kind, length and every element, objects, maps and
 * sets in every member. NaN equals NaN; −0 equals 0 unless `signedZero` is set.
 */
export function expectEqual(got: unknown, want: unknown, exactness: string | Exactness = {}): void {
  const options: Exactness = typeof exactness === "string" ? { label: exactness } : exactness;
  const { label = "the answer", signedZero = false } = options;
  judge(difference(got, want, label, signedZero ? same : equal, true), want, got);
}

/** What the sentence calls the answer, and how near it must be. */
export interface Closeness {
  readonly label?: string;
  readonly tolerance?: number;
}

/**
 * Throws Mismatch unless every number of `got` is within `tolerance · max(1, |want|)` of `want`'s
 * (default 1e-6: a few float32 steps). Lists may differ in kind, not in length.
 */
export function expectClose(got: unknown, want: unknown, closeness: string | Closeness = {}): void {
  const options: Closeness = typeof closeness === "string" ? { label: closeness } : closeness;
  const { label = "the answer", tolerance = 1e-6 } = options;
  judge(difference(got, want, label, close(tolerance), false), want, got);
}

/** Throws Mismatch with `sentence` unless `holds`; `got` and `expected` are shown beside it. */
export function expectThat(
  holds: boolean,
  sentence: string,
  shown: { readonly got?: unknown; readonly expected?: unknown } = {},
): void {
  if (!holds) throw new Mismatch(`${sentence}.`, shown.expected, shown.got);
}

/**
 * Throws Mismatch unless the student's function throws, with a message that fits `message`. A hang,
 * an exit or a stub is not a throw.
 */
export async function expectThrows(
  call: Promise<unknown>,
  message: RegExp = /(?:)/,
): Promise<void> {
  let got: unknown;
  try {
    got = await call;
  } catch (error) {
    if (!(error instanceof SandboxFailure) || error.category !== "threw") throw error;
    const thrown = error.thrown ?? "";
    if (message.test(thrown)) return;
    throw new Mismatch("the error's message does not say what is wrong.", String(message), thrown);
  }
  throw new Mismatch("it must throw an error for this input, and it answered.", "an error", got);
}

function judge(found: string | null, want: unknown, got: unknown): void {
  if (found !== null) throw new Mismatch(`${found}.`, want, got);
}
