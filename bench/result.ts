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
