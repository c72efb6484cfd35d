/** `infinity course`: the fifteen projects and what was reached in each; no test is run. */
import type { Command } from "commander";
import { join } from "node:path";
import { courseStatus } from "../course/status.ts";
import type { CourseStatus, ProjectStatus } from "../course/status.ts";

const root = join(import.meta.dirname, "..", "..");

/** Adds the options and action of `infinity course`. */
export function define(command: Command): void {
  command
    .option("--json", "print the result for programs")
    .action(async ({ json }: { json?: true }) => {
      const course = await courseStatus(root);
      if (course.notice !== null) process.stderr.write(`infinity: ${course.notice}\n`);
      process.stdout.write(json ? `${JSON.stringify(course, null, 2)}\n` : courseText(course));
    });
}

function courseText({ points, maxPoints, projects }: CourseStatus): string {
  const done = projects.filter(({ state }) => state === "done").length;
  const header = ["#", "project", "state", "points"];
  const rows = [header, ...projects.map(cells)];
  const widths = header.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) => aligned(row, widths));
  const current = projects.find(({ state, next }) => state === "in progress" && next !== null);
  return `${[...lines, "", `${points} of ${maxPoints} points, ${done} of ${projects.length} projects done`, ...(current ? nextLines(current) : [])].join("\n")}\n`;
}

function cells({ slug, title, state, points, maxPoints }: ProjectStatus): string[] {
  const score = state === "planned" ? "" : `${points}/${maxPoints}`;
  return [String(Number(slug.slice(0, 2))), title, state, score];
}

/** The first and last column to the right: they hold numbers. */
function aligned(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, i) =>
      i === 0 || i === row.length - 1 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
    )
    .join("  ")
    .trimEnd();
}

function nextLines({ slug, next }: ProjectStatus): string[] {
  const { exercise, test, status, hint } = next!;
  const state = status === "failed" ? "failed" : "has not run yet";
  return [
    "",
    `next in ${slug}: ${exercise}, where "${test}" ${state}`,
    ...(hint === null ? [] : [`  hint: ${hint}`]),
    `  npx infinity grade ${slug.slice(0, 2)} --only ${exercise}`,
  ];
}
