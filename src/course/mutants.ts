/**
 * The proof that a project's tests grade: the worked solution earns everything, the stubs nothing,
 * each named mistake fails the test meant for it, and each test catches some mistake.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { InputError } from "../core/errors.ts";
import { gradeSource } from "./grader.ts";
import { parseRegions, replaceRegion } from "./regions.ts";
import type { GradeReport, TestReport } from "./report.ts";
import { readCourseFile, stubFile } from "./student-files.ts";

interface MutantOf {
  readonly name: string;
  /** The region of the solution that is changed. */
  readonly exercise: string;
  /** What the student got wrong, in one sentence. */
  readonly mistake: string;
  /** The test that must fail. */
  readonly killedBy: string;
}

/** A wrong answer: the solution with one text replaced (it must occur once), or with other code. */
export type Mutant =
  | (MutantOf & { readonly replace: readonly [from: string, to: string] })
  | (MutantOf & { readonly code: string });

/**
 * What is wrong with project `slug`'s tests, stubs, solution and mutants, one sentence each; none
 * when the proof holds.
 */
export async function proveProject(root: string, slug: string, seed = 1): Promise<string[]> {
  const solution = readCourseFile(root, `solutions/${slug}.ts`);
  const stub = readCourseFile(root, stubFile(slug));
  const mutants = await loadMutants(root, slug);
  const grade = (source: string, file: string, only?: string): Promise<GradeReport> =>
    gradeSource({
      root,
      slug,
      source,
      file,
      stub: null,
      seed,
      ...(only !== undefined && { only }),
    });
  const solved = await grade(solution, `solutions/${slug}.ts`);
  const problems = [
    ...wellFormed(solved, solution, stub),
    ...solutionProblems(solved),
    ...stubProblems(await grade(stub, stubFile(slug))),
  ];
  const caught = new Set<string>();
  for (const mutant of mutants) {
    const source = applyMutant(solution, mutant);
    if (source === null) {
      problems.push(
        `Mutant "${mutant.name}" does not apply: what it replaces must occur exactly once in region ${mutant.exercise}.`,
      );
      continue;
    }
    const report = await grade(source, `mutant "${mutant.name}"`, mutant.exercise);
    for (const { name, status } of report.tests)
      if (status === "failed") caught.add(`${mutant.exercise}/${name}`);
    problems.push(...mutantProblems(mutant, report));
  }
  const idle = solved.tests.filter(({ exercise, name }) => !caught.has(`${exercise}/${name}`));
  return [
    ...problems,
    ...idle.map(({ exercise, name }) => `No mutant of ${exercise} fails the test "${name}".`),
  ];
}

/** The solution with the mutant's mistake in it, or null where the mutant does not fit. */
export function applyMutant(solution: string, mutant: Mutant): string | null {
  const region = parseRegions(solution, "the solution").find(
    ({ name }) => name === mutant.exercise,
  );
  if (!region) return null;
  if ("code" in mutant) return replaceRegion(solution, region, mutant.code);
  const [from, to] = mutant.replace;
  const pieces = region.body.split(from);
  return pieces.length === 2 ? replaceRegion(solution, region, pieces.join(to)) : null;
}

async function loadMutants(root: string, slug: string): Promise<readonly Mutant[]> {
  const file = join(root, "solutions", `${slug}.mutants.ts`);
  const module = (await import(pathToFileURL(file).href)) as { mutants?: readonly Mutant[] };
  if (!module.mutants) throw new InputError(`solutions/${slug}.mutants.ts exports no \`mutants\`.`);
  return module.mutants;
}

function wellFormed(solved: GradeReport, solution: string, stub: string): string[] {
  const exercises = [...new Set(solved.tests.map(({ exercise }) => exercise))];
  const names = (text: string): string[] => parseRegions(text, "file").map(({ name }) => name);
  const keys = solved.tests.map(({ exercise, name }) => `${exercise}/${name}`);
  return [
    ...differing("The stubs", names(stub), exercises),
    ...differing("The solution", names(solution), exercises),
    ...keys
      .filter((key, i) => keys.indexOf(key) !== i)
      .map((key) => `Two tests are called ${key}.`),
    ...solved.tests
      .filter(({ maxPoints }) => maxPoints <= 0)
      .map(({ name }) => `Test "${name}" has no points.`),
    ...solved.tests
      .filter(({ hints }) => hints.length !== 3)
      .map(({ name }) => `Test "${name}" does not have three hints.`),
  ];
}

function differing(
  what: string,
  regions: readonly string[],
  exercises: readonly string[],
): string[] {
  return [
    ...exercises
      .filter((name) => !regions.includes(name))
      .map((name) => `${what} have no region ${name}.`),
    ...regions
      .filter((name) => !exercises.includes(name))
      .map((name) => `No test grades region ${name} of ${what.toLowerCase()}.`),
  ];
}

function solutionProblems(report: GradeReport): string[] {
  if (report.problem !== undefined) return [`The solution was not run: ${report.problem}`];
  return report.tests
    .filter(({ status }) => status !== "passed")
    .map(
      ({ exercise, name, message }) =>
        `The solution does not pass "${name}" of ${exercise}: ${message ?? ""}`,
    );
}

function stubProblems(report: GradeReport): string[] {
  if (report.problem !== undefined) return [`The stubs were not run: ${report.problem}`];
  return report.tests
    .filter(({ status }) => status !== "not run")
    .map(
      ({ exercise, name, status }) =>
        `A stub is ${status} by "${name}" of ${exercise}; it must not run.`,
    );
}

function mutantProblems(mutant: Mutant, report: GradeReport): string[] {
  if (report.problem !== undefined)
    return [`Mutant "${mutant.name}" was not run: ${report.problem}`];
  const meant: TestReport | undefined = report.tests.find(({ name }) => name === mutant.killedBy);
  if (!meant)
    return [
      `Mutant "${mutant.name}" names a test that ${mutant.exercise} does not have: "${mutant.killedBy}".`,
    ];
  if (meant.status === "failed") return [];
  return [
    `Mutant "${mutant.name}" of ${mutant.exercise} is not caught by "${mutant.killedBy}": ${meant.status}.`,
  ];
}
