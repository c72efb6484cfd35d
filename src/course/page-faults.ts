/**
 * Page faults, counted: a file is mapped into memory and its pages are touched. Node cannot map a
 * file, so Python, which the notebooks need anyway, does it in a process of its own.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { InputError } from "../core/errors.ts";

/** What touching every page of a range took. */
export interface Touch {
  readonly pages: number;
  /** Page faults of the first touch, and of the second. */
  readonly first: number;
  readonly second: number;
}

export interface MappedTouches {
  readonly pageBytes: number;
  /** Milliseconds that mapping the whole file took. */
  readonly mapMs: number;
  /** In the order of the ranges. */
  readonly touches: readonly Touch[];
}

export interface TouchOptions {
  /** Let the system forget what it holds of the file, so that pages come from the disk. */
  readonly cold?: boolean;
  /** False asks the system to read no more than the page that is touched; true unless given. */
  readonly readAhead?: boolean;
}

const answer: z.ZodType<MappedTouches> = z.object({
  pageBytes: z.number(),
  mapMs: z.number(),
  touches: z.array(z.object({ pages: z.number(), first: z.number(), second: z.number() })),
});

const repository = join(import.meta.dirname, "../..");
const deadlineMs = 60_000;

/**
 * Maps the file at `path` and touches one byte of every page of each range, [start, end) in bytes,
 * twice. Throws InputError on Windows, which does not count faults, for `cold` elsewhere than on
 * Linux, and where Python is missing or cannot map the file.
 */
export function touchMapped(
  path: string,
  ranges: readonly (readonly [start: number, end: number])[],
  { cold = false, readAhead = true }: TouchOptions = {},
): MappedTouches {
  if (process.platform === "win32") {
    throw new InputError("Windows does not count page faults in a way that Python can read.");
  }
  if (cold && process.platform !== "linux") {
    throw new InputError("Only Linux can be told to forget what it holds of a file.");
  }
  const ours = join(repository, ".venv", "bin", "python");
  const python = existsSync(ours) ? ours : "python3";
  const { status, stdout, stderr, error } = spawnSync(
    python,
    [join(import.meta.dirname, "page_faults.py")],
    {
      input: JSON.stringify({ path, ranges, cold, readAhead }),
      encoding: "utf8",
      timeout: deadlineMs,
    },
  );
  if (status === 0) return answer.parse(JSON.parse(stdout));
  const reason = error?.message ?? stderr.trim().split("\n").at(-1) ?? "";
  throw new InputError(`Python could not map ${path}: ${reason}`);
}

/**
 * The pages of a range of the file at `path`, and the faults that touching them takes in each state
 * that the file can be in, by names for a figure. Throws as `touchMapped`.
 */
export function faultsInEachState(
  path: string,
  range: readonly [start: number, end: number],
): Record<string, number> {
  const touched = (options: TouchOptions): Touch => touchMapped(path, [range], options).touches[0]!;
  const pageByPage = touched({ cold: true, readAhead: false });
  const forgotten = touched({ cold: true });
  // The touch before has brought the file into the page cache.
  const held = touched({});
  return {
    pages: held.pages,
    "forgotten, page by page": pageByPage.first,
    forgotten: forgotten.first,
    "in the page cache": held.first,
    "touched again": held.second,
  };
}
