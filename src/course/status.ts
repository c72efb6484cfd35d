/**
 * Where a student stands: the fifteen projects with what was reached in each, from the saved
 * progress. No test is run for it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { outlines } from "./outline.ts";
import type { OutlinedTest } from "./outline.ts";
import { loadProgress } from "./progress.ts";
import type { TestProgress } from "./progress.ts";
import { projects } from "./projects.ts";
import type { Project } from "./projects.ts";
import { sameCode } from "./regions.ts";
import type { TestReport } from "./report.ts";
import { exerciseFile, readCourseFile, stubFile, testFile } from "./student-files.ts";

type TestStatus = TestReport["status"];

/** One exercise: failed where one of its tests did, passed where all of them did. */
export interface ExerciseStatus {
  readonly name: string;
  readonly status: TestStatus;
  readonly points: number;
  readonly maxPoints: number;
  readonly tests: readonly { readonly name: string; readonly status: TestStatus }[];
}

/** What to do next: a failed test with the hints, or an exercise that is still to be written. */
export interface NextTest {
  readonly exercise: string;
  readonly test: string;
  readonly status: "failed" | "not run";
  /** The step of the ladder that the attempts so far have earned; null where there was none. */
  readonly hint: string | null;
  /** The whole ladder of a failed test. */
  readonly hints: readonly string[];
}

/** One project; paths are below the root. `next` is null where nothing is left to do. */
export interface ProjectStatus {
  readonly slug: string;
  readonly title: string;
  readonly level: Project["level"];
  readonly state: "planned" | "not begun" | "in progress" | "done";
  readonly notebook: string;
  readonly exerciseFile: string;
  readonly points: number;
  readonly maxPoints: number;
  readonly exercises: readonly ExerciseStatus[];
  readonly next: NextTest | null;
}

/** The whole course; `notice` is a sentence for the student where the progress was unreadable. */
export interface CourseStatus {
  readonly points: number;
  readonly maxPoints: number;
  readonly projects: readonly ProjectStatus[];
  readonly notice: string | null;
}

/** The course below `root`. */
export async function courseStatus(root: string): Promise<CourseStatus> {
  const begun = projects.map(({ slug }) => slug).filter((slug) => isThere(root, slug));
  const tests = await outlines(root, begun);
  const { progress, notice } = loadProgress(root);
  const all = projects.map((project) =>
    projectStatus(
      project,
      tests.get(project.slug) ?? null,
      progress.projects[project.slug] ?? {},
      begun.includes(project.slug) && wasEdited(root, project.slug),
    ),
  );
  return {
    points: sum(all.map(({ points }) => points)),
    maxPoints: sum(all.map(({ maxPoints }) => maxPoints)),
    projects: all,
    notice,
  };
}

/**
 * One project: `tests` null where it is only planned, `reached` by `exercise/test name`, `edited`
 * where the student's file is not as it was handed out.
 */
export function projectStatus(
  { slug, title, level }: Project,
  tests: readonly OutlinedTest[] | null,
  reached: Readonly<Record<string, TestProgress>>,
  edited: boolean,
): ProjectStatus {
  const statusOf = ({ exercise, name }: OutlinedTest): TestStatus =>
    reached[`${exercise}/${name}`]?.best ?? "not run";
  const names = [...new Set((tests ?? []).map(({ exercise }) => exercise))];
  const exercises = names.map((name) =>
    exerciseStatus(
      name,
      (tests ?? []).filter(({ exercise }) => exercise === name),
      statusOf,
    ),
  );
  return {
    ...{ slug, title, level },
    state: tests === null ? "planned" : stateOf(exercises, edited),
    notebook: notebookFile(slug),
    exerciseFile: exerciseFile(slug),
    points: sum(exercises.map(({ points }) => points)),
    maxPoints: sum(exercises.map(({ maxPoints }) => maxPoints)),
    exercises,
    next: nextTest(tests ?? [], statusOf, reached),
  };
}

function exerciseStatus(
  name: string,
  tests: readonly OutlinedTest[],
  statusOf: (test: OutlinedTest) => TestStatus,
): ExerciseStatus {
  const statuses = tests.map(statusOf);
  const unmet = statuses.includes("failed") ? "failed" : "not run";
  return {
    name,
    status: statuses.every((status) => status === "passed") ? "passed" : unmet,
    points: sum(tests.filter((_, i) => statuses[i] === "passed").map(({ points }) => points)),
    maxPoints: sum(tests.map(({ points }) => points)),
    tests: tests.map((test, i) => ({ name: test.name, status: statuses[i]! })),
  };
}

function stateOf(exercises: readonly ExerciseStatus[], edited: boolean): ProjectStatus["state"] {
  const statuses = exercises.flatMap(({ tests }) => tests.map(({ status }) => status));
  if (statuses.every((status) => status === "passed")) return "done";
  return edited || statuses.some((status) => status !== "not run") ? "in progress" : "not begun";
}

/** The first failed test; where none failed, the first that has not run. */
function nextTest(
  tests: readonly OutlinedTest[],
  statusOf: (test: OutlinedTest) => TestStatus,
  reached: Readonly<Record<string, TestProgress>>,
): NextTest | null {
  const failed = tests.find((test) => statusOf(test) === "failed");
  const { exercise, name, hints } =
    failed ?? tests.find((test) => statusOf(test) === "not run") ?? {};
  if (exercise === undefined || name === undefined || hints === undefined) return null;
  if (!failed) return { exercise, test: name, status: "not run", hint: null, hints: [] };
  const attempts = reached[`${exercise}/${name}`]?.attempts ?? 0;
  const hint = hints[Math.min(attempts, hints.length) - 1] ?? null;
  return { exercise, test: name, status: "failed", hint, hints };
}

function isThere(root: string, slug: string): boolean {
  return [notebookFile(slug), testFile(slug)].every((file) => existsSync(join(root, file)));
}

function wasEdited(root: string, slug: string): boolean {
  const files = [exerciseFile(slug), stubFile(slug)];
  if (!files.every((file) => existsSync(join(root, file)))) return false;
  const [written, stub] = files.map((file) => readCourseFile(root, file));
  return !sameCode(written!, stub!);
}

function notebookFile(slug: string): string {
  return `notebooks/${slug}.ipynb`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
