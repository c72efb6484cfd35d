/**
 * The TypeScript sources that cells import, and where what is derived from them is kept. One
 * rule for specifiers serves both the types (declarations.ts) and the run time (modules.ts).
 */
import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";

const packagePrefix = "infinity-inference/";

/** The sources of one repository. */
export class SourceTree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /**
   * The source that `specifier` means in `importer`: of the form `infinity-inference/…` or
   * relative, with or without `.ts`. Undefined for imports of and in packages, and for what is not
   * TypeScript.
   */
  resolve(specifier: string, importer: string): string | undefined {
    if (isInPackage(importer)) return undefined;
    if (specifier.startsWith(packagePrefix)) {
      return existingSource(join(this.root, "src", specifier.slice(packagePrefix.length)));
    }
    return /^\.{1,2}(\/|$)/.test(specifier)
      ? existingSource(resolve(dirname(importer), specifier))
      : undefined;
  }

  /** Whether `file` is a source that the kernel compiles: TypeScript outside node_modules. */
  owns(file: string): boolean {
    return /(?<!\.d)\.ts$/.test(file) && !isInPackage(file);
  }

  /** The path of what is derived from `source`, below a folder for such files, without `.ts`. */
  derivedPath(source: string): string {
    const path = relative(this.root, source);
    if (!path.startsWith("..")) return path.replace(/\.ts$/, "");
    const folder = createHash("sha256").update(dirname(source)).digest("hex").slice(0, 16);
    return join("outside", folder, basename(source, ".ts"));
  }

  /** All sources of the engine, without its tests. */
  engineSources(): string[] {
    return readdirSync(join(this.root, "src"), { recursive: true, encoding: "utf8" })
      .filter((file) => /(?<!\.(?:d|test))\.ts$/.test(file))
      .map((file) => join(this.root, "src", file));
  }
}

/** The time of the last change of `file` in ms, or undefined where there is no such file. */
export function modifiedMs(file: string): number | undefined {
  try {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat?.isFile() ? stat.mtimeMs : undefined;
  } catch {
    // Below a file, or not ours to see: there is no such file either.
    return undefined;
  }
}

function isInPackage(file: string): boolean {
  return /[\\/]node_modules[\\/]/.test(file);
}

function existingSource(path: string): string | undefined {
  return [path, `${path}.ts`, path.replace(/\.js$/, ".ts"), join(path, "index.ts")].find(
    (file) => /(?<!\.d)\.ts$/.test(file) && modifiedMs(file) !== undefined,
  );
}
