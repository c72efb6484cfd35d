/**
 * The graded tests of a project as they are written: names, points and hints, without running one.
 * Loading a file of tests loads the engine that it compares with, so what was found is kept in
 * `.infinity/outlines.json` under the file's hash.
 */
import type Mocha from "mocha";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { gradedKey } from "./graded-test.ts";
import type { GradedTest } from "./graded-test.ts";
import { readCourseFile, testFile, writeWhole } from "./student-files.ts";

/** One graded test, as far as it is the same for everyone. */
export interface OutlinedTest {
  readonly exercise: string;
  readonly name: string;
  readonly points: number;
  readonly hints: readonly string[];
}

const outlinedTest: z.ZodType<OutlinedTest> = z.object({
  exercise: z.string(),
  name: z.string(),
  points: z.number(),
  hints: z.array(z.string()),
});

const keptOutlines = z.record(
  z.string(),
  z.object({ hash: z.string(), tests: z.array(outlinedTest) }),
);

/**
 * The tests of the projects `slugs`, in their order. Throws InputError where one has no test file.
 * One call at a time in a process: while a file of tests loads, mocha's functions are global.
 */
export async function outlines(
  root: string,
  slugs: readonly string[],
): Promise<Map<string, readonly OutlinedTest[]>> {
  const path = join(root, ".infinity", "outlines.json");
  const kept = readKept(path);
  const current: z.infer<typeof keptOutlines> = {};
  for (const slug of slugs) {
    const text = readCourseFile(root, testFile(slug));
    const hash = createHash("sha256").update(text).digest("hex");
    const same = kept[slug]?.hash === hash ? kept[slug] : undefined;
    current[slug] = same ?? { hash, tests: await load(join(root, testFile(slug))) };
  }
  const json = JSON.stringify(current);
  if (json !== JSON.stringify(kept)) writeWhole(path, `${json}\n`);
  return new Map(Object.entries(current).map(([slug, { tests }]) => [slug, tests]));
}

/** What was found before; nothing where the file is absent or no longer understood. */
function readKept(path: string): z.infer<typeof keptOutlines> {
  if (!existsSync(path)) return {};
  try {
    return keptOutlines.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return {};
  }
}

async function load(file: string): Promise<OutlinedTest[]> {
  const { default: Loader } = await import("mocha");
  const mocha = new Loader();
  mocha.suite.emit(Loader.Suite.constants.EVENT_FILE_PRE_REQUIRE, globalThis, file, mocha);
  // Anew each time: a module that was imported before would add no tests.
  await import(`${pathToFileURL(file).href}?outline=${randomUUID()}`);
  const tests: OutlinedTest[] = [];
  mocha.suite.eachTest((test: Mocha.Test & { [gradedKey]?: GradedTest }) => {
    const graded = test[gradedKey];
    if (!graded) return;
    const { exercise, name, points, hints } = graded;
    tests.push({ exercise, name, points, hints });
  });
  mocha.dispose();
  return tests;
}
