/**
 * What a student has reached, in `.infinity/progress.json`: the best status of each test and how
 * often it was tried, which decides the hint. Practice only: nobody is marked by it.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseRegions, settled } from "./regions.ts";
import type { GradeReport, TestReport } from "./report.ts";
import { writeWhole } from "./student-files.ts";

/** What one test has seen. */
export interface TestProgress {
  best: TestReport["status"];
  /** Failed gradings with code that was not graded before. */
  attempts: number;
  /** Hash of the exercise's code at the last failed grading. */
  code: string;
}

/** The file's content; tests by slug, then by `exercise/test name`. */
export interface Progress {
  version: 1;
  projects: Record<string, Record<string, TestProgress>>;
}

const progressSchema: z.ZodType<Progress> = z.object({
  version: z.literal(1),
  projects: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        best: z.enum(["passed", "failed", "not run"]),
        attempts: z.int().nonnegative(),
        code: z.string(),
      }),
    ),
  ),
});

/** A student's progress, and a sentence for them where the file had to be set aside. */
export interface LoadedProgress {
  readonly progress: Progress;
  readonly notice: string | null;
}

/** Reads the progress below `root`. A file that is no progress is renamed, not overwritten. */
export function loadProgress(root: string): LoadedProgress {
  const path = progressPath(root);
  const empty: Progress = { version: 1, projects: {} };
  if (!existsSync(path)) return { progress: empty, notice: null };
  try {
    return { progress: progressSchema.parse(JSON.parse(readFileSync(path, "utf8"))), notice: null };
  } catch {
    renameSync(path, `${path}.unreadable`);
    const notice = `.infinity/progress.json could not be read and is now progress.json.unreadable; hints start over, your exercises are untouched.`;
    return { progress: empty, notice };
  }
}

/** Writes the progress below `root`. */
export function saveProgress(root: string, progress: Progress): void {
  writeWhole(progressPath(root), `${JSON.stringify(progress, null, 1)}\n`);
}

/**
 * `progress` after a grading of `source`, and the report with the hints that it has earned: the
 * first failure shows the first, and a failure with other code the next.
 */
export function recordGrading(
  progress: Progress,
  report: GradeReport,
  source: string,
): { progress: Progress; report: GradeReport } {
  const codes = regionHashes(source, report);
  const before = progress.projects[report.slug] ?? {};
  const project = { ...before };
  const tests = report.tests.map((test): TestReport => {
    const key = `${test.exercise}/${test.name}`;
    const now = next(before[key], test, codes.get(test.exercise) ?? "");
    project[key] = now;
    if (test.status !== "failed") return test;
    return { ...test, hint: test.hints[Math.min(now.attempts, test.hints.length) - 1] ?? null };
  });
  const projects = { ...progress.projects, [report.slug]: project };
  return { progress: { ...progress, projects }, report: { ...report, tests } };
}

function next(before: TestProgress | undefined, test: TestReport, code: string): TestProgress {
  const { best = "not run", attempts = 0, code: tried = "" } = before ?? {};
  const order = ["not run", "failed", "passed"] as const;
  const better = order.indexOf(test.status) > order.indexOf(best) ? test.status : best;
  if (test.status !== "failed") return { best: better, attempts, code: tried };
  return { best: better, attempts: code === tried ? attempts : attempts + 1, code };
}

function regionHashes(source: string, report: GradeReport): Map<string, string> {
  // A file whose regions are broken was not run, and nothing in it was tried.
  if (report.problem !== undefined) return new Map();
  return new Map(
    parseRegions(source, report.slug).map(({ name, body }) => [
      name,
      createHash("sha256").update(settled(body)).digest("hex").slice(0, 16),
    ]),
  );
}

function progressPath(root: string): string {
  return join(root, ".infinity", "progress.json");
}
