/**
 * Runs compiled cells in this process. What cells declare lives in one `exports` object, which is
 * how a later cell reads and changes it; Stop ends a cell that computes or waits.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script, compileFunction } from "node:vm";
import type { CompiledCell } from "./compiler.ts";

/** What a cell that was stopped ends with. */
export class Interrupted extends Error {
  override readonly name: string = "Interrupted";

  constructor() {
    super("The cell was stopped.");
  }
}

/** Where the script below finds the cell: only a whole script of vm's can be ended by SIGINT. */
const slot = Symbol.for("infinity.cell");
const runCell = new Script('globalThis[Symbol.for("infinity.cell")]()', {
  filename: join(import.meta.dirname, "run-cell"),
});

/** What `vm` throws where SIGINT ended its script. */
const stoppedByVm = "ERR_SCRIPT_EXECUTION_INTERRUPTED";

/** Holds the values of one notebook. */
export class CellRunner {
  readonly #values: Record<string, unknown> = {};
  readonly #exports: object = settableExports(this.#values);
  readonly #require: NodeJS.Require;
  #stop: (() => void) | undefined;

  /** Imports of cells are resolved as from a file in `folder`. */
  constructor(folder: string) {
    this.#require = createRequire(join(folder, "cell.ts"));
  }

  /** The modules that this process has loaded, by file. */
  get moduleCache(): NodeJS.Dict<NodeJS.Module> {
    return this.#require.cache;
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
    const stopped = new Promise<never>((_, reject) => {
      this.#stop = () => {
        reject(new Interrupted());
      };
    });
    try {
      const running = this.#start(cell, file);
      if (cell.awaits) await Promise.race([running, stopped]);
    } finally {
      this.#stop = undefined;
    }
    return { value: cell.resultName === undefined ? undefined : this.#take(cell.resultName) };
  }

  /** Whether a cell has given `name` a value. */
  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  /** Ends the wait of the running cell, if one runs. */
  interrupt(): void {
    this.#stop?.();
  }

  #start({ awaits, code }: CompiledCell, file: string): unknown {
    // The cell begins on the second line, which `lineOffset` makes the first.
    const [before, after] = awaits ? ["return (async () => {", "})();"] : ["", ""];
    const body = compileFunction(
      `"use strict";${before}\n${code}\n${after}`,
      ["exports", "require"],
      {
        filename: file,
        lineOffset: -1,
      },
    ) as (exports: object, require: NodeJS.Require) => unknown;
    Object.defineProperty(globalThis, slot, {
      value: () => body(this.#exports, this.#require),
      configurable: true,
    });
    try {
      return runCell.runInThisContext({ breakOnSigint: true, displayErrors: false });
    } catch (error) {
      throw (error as { code?: unknown } | null)?.code === stoppedByVm ? new Interrupted() : error;
    }
  }

  #take(name: string): unknown {
    const value = this.#values[name];
    Reflect.deleteProperty(this.#values, name);
    return value;
  }
}

/**
 * The `exports` of every cell. TypeScript exports an import as a getter without a setter; here its
 * value is stored instead, so that a later cell may declare the same name anew.
 */
function settableExports(values: Record<string, unknown>): object {
  return new Proxy(values, {
    defineProperty(target, name, attributes) {
      const value: unknown = attributes.get ? attributes.get() : attributes.value;
      if (name !== "__esModule") Reflect.set(target, name, value);
      return true;
    },
  });
}
