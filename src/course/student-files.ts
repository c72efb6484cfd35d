/**
 * Where a project's files lie, and how a student's file is changed: never half, and never without a
 * copy of what was there.
 */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { InputError } from "../core/errors.ts";

/** The student's file of project `slug`, below the root. */
export function exerciseFile(slug: string): string {
  return `exercises/${slug}.ts`;
}

/** The same file as it was handed out. */
export function stubFile(slug: string): string {
  return `exercises/.stubs/${slug}.ts`;
}

/** The project's graded tests. */
export function testFile(slug: string): string {
  return `exercises/${slug}.test.ts`;
}

/** The text of `file` below `root`. Throws InputError where it is missing. */
export function readCourseFile(root: string, file: string): string {
  const path = join(root, file);
  if (!existsSync(path)) throw new InputError(`There is no file ${file} in ${root}.`);
  return readFileSync(path, "utf8");
}

/** Writes a file as a whole: a reader finds the old text or the new one. Makes its folder. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, text, { flush: true });
  renameSync(draft, path);
}

/** Keeps a copy of a student's file and returns where, below `root`, with `/` between folders. */
export function backUp(root: string, file: string, now: Date): string {
  const stamp = now.toISOString().replaceAll(":", "-");
  const folder = join(root, ".infinity", "backups");
  const name = file.split("/").at(-1)!.replace(/\.ts$/, "");
  let path = join(folder, `${name}.${stamp}.ts`);
  for (let copy = 2; existsSync(path); copy++) path = join(folder, `${name}.${stamp}.${copy}.ts`);
  writeWhole(path, readCourseFile(root, file));
  return relative(root, path).split(sep).join("/");
}
