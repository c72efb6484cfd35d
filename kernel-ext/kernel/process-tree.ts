/** The programs that run below a process, and how they are ended together. */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";

/** One process. `started` orders processes by age; its unit is the system's own. */
interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly started: number;
}

/** How long a program may take to end by itself before it is killed. */
const graceMs = 300;

/**
 * Ends a process and all below it: SIGTERM first, SIGKILL for what is left. A shell's own children
 * are ended with it, because they would keep its output open.
 */
export function endTree(pid: number): void {
  if (process.platform === "win32") {
    tryTo(() => execFileSync("taskkill", ["/PID", String(pid), "/T", "/F"], { stdio: "ignore" }));
    return;
  }
  const before = listProcesses();
  const doomed = descendants(before, pid);
  for (const entry of doomed) tryTo(() => process.kill(entry.pid, "SIGTERM"));
  setTimeout(() => {
    const now = new Map(listProcesses().map((entry) => [entry.pid, entry.started]));
    for (const { pid: left, started } of doomed) {
      if (now.get(left) === started) tryTo(() => process.kill(left, "SIGKILL"));
    }
  }, graceMs).unref();
}

/** The child of `pid` that started last; on Windows, where this is not known, undefined. */
export function newestChild(pid: number): number | undefined {
  if (process.platform === "win32") return undefined;
  const children = listProcesses().filter(({ parent }) => parent === pid);
  return children.sort((a, b) => b.started - a.started || b.pid - a.pid)[0]?.pid;
}

function descendants(all: readonly ProcessEntry[], pid: number): ProcessEntry[] {
  const found = all.filter((entry) => entry.pid === pid);
  // The list grows while it is walked: children of children follow.
  for (const { pid: parent } of found) {
    found.push(...all.filter((entry) => entry.parent === parent && !found.includes(entry)));
  }
  return found;
}

function listProcesses(): ProcessEntry[] {
  return process.platform === "linux" ? fromProc() : fromPs();
}

/** Linux, also where there is no `ps`: proc(5), fields 4 (parent) and 22 (start) of `stat`. */
function fromProc(): ProcessEntry[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = tryTo(() => readFileSync(`/proc/${name}/stat`, "utf8"));
      if (stat === undefined) return [];
      // The program's name, in brackets, may hold anything; the fields after it are numbered from 3.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return [{ pid: Number(name), parent: Number(fields[1]), started: Number(fields[19]) }];
    });
}

function fromPs(): ProcessEntry[] {
  const text = tryTo(() =>
    execFileSync("ps", ["-A", "-o", "pid=,ppid=,lstart="], { encoding: "utf8" }),
  );
  return (text ?? "").split("\n").flatMap((line) => {
    const [, pid, parent, started] = /^\s*(\d+)\s+(\d+)\s+(.+)$/.exec(line) ?? [];
    return started === undefined
      ? []
      : [{ pid: Number(pid), parent: Number(parent), started: Date.parse(started) }];
  });
}

/** A process may be gone between the look and the act; then there is nothing to do. */
function tryTo<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
