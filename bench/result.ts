/** Where a measurement is kept: `results/NAME.json`, with the machine, the date and the commit. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

/** Writes one result; the file of an earlier run is replaced, its history is git's. */
export function saveResult(name: string, measured: object): void {
  const folder = join(import.meta.dirname, "results");
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  const result = {
    date: new Date().toISOString(),
    commit:
      git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain") ? " with changes" : ""),
    machine: `${cpus().length} × ${cpus()[0]!.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`,
    node: process.version,
    ...measured,
  };
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`wrote ${file}`);
}

/** The middle value; of two in the middle, their mean. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Prints a table with three digits of every number. */
export function printTable(lines: readonly object[]): void {
  const shown = (value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(3)) : value;
  console.table(
    lines.map((line) =>
      Object.fromEntries(Object.entries(line).map(([key, value]) => [key, shown(value)])),
    ),
  );
}
