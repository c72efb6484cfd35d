/**
 * Runs compiled cells in this process. What cells declare lives in one `exports` object, which is
 * how a later cell reads and changes it; Stop ends a cell that computes or waits.
 */
import { createRequire, isBuiltin } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Script, compileFunction } from "node:vm";
import { cellParameters } from "./cell-transform.ts";
import type { CompiledCell } from "./compiler.ts";
import { DisposalScope } from "./disposal.ts";
import { Interrupted, type StopSignal } from "./stop-signal.ts";

/** Where the script below finds the cell: only a whole script of vm's can be ended by SIGINT. */
const slot = Symbol.for("infinity.cell");
const runCell = new Script('globalThis[Symbol.for("infinity.cell")]()', {
  filename: join(import.meta.dirname, "run-cell"),
});

/** What `vm` throws where SIGINT ended its script. */
const stoppedByVm = "ERR_SCRIPT_EXECUTION_INTERRUPTED";

/**
 * From Stop to the end of a cell that waits: its own loops and programs may end it before, which
 * leaves nothing running behind.
 */
const graceMs = 150;

/** More than a signal takes from thread to thread. */
const signalMs = 20;

/** Holds the values of one notebook. */
export class CellRunner {
  /** The `exports` of every cell. */
  readonly #values: Record<string, unknown> = {};
  readonly #require: NodeJS.Require;
  readonly #meta: ImportMeta;
  readonly #guard: () => void;
  readonly #signal: StopSignal;
  #stop: (() => void) | undefined;

  /** Imports of cells are resolved as from `file`, which stands for the notebook. */
  constructor(file: string, signal: StopSignal) {
    this.#require = createRequire(file);
    this.#meta = importMeta(file, this.#require);
    this.#signal = signal;
    this.#guard = signal.guard();
  }

  /** The modules that this process has loaded, by file. */
  get moduleCache(): NodeJS.Dict<NodeJS.Module> {
    return this.#require.cache;
  }

  /** What cells have declared and given a value, by name. */
  get values(): Readonly<Record<string, unknown>> {
    return this.#values;
  }

  /** Loads a module as a cell would. */
  load(specifier: string): unknown {
    return this.#require(specifier);
  }

  /**
   * Runs a cell under the name `file` and gives the value of its last expression: boxed, since a
   * promise is a value here that nobody asked to wait for.
   */
  async run(cell: CompiledCell, file: string): Promise<{ readonly value: unknown }> {
    const scope = new DisposalScope();
    try {
      const running = this.#start(cell, file, scope);
      if (cell.awaits) await this.orStopped(running);
    } catch (error) {
      scope.fail(error);
    }
    if (cell.awaits) await this.orStopped(scope.endAsync());
    else scope.end();
    return { value: cell.resultName === undefined ? undefined : this.#take(cell.resultName) };
  }

  /** What `work` gives, or Interrupted once the running cell is stopped. */
  async orStopped<T>(work: T): Promise<Awaited<T>> {
    let timer: NodeJS.Timeout | undefined;
    const stopped = new Promise<never>((_, reject) => {
      this.#stop = () => {
        timer ??= setTimeout(() => {
          reject(new Interrupted());
        }, graceMs);
      };
    });
    if (this.#signal.requested) this.#stop?.();
    try {
      return await Promise.race([work, stopped]);
    } finally {
      clearTimeout(timer);
      this.#stop = undefined;
    }
  }

  /** Ends the wait of the running cell, if it waits. */
  interrupt(): void {
    this.#stop?.();
  }

  #start({ awaits, code }: CompiledCell, file: string, scope: DisposalScope): unknown {
    // The cell begins on the second line, which `lineOffset` makes the first.
    const [before, after] = awaits ? ["return (async () => {", "})();"] : ["", ""];
    const body = compileFunction(
      `"use strict";${before}\n${code}\n${after}`,
      ["exports", "require", ...cellParameters],
      { filename: file, lineOffset: -1 },
    ) as (...values: unknown[]) => unknown;
    Object.defineProperty(globalThis, slot, {
      value: () =>
        this.#compute(() => body(this.#values, this.#require, this.#guard, this.#meta, scope)),
      configurable: true,
    });
    try {
      return runCell.runInThisContext({ breakOnSigint: true, displayErrors: false });
    } catch (error) {
      this.#signal.computing = false;
      throw (error as { code?: unknown } | null)?.code === stoppedByVm ? new Interrupted() : error;
    }
  }

  /** Runs `work` where SIGINT ends it. */
  #compute(work: () => unknown): unknown {
    this.#signal.computing = true;
    try {
      this.#guard();
      return work();
    } finally {
      this.#signal.computing = false;
      // A signal on its way must arrive here: left over, vm would end the next script with it.
      if (this.#signal.requested) spin(signalMs);
    }
  }

  #take(name: string): unknown {
    const value = this.#values[name];
    // Deleting it would make V8 keep all values in a slower kind of object.
    this.#values[name] = undefined;
    return value;
  }
}

function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** `import.meta` of every cell; a cell's module is the notebook. */
function importMeta(file: string, require: NodeJS.Require): ImportMeta {
  const url = pathToFileURL(file).href;
  return {
    url,
    filename: file,
    dirname: join(file, ".."),
    resolve: (specifier: string) => {
      if (/^(\.{0,2}\/|[a-z]{2,}:)/.test(specifier)) return new URL(specifier, url).href;
      return isBuiltin(specifier)
        ? `node:${specifier}`
        : pathToFileURL(require.resolve(specifier)).href;
    },
  };
}
