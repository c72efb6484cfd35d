/** Opens a file of somebody's code for calls: read, checked, transpiled, in a process of its own. */
import { readFileSync, statSync } from "node:fs";
import { InputError } from "../core/errors.ts";
import { compileModule, maxModuleBytes } from "./module-source.ts";
import { bundleRunner } from "./program.ts";
import { Sandbox } from "./sandbox.ts";

/**
 * The module in `file`, ready to be called; each call may take `deadlineMs`. Dispose of it. Throws
 * InputError where the file cannot be read or used.
 */
export async function openModule(
  file: string,
  { deadlineMs }: { readonly deadlineMs?: number } = {},
): Promise<Sandbox> {
  const program = await compileModule(readModule(file), file);
  const sandbox = new Sandbox({ runner: await bundleRunner(), program });
  if (deadlineMs !== undefined) sandbox.deadlineMs = deadlineMs;
  return sandbox;
}

/** The text of a module's file. Throws InputError where there is none, or too much of it. */
export function readModule(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile()) throw new InputError(`There is no file ${file}.`);
  if (found.size > maxModuleBytes) {
    throw new InputError(`${file} has ${found.size} bytes; at most ${maxModuleBytes} are read.`);
  }
  return readFileSync(file, "utf8");
}
