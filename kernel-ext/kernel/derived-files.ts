/**
 * Files derived from sources (declarations, CommonJS), kept on disk and made again when the
 * source's time of change differs. Several kernels may share them, so a file appears whole.
 */
import { mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { InputError } from "../../src/core/errors.ts";
import { modifiedMs, type SourceTree } from "./source-tree.ts";

/** Sources that nothing can be derived from, with the reason for the first. */
export class UnreadableSources extends InputError {
  readonly sources: readonly string[];

  constructor(message: string, sources: readonly string[]) {
    super(message);
    this.sources = sources;
  }
}

/** Makes the derived text of each source, in the same order. Throws UnreadableSources. */
export type Derive = (sources: readonly string[]) => string[];

/** File systems and `utimes` round times of change differently. */
const toleranceMs = 1;

/** The derived files of one kind, in one folder. */
export class DerivedFiles {
  readonly #tree: SourceTree;
  readonly #folder: string;
  readonly #extension: string;
  readonly #derive: Derive;
  readonly #sources = new Map<string, string>();

  /** `extension` is added to the derived path: `.d.ts`, `.cjs`. */
  constructor(tree: SourceTree, folder: string, extension: string, derive: Derive) {
    this.#tree = tree;
    this.#folder = folder;
    this.#extension = extension;
    this.#derive = derive;
  }

  /** The derived file of `source`, made or made again where needed. */
  ensure(source: string): string {
    this.ensureAll([source]);
    return this.#path(source);
  }

  /** As `ensure`, for many at once. */
  ensureAll(sources: readonly string[]): void {
    const stale = sources.filter((source) => !this.#isFresh(source));
    if (stale.length === 0) return;
    const texts = this.#derive(stale);
    stale.forEach((source, i) => {
      this.#write(source, texts[i]!);
    });
  }

  /** As `ensureAll`, without the sources that cannot be read: they are the concern of who imports them. */
  ensureReadable(sources: readonly string[]): void {
    try {
      this.ensureAll(sources);
    } catch (error) {
      if (!(error instanceof UnreadableSources)) throw error;
      const left = sources.filter((source) => !error.sources.includes(source));
      if (left.length < sources.length) this.ensureReadable(left);
    }
  }

  /** The source of a derived file that this object has been asked for. */
  sourceOf(file: string): string | undefined {
    return this.#sources.get(file);
  }

  #path(source: string): string {
    const file = join(this.#folder, this.#tree.derivedPath(source) + this.#extension);
    this.#sources.set(file, source);
    return file;
  }

  #isFresh(source: string): boolean {
    const made = modifiedMs(this.#path(source));
    const changed = modifiedMs(source);
    return made !== undefined && changed !== undefined && Math.abs(made - changed) < toleranceMs;
  }

  #write(source: string, text: string): void {
    const file = this.#path(source);
    // Taken before the write: a change during it makes the file stale, never wrongly fresh.
    const { atime, mtime } = statSync(source);
    if (readText(file) !== text) {
      mkdirSync(dirname(file), { recursive: true });
      const draft = `${file}.${process.pid}`;
      writeFileSync(draft, text);
      renameSync(draft, file);
    }
    utimesSync(file, atime, mtime);
  }
}

function readText(file: string): string | undefined {
  return modifiedMs(file) === undefined ? undefined : readFileSync(file, "utf8");
}
