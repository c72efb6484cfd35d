/**
 * Stacks that speak of cells and sources: every frame of compiled code is mapped to the line that
 * was written, and frames of the kernel itself are left out.
 */
import { SourceMap, type SourceMapPayload } from "node:module";
import { relative, sep } from "node:path";

/** A place in something written: a cell or a source file. Lines and columns count from 1. */
export interface Place {
  /** How messages call it: `cell 3`, `src/quant/linear.ts`. */
  readonly label: string;
  readonly line: number;
  readonly column: number;
  /** The text of the cell; undefined for a file. */
  readonly text: string | undefined;
}

/** Running code: what it was compiled from, and the maps that lead there, outermost first. */
class Script {
  readonly label: string;
  readonly text: string | undefined;
  readonly #maps: readonly string[];
  #parsed: SourceMap[] | undefined;

  constructor(label: string, text: string | undefined, maps: readonly string[]) {
    this.label = label;
    this.text = text;
    this.#maps = maps;
  }

  /** Line and column as written; all count from 0. */
  original(line: number, column: number): [number, number] | undefined {
    this.#parsed ??= this.#maps.map((map) => new SourceMap(JSON.parse(map) as SourceMapPayload));
    let place: [number, number] = [line, column];
    for (const map of this.#parsed) {
      const entry = map.findEntry(...place);
      if (!("originalLine" in entry)) return undefined;
      place = [entry.originalLine, entry.originalColumn];
    }
    return place;
  }
}

/** V8's frame; its `toString`, which the type leaves out, gives the frame's line in a stack. */
interface Frame extends NodeJS.CallSite {
  toString(): string;
}

/** Old cells may still throw, from timers and callbacks; the oldest are forgotten. */
const maxCells = 2000;

/** tslab's converter puts one line before each cell. */
const linesBeforeCell = 1;

/** Knows the code that runs in this process and what it was compiled from. */
export class StackTraces {
  readonly #root: string;
  readonly #kernelFolder: string;
  readonly #compiledText: (file: string) => string;
  readonly #cells = new Map<string, Script>();
  readonly #modules = new Map<string, { compiled: string; script: Script }>();
  readonly #places = new WeakMap<Error, readonly Place[]>();
  readonly #whole = new WeakMap<Error, string>();

  /** `compiledText` gives the code of a source below `root` with its map inline. */
  constructor(root: string, kernelFolder: string, compiledText: (file: string) => string) {
    this.#root = root + sep;
    this.#kernelFolder = kernelFolder + sep;
    this.#compiledText = compiledText;
  }

  /** Makes the engine format every stack of this process here. */
  install(): void {
    Error.prepareStackTrace = (error, sites) => this.#format(error, sites);
  }

  /** Remembers a cell under the file name that its code runs with. */
  addCell(file: string, label: string, text: string, maps: readonly string[]): void {
    this.#cells.set(file, new Script(label, text, maps));
    const [oldest] = this.#cells.keys();
    if (this.#cells.size > maxCells && oldest !== undefined) this.#cells.delete(oldest);
  }

  /** The places in cells and sources that the stack of `error` goes through, innermost first. */
  placesOf(error: Error): readonly Place[] {
    // Reading the stack formats it, which notes its places.
    return typeof error.stack === "string" ? (this.#places.get(error) ?? []) : [];
  }

  /** The stack with all frames, those of the kernel as well. */
  wholeOf(error: Error): string {
    const { stack } = error;
    return this.#whole.get(error) ?? stack ?? String(error);
  }

  #format(error: Error, sites: readonly NodeJS.CallSite[]): string {
    const places: Place[] = [];
    const frames: string[] = [];
    const all: string[] = [];
    for (const site of sites) {
      const file = site.getFileName();
      const place = file
        ? this.#place(file, site.getLineNumber() ?? 1, site.getColumnNumber() ?? 1)
        : undefined;
      const frame = `\n    at ${frameText(site, file, place)}`;
      all.push(frame);
      if (file && this.#isKernels(file)) continue;
      if (place) places.push(place);
      frames.push(frame);
    }
    const head = headOf(error);
    this.#places.set(error, places);
    this.#whole.set(error, head + all.join(""));
    return head + frames.join("");
  }

  #isKernels(file: string): boolean {
    return file.startsWith(this.#kernelFolder) || /^node:(vm$|internal\/)/.test(file);
  }

  #place(file: string, line: number, column: number): Place | undefined {
    const cell = this.#cells.get(file);
    const script = cell ?? this.#module(file);
    const original = script?.original(line - 1, column - 1);
    if (!script || !original) return undefined;
    const shift = cell ? 1 - linesBeforeCell : 1;
    return {
      label: script.label,
      text: script.text,
      line: original[0] + shift,
      column: original[1] + 1,
    };
  }

  #module(file: string): Script | undefined {
    if (!file.startsWith(this.#root) || !file.endsWith(".ts")) return undefined;
    const compiled = this.#compiledText(file);
    const known = this.#modules.get(file);
    if (known?.compiled === compiled) return known.script;
    const [, map] =
      /\/\/# sourceMappingURL=data:application\/json;base64,(\S+)\s*$/.exec(compiled) ?? [];
    if (map === undefined) return undefined;
    const label = relative(this.#root, file).split(sep).join("/");
    const script = new Script(label, undefined, [Buffer.from(map, "base64").toString("utf8")]);
    this.#modules.set(file, { compiled, script });
    return script;
  }
}

/**
 * A message with the names of the cell: V8 quotes the compiled code, where the names of earlier
 * cells are `exports.name` and imported functions are called as `(0 , module_1.name)`.
 */
export function messageAsWritten(message: string): string {
  return message.replace(/\(0 ?, \w+_\d+\.(\w+)\)/g, "$1").replace(/\bexports\.(?=[\w$])/g, "");
}

/** V8's own text for a frame, with the place as it was written. */
function frameText(site: Frame, file: string | null | undefined, place: Place | undefined): string {
  if (!file || !place) return site.toString();
  // A function of an earlier cell is called on the object that holds what cells declare.
  const text = site.toString().replace(/^Object\./, "");
  const position = `${file}:${site.getLineNumber() ?? 1}:${site.getColumnNumber() ?? 1}`;
  return text.replace(position, `${place.label}:${place.line}:${place.column}`);
}

/** What V8 puts before the frames: the error as text, which a student's `toString` may break. */
function headOf(error: Error): string {
  try {
    const head = Error.prototype.toString.call(error);
    return error instanceof TypeError ? messageAsWritten(head) : head;
  } catch {
    return "Error";
  }
}
