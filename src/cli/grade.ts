/** `infinity grade`: the graded tests of one project or all, against the student's files. */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { InputError } from "../core/errors.ts";
import { gradeProject } from "../course/grader.ts";
import { loadProgress, recordGrading, saveProgress } from "../course/progress.ts";
import { findProject, projects } from "../course/projects.ts";
import { reportText } from "../course/report.ts";
import type { GradeReport } from "../course/report.ts";
import { exerciseFile, readCourseFile, testFile } from "../course/student-files.ts";

interface Options {
  readonly from: string;
  readonly only?: string;
  readonly seed: number;
  readonly json?: true;
}

const root = join(import.meta.dirname, "..", "..");

/** Adds the arguments, options and action of `infinity grade`. */
export function define(command: Command): void {
  command
    .argument("<project>", "a slug, a number such as 01, or all")
    .option("--from <folder>", "where the submission lies", "exercises")
    .option("--only <exercise>", "grade this exercise alone")
    .option("--seed <n>", "seed of the random inputs", wholeNumber, 1)
    .option("--json", "print the result for programs")
    .action(async (project: string, options: Options) => {
      // A signal would end this process without ending the student's.
      for (const signal of ["SIGINT", "SIGTERM"] as const)
        process.once(signal, () => process.exit(130));
      const all = project === "all";
      const reports: GradeReport[] = [];
      for (const slug of all ? begunSlugs() : [findProject(project).slug])
        reports.push(await grade(slug, options));
      if (options.json)
        process.stdout.write(`${JSON.stringify(all ? reports : reports[0], null, 2)}\n`);
      else process.stdout.write(reports.map(reportText).join("\n"));
      const passed = reports.every(({ tests }) => tests.every(({ status }) => status === "passed"));
      process.exitCode = passed ? 0 : 1;
    });
}

async function grade(slug: string, { from, only, seed }: Options): Promise<GradeReport> {
  if (!existsSync(join(root, testFile(slug)))) {
    throw new InputError(
      `${slug} has no graded tests yet; \`npx infinity grade all\` grades what there is.`,
    );
  }
  const report = await gradeProject({
    root,
    slug,
    from,
    seed,
    ...(only !== undefined && { only }),
  });
  // Progress is the student's own: grading anything else does not touch it.
  if (resolve(root, from) !== join(root, "exercises")) return report;
  const { progress, notice } = loadProgress(root);
  if (notice !== null) process.stderr.write(`infinity: ${notice}\n`);
  const recorded = recordGrading(progress, report, readCourseFile(root, exerciseFile(slug)));
  saveProgress(root, recorded.progress);
  return recorded.report;
}

function begunSlugs(): string[] {
  return projects.map(({ slug }) => slug).filter((slug) => existsSync(join(root, testFile(slug))));
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError("give a whole number from 0.");
  return value;
}
