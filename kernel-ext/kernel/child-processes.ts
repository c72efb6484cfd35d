/**
 * Programs that cells start. What they print to an inherited output appears in the cell, not in the
 * server's log, and Stop ends those that the running cell started.
 */
import childProcess from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { StreamName } from "./output.ts";
import { endTree } from "./process-tree.ts";
import type { StopSignal } from "./stop-signal.ts";

/** The method below every asynchronous start of a program, which Node's types leave out. */
interface Spawner {
  spawn: (this: childProcess.ChildProcess, options: { stdio?: unknown }) => unknown;
}

type SyncName = "spawnSync" | "execFileSync" | "execSync";
type SyncStart = (...args: unknown[]) => unknown;

/** The programs of one notebook; one per process, because it changes `node:child_process`. */
export class ChildProcesses {
  readonly #signal: StopSignal;
  /** Those that the running cell started and that have not ended. */
  readonly #running = new Set<childProcess.ChildProcess>();
  /** Inherited output that is not yet read to its end, of programs that have ended. */
  readonly #draining = new Set<Promise<void>>();

  constructor(signal: StopSignal) {
    this.#signal = signal;
  }

  /** Changes `node:child_process` for everything in this process. */
  install(): void {
    const prototype = childProcess.ChildProcess.prototype as unknown as Spawner;
    const spawn = prototype.spawn;
    const start = (child: childProcess.ChildProcess, options: { stdio?: unknown }): unknown =>
      this.#start(child, options, spawn);
    prototype.spawn = function (options) {
      return start(this, options);
    };
    const functions = childProcess as unknown as Record<SyncName, SyncStart>;
    for (const name of ["spawnSync", "execFileSync", "execSync"] as const) {
      const run = functions[name];
      functions[name] = (...args) => this.#runBlocking(run, args);
    }
    syncBuiltinESMExports();
  }

  /** Begins a cell: what earlier cells started goes on, whatever becomes of this one. */
  startCell(): void {
    this.#running.clear();
  }

  /** Ends the programs of the running cell. */
  stop(): void {
    for (const { pid } of this.#running) if (pid !== undefined) endTree(pid);
  }

  /** Settles when all output of the programs that have ended is written. */
  async drained(): Promise<void> {
    await Promise.all(this.#draining);
  }

  #start(
    child: childProcess.ChildProcess,
    options: { stdio?: unknown },
    spawn: Spawner["spawn"],
  ): unknown {
    const { stdio, inherited } = withPipes(options.stdio);
    const status = spawn.call(child, { ...options, stdio });
    if (child.pid === undefined) return status;
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    for (const [index, name] of inherited) {
      const pipe = child.stdio[index] as Readable;
      pipe.on("data", (chunk: Buffer) => process[name].write(chunk));
      const read = finished(pipe).catch(() => undefined);
      child.once("exit", () => {
        this.#draining.add(read);
        void read.then(() => this.#draining.delete(read));
      });
      // To its starter, an inherited stream is none of the child's.
      Object.assign(child, { [name]: null });
      child.stdio[index] = null;
    }
    return status;
  }

  /** Runs one of the functions that wait for a program, its inherited output kept in files meanwhile. */
  #runBlocking(run: SyncStart, args: readonly unknown[]): unknown {
    const at = args.findIndex((arg, i) => i > 0 && isOptions(arg));
    const given = at < 0 ? {} : (args[at] as { stdio?: unknown });
    const { stdio, inherited } = withPipes(given.stdio);
    const files = new InheritedFiles(inherited);
    const options = { ...given, stdio: files.replaceIn(stdio) };
    this.#signal.blocked = true;
    try {
      return run(...(inherited.length === 0 ? args : withOptions(args, at, options)));
    } finally {
      this.#signal.blocked = false;
      files.print();
    }
  }
}

/** Files that stand for the inherited streams of a program while nobody can read a pipe. */
class InheritedFiles {
  readonly #folder: string | undefined;
  readonly #files: readonly { index: number; name: StreamName; path: string; fd: number }[];

  constructor(inherited: readonly Inherited[]) {
    if (inherited.length > 0) this.#folder = mkdtempSync(join(tmpdir(), "infinity-output-"));
    this.#files = inherited.map(([index, name]) => {
      const path = join(this.#folder!, String(index));
      return { index, name, path, fd: openSync(path, "a") };
    });
  }

  replaceIn(stdio: readonly unknown[]): unknown[] {
    return stdio.map((entry, i) => this.#files.find(({ index }) => index === i)?.fd ?? entry);
  }

  print(): void {
    for (const { name, path, fd } of this.#files) {
      closeSync(fd);
      process[name].write(readFileSync(path));
    }
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The place of an inherited stream in `stdio`, and which of ours it is. */
type Inherited = readonly [index: 1 | 2, name: StreamName];

/** The streams of a program, with a pipe for each that it would inherit from this process. */
function withPipes(wanted: unknown): { stdio: unknown[]; inherited: Inherited[] } {
  const stdio: unknown[] = Array.isArray(wanted)
    ? Array.from(wanted as unknown[])
    : [wanted, wanted, wanted];
  const inherited: Inherited[] = [];
  for (const index of [1, 2] as const) {
    const name = inheritedName(stdio[index], index);
    if (!name) continue;
    stdio[index] = "pipe";
    inherited.push([index, name]);
  }
  return { stdio, inherited };
}

function inheritedName(entry: unknown, index: 1 | 2): StreamName | undefined {
  if (entry === "inherit") return index === 1 ? "stdout" : "stderr";
  if (entry === 1 || entry === process.stdout) return "stdout";
  return entry === 2 || entry === process.stderr ? "stderr" : undefined;
}

function isOptions(arg: unknown): boolean {
  return typeof arg === "object" && arg !== null && !Array.isArray(arg);
}

/** The arguments with `options` in the place where options stood, or after all. */
function withOptions(args: readonly unknown[], at: number, options: object): unknown[] {
  return at < 0 ? [...args, options] : args.map((arg, i) => (i === at ? options : arg));
}
