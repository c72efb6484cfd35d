/**
 * Grades one project: its mocha tests run here, in the trusted process, and call the student's code
 * in another. Only tests that ran and passed earn points, and each test of the file is accounted
 * for. What a student's process can do is to give wrong answers, or none.
 */
import Mocha from "mocha";
import { randomUUID } from "node:crypto";
import { basename, join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { InputError, UsageError, nearestNames } from "../core/errors.ts";
import { compileModule } from "../sandbox/module-source.ts";
import { readModule } from "../sandbox/open-module.ts";
import { bundleRunner } from "../sandbox/program.ts";
import { Sandbox } from "../sandbox/sandbox.ts";
import { Mismatch, gradedKey, gradingKey } from "./graded-test.ts";
import type { GradedTest } from "./graded-test.ts";
import { StudentGrading } from "./grading.ts";
import { parseRegions, sameCode } from "./regions.ts";
import { shown } from "./report.ts";
import type { GradeReport, TestReport } from "./report.ts";
import { readCourseFile, stubFile, testFile } from "./student-files.ts";

/** `from` is the folder with the submission, relative to `root`; `only` names one exercise. */
export interface GradeOptions {
  readonly root: string;
  readonly slug: string;
  readonly from: string;
  readonly seed: number;
  readonly only?: string;
}

/** A submission as text; `stub` is what it was before anything was written, null to run it anyway. */
export interface Submission {
  readonly root: string;
  readonly slug: string;
  readonly source: string;
  /** Its name in messages. */
  readonly file: string;
  readonly stub: string | null;
  readonly seed: number;
  readonly only?: string;
}

/**
 * Grades the file of project `slug` in folder `from`. Throws InputError where there is none,
 * UsageError for an unknown exercise.
 */
export async function gradeProject(options: GradeOptions): Promise<GradeReport> {
  const { root, slug, from, seed, only } = options;
  const path = resolve(root, from, `${slug}.ts`);
  return gradeSource({
    ...{ root, slug, seed, ...(only !== undefined && { only }) },
    source: readModule(path),
    file: relative(root, path).split(sep).join("/"),
    stub: readCourseFile(root, stubFile(slug)),
  });
}

/**
 * As `gradeProject`, for a submission that is no file. One grading at a time in a process: while a
 * file of tests loads, mocha's functions are global.
 */
export async function gradeSource(submission: Submission): Promise<GradeReport> {
  const suite = await loadSuite(join(submission.root, testFile(submission.slug)), submission.only);
  const outcomes = new Map<GradedTest, Outcome>();
  const problem = await run(suite, submission, outcomes).finally(() => {
    suite.mocha.dispose();
  });
  const tests = suite.tests.map((test) => reportOf(test, outcomes.get(test), problem));
  return {
    slug: submission.slug,
    ...(problem !== null && { problem }),
    tests,
    points: tests.reduce((sum, { points }) => sum + points, 0),
    maxPoints: tests.reduce((sum, { maxPoints }) => sum + maxPoints, 0),
  };
}

interface LoadedSuite {
  readonly mocha: Mocha;
  readonly tests: readonly GradedTest[];
}

interface Outcome {
  readonly status: TestReport["status"];
  readonly message: string | null;
  readonly mismatch?: Mismatch;
  readonly output: string;
}

/** Why nothing could be run, or null when everything was. */
async function run(
  suite: LoadedSuite,
  submission: Submission,
  outcomes: Map<GradedTest, Outcome>,
): Promise<string | null> {
  let program;
  let unwritten;
  try {
    unwritten = unwrittenExercises(submission);
    program = await compileModule(submission.source, submission.file);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  const sandbox = new Sandbox({ runner: await bundleRunner(), program });
  try {
    await runSuite(
      suite.mocha,
      new StudentGrading(sandbox, unwritten, submission.seed),
      (test, outcome) => {
        outcomes.set(test, { ...outcome, output: sandbox.takeOutput() });
      },
    );
  } finally {
    sandbox.dispose();
  }
  return null;
}

/** The exercises whose region is still the stub's. */
function unwrittenExercises({ source, file, stub, slug }: Submission): Set<string> {
  const regions = parseRegions(source, file);
  if (stub === null) return new Set();
  const stubs = new Map(parseRegions(stub, stubFile(slug)).map(({ name, body }) => [name, body]));
  const untouched = regions.filter(({ name, body }) => sameCode(body, stubs.get(name) ?? ""));
  return new Set(untouched.map(({ name }) => name));
}

/** Loads a file of graded tests into a mocha of its own; other exercises than `only` are left out. */
async function loadSuite(file: string, only: string | undefined): Promise<LoadedSuite> {
  const mocha = new Mocha({ timeout: 0, reporter: Mocha.reporters.Base });
  const { EVENT_FILE_PRE_REQUIRE } = Mocha.Suite.constants;
  mocha.suite.emit(EVENT_FILE_PRE_REQUIRE, globalThis, file, mocha);
  // Anew for each grading: a module that was imported before would add no tests.
  await import(`${pathToFileURL(file).href}?grading=${randomUUID()}`);
  const exercises = mocha.suite.suites.map(({ title }) => title);
  if (only !== undefined && !exercises.includes(only)) {
    throw new UsageError(
      `${basename(file)} has no exercise "${only}"; it has ${nearestNames(only, exercises, exercises.length).join(", ")}.`,
    );
  }
  if (only !== undefined)
    mocha.suite.suites = mocha.suite.suites.filter(({ title }) => title === only);
  const tests: GradedTest[] = [];
  mocha.suite.eachTest((test: Mocha.Test) => tests.push(gradedOf(test)));
  return { mocha, tests };
}

function gradedOf(test: object & { title?: string }): GradedTest {
  const graded = (test as { [gradedKey]?: GradedTest })[gradedKey];
  if (graded) return graded;
  throw new Error(`"${test.title ?? ""}" is not a graded test: write it with gradedExercise.`);
}

/** Characters of a message, which may repeat what the student's process answered. */
const maxMessage = 1000;

type Report = (test: GradedTest, outcome: Omit<Outcome, "output">) => void;

function runSuite(mocha: Mocha, grading: StudentGrading, report: Report): Promise<void> {
  Object.assign(mocha.suite.ctx, { [gradingKey]: grading });
  return new Promise((resolve) => {
    const runner = mocha.run(() => {
      resolve();
    });
    runner.on("pass", (test) => {
      report(gradedOf(test), { status: "passed", message: null });
    });
    runner.on("pending", (test) => {
      const graded = gradedOf(test);
      report(graded, { status: "not run", message: grading.reasonFor(graded) });
    });
    runner.on("fail", (test, error: unknown) => {
      report(gradedOf(test), failure(error));
    });
  });
}

function failure(error: unknown): Omit<Outcome, "output"> {
  if (error instanceof Mismatch)
    return { status: "failed", message: error.message.slice(0, maxMessage), mismatch: error };
  const message = (error instanceof Error ? error.message : String(error)).slice(0, maxMessage);
  const known = error instanceof InputError;
  return {
    status: "failed",
    message: known ? message : `The test could not use the answer: ${message}.`,
  };
}

function reportOf(
  test: GradedTest,
  outcome: Outcome | undefined,
  problem: string | null,
): TestReport {
  const { name, exercise, points, hints } = test;
  const status = outcome?.status ?? "not run";
  const { mismatch } = outcome ?? {};
  return {
    ...{ name, exercise, status, hints, maxPoints: points },
    points: status === "passed" ? points : 0,
    hint: status === "failed" ? hints[0] : null,
    message: outcome ? outcome.message : (problem ?? "The run ended before this test."),
    ...(mismatch?.expected !== undefined && { expected: shown(mismatch.expected) }),
    ...(mismatch && { got: shown(mismatch.got) }),
    ...(outcome && outcome.output !== "" && { output: outcome.output }),
  };
}
