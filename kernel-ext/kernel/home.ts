/**
 * Where the kernel is installed and which repository it serves. Both the bundle (`build/kernel`)
 * and its source (`kernel-ext/kernel`) lie two folders below the root.
 */
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** The repository that the kernel itself belongs to. */
export const home: string = join(import.meta.dirname, "..", "..");

/** Loads the kernel's own packages, wherever the notebook lies. */
export const requireFromHome: NodeJS.Require = createRequire(join(home, "package.json"));

/** The repository whose `src` notebooks import: the kernel's own unless INFINITY_ROOT names another. */
export function courseRoot(environment: NodeJS.ProcessEnv): string {
  // One module must have one path, however it is reached.
  return realpathSync(environment["INFINITY_ROOT"] ?? home);
}

/** Where the cells of earlier sessions are remembered, unless INFINITY_HISTORY names a file. */
export function historyFile(environment: NodeJS.ProcessEnv): string {
  return (
    environment["INFINITY_HISTORY"] ?? join(courseRoot(environment), ".infinity", "history.jsonl")
  );
}

/** Whether Node was started with `file`, a module's own file name. */
export function isEntry(file: string): boolean {
  const [, entry] = process.argv;
  return entry !== undefined && realpathSync(entry) === file;
}
