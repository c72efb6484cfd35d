/**
 * What tests share: outside data, and checks that a machine cannot run. A skip is *not run*: the
 * reporter prints its reason and counts it apart; in CI a check that had to run fails instead.
 */
import type { Context } from "mocha";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The repository's root folder. */
export const root: string = join(import.meta.dirname, "..");

/** Marks the running test as not run, for `reason`. */
export function notRun(test: Context, reason: string): never {
  (test.test ?? test.currentTest)!.title += ` [not run: ${reason}]`;
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
