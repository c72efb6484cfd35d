/**
 * Exercises in a notebook: a cell saves itself into its region of the exercise file, and a check
 * runs the course's grader. The kernel judges nothing: the grader is another process.
 */
import { execFile } from "node:child_process";
import { basename, join } from "node:path";
import type * as exerciseFile from "../../src/course/exercise-file.ts";
import type * as report from "../../src/course/report.ts";
import { InputError, UsageError } from "../../src/core/errors.ts";
import { escapeHtml, type MimeBundle } from "./mime.ts";

/** More than a report of any project takes; a grader that prints more is ended. */
const maxReportBytes = 64 * 2 ** 20;

/** What exercises need of the notebook: its repository, and its modules. */
export interface ExerciseContext {
  readonly root: string;
  /** The path of the notebook, where the server told it. */
  readonly notebook: string | undefined;
  readonly load: (specifier: string) => unknown;
}

/** Saves the body of a `%%exercise` cell. Throws UsageError or InputError of one sentence. */
export function saveExercise(context: ExerciseContext, name: string, code: string): MimeBundle {
  if (!/^\S+$/.test(name)) {
    throw new UsageError("Give one exercise to save into, as in %%exercise roundHalfEven.");
  }
  const course = context.load("infinity-inference/course/exercise-file") as typeof exerciseFile;
  const { message } = course.saveExercise(context.root, name, code, slugOf(context.notebook));
  return { "text/html": `<p>${escapeHtml(message)}</p>`, "text/plain": message };
}

/** A report, and how a notebook shows it. */
export interface ShownReport {
  readonly report: report.GradeReport;
  readonly bundle: MimeBundle;
}

/**
 * Grades a project, or one exercise of it, and gives the report. Throws UsageError where `args` are
 * not one or the other, and InputError where the grader gives no report.
 */
export async function gradeReport(
  context: ExerciseContext,
  args: readonly string[],
): Promise<ShownReport> {
  const [project, exercise, ...rest] = args;
  if (project === undefined || rest.length > 0) {
    throw new UsageError(
      "Give a project, and one of its exercises if you like, as in %%grade 01 roundHalfEven.",
    );
  }
  const only = exercise === undefined ? [] : ["--only", exercise];
  const graded = await runGrader(context.root, ["grade", project, ...only, "--json"]);
  const { reportHtml, reportText } = context.load(
    "infinity-inference/course/report",
  ) as typeof report;
  const bundle = { "text/html": reportHtml(graded), "text/plain": reportText(graded) };
  return { report: graded, bundle };
}

/** The project of a notebook that is named as one: `…/01-linear-quantizer.ipynb`. */
function slugOf(notebook: string | undefined): string | undefined {
  const name = basename(notebook ?? "", ".ipynb");
  return /^\d\d-[a-z0-9-]+$/.test(name) ? name : undefined;
}

function runGrader(root: string, args: readonly string[]): Promise<report.GradeReport> {
  const command = join(root, "src", "cli", "infinity.js");
  return new Promise((resolve, reject) => {
    const options = { cwd: root, maxBuffer: maxReportBytes };
    execFile(process.execPath, [command, ...args], options, (error, stdout, stderr) => {
      const graded = parseReport(stdout);
      // A submission that fails ends with status 1 and a report; only a report counts.
      if (graded) resolve(graded);
      else
        reject(
          new InputError(
            stderr.trim().replace(/^infinity: /, "") ||
              (error?.message ?? "The grader gave no report."),
          ),
        );
    });
  });
}

function parseReport(text: string): report.GradeReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { slug, tests } = (value ?? {}) as Partial<report.GradeReport>;
  return typeof slug === "string" && Array.isArray(tests)
    ? (value as report.GradeReport)
    : undefined;
}
