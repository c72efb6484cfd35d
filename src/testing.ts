/**
 * What tests share: outside data, and checks that a machine cannot run. A skip is *not run*: the
 * reporter prints its reason and counts it apart; in CI a check that had to run fails instead.
 */
import type { Context } from "mocha";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/** The repository's root folder. */
export const root: string = join(import.meta.dirname, "..");

/** Marks the running test, or the one that a hook prepares, as not run, for `reason`. */
export function notRun(test: Context, reason: string): never {
  // In a hook, `test` is the hook.
  (test.currentTest ?? test.test)!.title += ` [not run: ${reason}]`;
  return test.skip();
}

/** As `notRun`, but a failure where CI is set: a browser or kernel check must run there. */
export function notRunOutsideCi(test: Context, reason: string): never {
  if (process.env["CI"]) throw new Error(`This check must run in CI, and did not: ${reason}`);
  return notRun(test, reason);
}

/** The path of a file below INFINITY_DATA; the running test is not run where it is absent. */
export function outsideData(test: Context, path: string): string {
  const folder = process.env["INFINITY_DATA"];
  if (!folder) return notRun(test, "INFINITY_DATA names no folder");
  const file = join(folder, path);
  return existsSync(file) ? file : notRun(test, `INFINITY_DATA holds no ${path}`);
}

/** The error that a promise is rejected with; throws where it is fulfilled. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error("The promise was fulfilled, and an error was expected.");
}

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `infinity` with `args` in the repository's root, as a user would. */
export function runInfinity(...args: readonly string[]): CommandResult {
  const command = join(root, "src", "cli", "infinity.js");
  const result = spawnSync(process.execPath, [command, ...args], {
    cwd: root,
    encoding: "utf8",
    timeout: 300_000,
  });
  if (result.error) throw result.error;
  return result;
}

/** Copies what the course reads and what a student writes; packages are only linked. */
export function copyCourse(folder: string): void {
  for (const name of [
    "src",
    "notebooks",
    "exercises",
    "datasets",
    "package.json",
    "tsconfig.json",
  ]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
}
