/**
 * How many threads arithmetic gets on this machine. Two hardware threads of one core share its vector
 * units, so more threads than cores only make them wait for each other.
 */
import { readFileSync, readdirSync } from "node:fs";
import { arch, availableParallelism } from "node:os";

/** Beyond this, reading weights keeps the memory of a desktop machine busy. */
const mostThreads = 8;

/** Cores that this process may use, at most 8. */
export function defaultThreads(): number {
  return Math.min(numCores(), availableParallelism(), mostThreads);
}

/** Linux tells which threads share a core; elsewhere x64 is taken to have two on each. */
function numCores(): number {
  const folder = "/sys/devices/system/cpu";
  try {
    const cores = readdirSync(folder)
      .filter((name) => /^cpu\d+$/.test(name))
      .map((name) => readFileSync(`${folder}/${name}/topology/thread_siblings_list`, "utf8"));
    if (cores.length > 0) return new Set(cores).size;
  } catch {
    // Not Linux, or one that hides its topology.
  }
  return arch() === "x64" ? Math.ceil(availableParallelism() / 2) : availableParallelism();
}
