/**
 * Puts an exercise into its region of the student's file, from a notebook cell or back to the stub.
 * Whatever is overwritten is kept in `.infinity/backups`.
 */
import { transformSync } from "esbuild";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { InputError, UsageError, nearestNames } from "../core/errors.ts";
import { findProject } from "./projects.ts";
import { parseRegions, replaceRegion, sameCode } from "./regions.ts";
import type { Region } from "./regions.ts";
import { backUp, exerciseFile, readCourseFile, stubFile, writeWhole } from "./student-files.ts";

/** What became of one exercise. `message` is for the student; `backup` is what it replaced. */
export interface SavedExercise {
  slug: string;
  file: string;
  status: "saved" | "unchanged" | "kept";
  backup?: string;
  message: string;
}

/**
 * Saves `code` into region `name` of the one exercise file that has it (`slug` decides where several
 * do). What the stub exports is exported, whether or not the cell says so. A cell that still holds
 * the stub never replaces work. Throws UsageError for an unknown name, InputError for code that
 * does not define what the exercise asks for, or does not go with the rest of the file.
 */
export function saveExercise(
  root: string,
  name: string,
  code: string,
  slug?: string,
  now: Date = new Date(),
): SavedExercise {
  const place = findExercise(root, name, slug);
  const { file, text, region, stub } = place;
  const body = exported(code, stub.body, name);
  const saved = { slug: place.slug, file };
  if (sameCode(body, region.body)) {
    return { ...saved, status: "unchanged", message: `${name} in ${file} is unchanged.` };
  }
  if (sameCode(body, stub.body)) {
    const number = place.slug.slice(0, 2);
    const message = `This cell still holds the stub, and ${file} holds your ${name}: yours was kept. Copy it from the file to go on with it, or start over with \`npx infinity reset ${number} ${name}\`.`;
    return { ...saved, status: "kept", message };
  }
  const changed = replaceRegion(text, region, body);
  checkSyntax(changed, file);
  const backup = sameCode(region.body, stub.body) ? undefined : backUp(root, file, now);
  writeWhole(join(root, file), changed);
  const kept = backup === undefined ? "" : ` What was there before is in ${backup}.`;
  const message = `Saved ${name} in ${file}.${kept}`;
  return { ...saved, status: "saved", message, ...(backup !== undefined && { backup }) };
}

/**
 * Puts the stub of region `name`, or of the whole file, back into the student's file. Throws
 * UsageError for an unknown project or name.
 */
export function resetExercise(
  root: string,
  project: string,
  name?: string,
  now: Date = new Date(),
): SavedExercise {
  const { slug } = findProject(project);
  const file = exerciseFile(slug);
  if (!existsSync(join(root, stubFile(slug)))) {
    throw new InputError(`${slug} has no exercises yet, so there is nothing to reset.`);
  }
  const stubText = readCourseFile(root, stubFile(slug));
  const begun = existsSync(join(root, file));
  const changed = name === undefined || !begun ? stubText : withStub(root, name, slug);
  if (begun && changed === readCourseFile(root, file)) {
    return { slug, file, status: "unchanged", message: `${file} holds the stub already.` };
  }
  const backup = begun ? backUp(root, file, now) : undefined;
  writeWhole(join(root, file), changed);
  const what = name === undefined ? file : `${name} in ${file}`;
  const kept = backup === undefined ? "" : ` What was there before is in ${backup}.`;
  const message = `Restored the stub of ${what}.${kept}`;
  return { slug, file, status: "saved", message, ...(backup !== undefined && { backup }) };
}

function withStub(root: string, name: string, slug: string): string {
  const { text, region, stub } = findExercise(root, name, slug);
  return replaceRegion(text, region, stub.body);
}

interface Place {
  readonly slug: string;
  readonly file: string;
  readonly text: string;
  readonly region: Region;
  readonly stub: Region;
}

function findExercise(root: string, name: string, project?: string): Place {
  const slugs = project === undefined ? begunSlugs(root) : [findProject(project).slug];
  const stubs = slugs.flatMap((slug) =>
    parseRegions(readCourseFile(root, stubFile(slug)), stubFile(slug)).map((stub) => ({
      slug,
      stub,
    })),
  );
  const found = stubs.filter(({ stub }) => stub.name === name);
  if (found.length > 1) {
    const owners = found.map(({ slug }) => slug).join(" and ");
    throw new UsageError(`${owners} each have an exercise ${name}: say which project is meant.`);
  }
  if (!found[0]) {
    const near = nearestNames(
      name,
      stubs.map(({ stub }) => stub.name),
    );
    throw new UsageError(`There is no exercise "${name}"; the nearest are ${near.join(", ")}.`);
  }
  const { slug, stub } = found[0];
  const file = exerciseFile(slug);
  const text = readCourseFile(root, file);
  const region = parseRegions(text, file).find((candidate) => candidate.name === name);
  if (region) return { slug, file, text, region, stub };
  throw new InputError(
    `${file} has lost its region ${name}: put the lines \`// #region ${name}\` and \`// #endregion\` back, or restore the file with \`npx infinity reset ${slug.slice(0, 2)}\`.`,
  );
}

function begunSlugs(root: string): string[] {
  return readdirSync(join(root, "exercises", ".stubs"))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.slice(0, -".ts".length));
}

/** `code` with `export` before each top-level declaration of a name that the stub exports. */
function exported(code: string, stub: string, exercise: string): string {
  let text = code.replace(/^\s*\n/, "");
  for (const name of exportedNames(stub)) {
    if (!declarationOf(name).test(text)) {
      throw new InputError(
        `Exercise ${exercise} was not saved: the cell does not define ${name} at its outermost level.`,
      );
    }
    text = text.replace(declarationOf(name), "export ");
  }
  return text;
}

/** The names behind `export`, some keywords, and before what follows a name. */
function exportedNames(stub: string): string[] {
  const declarations =
    /^export\s+(?:[a-z]+[\s*]+)+?([\w$]+)(?=\s*[<(={:]|\s+(?:extends|implements)\b)/gm;
  return [...stub.matchAll(declarations)].map((match) => match[1]!);
}

/** Where a line begins to declare `name`, with the `export` that may be there. */
function declarationOf(name: string): RegExp {
  const keywords =
    "(?:(?:abstract|async)\\s+)?(?:function\\s*\\*?|class|const|let|var|interface|type)";
  const exact = `${name.replaceAll("$", "\\$")}(?![\\w$])`;
  return new RegExp(`^(?:export\\s+)?(?=${keywords}\\s+${exact})`, "gm");
}

function checkSyntax(text: string, file: string): void {
  try {
    transformSync(text, { loader: "ts", logLevel: "silent", sourcefile: file });
  } catch (error) {
    const { errors } = error as {
      errors?: readonly { text: string; location: { line: number } | null }[];
    };
    const first = errors?.[0];
    if (!first) throw error;
    throw new InputError(
      `Nothing was saved: line ${first.location?.line ?? 1} of ${file} would not compile: ${first.text}.`,
    );
  }
}
