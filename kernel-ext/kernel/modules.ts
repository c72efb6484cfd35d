/**
 * The engine at run time: `require` of TypeScript sources, compiled one by one to CommonJS, and
 * loaded afresh, with everything that imports them, when they change.
 */
import type * as esbuild from "esbuild";
import { readFileSync } from "node:fs";
import Module from "node:module";
import { basename, join, resolve } from "node:path";
import { DerivedFiles, UnreadableSources } from "./derived-files.ts";
import { requireFromHome } from "./home.ts";
import { modifiedMs, type SourceTree } from "./source-tree.ts";

/** The hooks of Node's CommonJS loader that Node does not document, and every loader uses. */
interface LoaderInternals {
  _resolveFilename: (request: string, parent: Module | undefined, ...rest: unknown[]) => string;
  readonly _extensions: Record<string, (module: Module, file: string) => void>;
}

interface CompilingModule extends Module {
  _compile(code: string, file: string): void;
}

/** The compiled sources of `tree`, below `build/modules` of its root. */
export function moduleFiles(tree: SourceTree): DerivedFiles {
  return new DerivedFiles(tree, join(tree.root, "build", "modules"), ".cjs", compileModules);
}

/** Loads sources of one tree into this process. */
export class Modules {
  readonly #tree: SourceTree;
  readonly #files: DerivedFiles;
  /** When each loaded source was last changed, at the time of loading. */
  readonly #loadedMs = new Map<string, number>();
  #prepared = false;

  constructor(tree: SourceTree) {
    this.#tree = tree;
    this.#files = moduleFiles(tree);
  }

  /** Teaches this process's `require` to find and load the tree's sources. */
  install(): void {
    const loader = Module as unknown as LoaderInternals;
    const resolveFilename = loader._resolveFilename;
    loader._resolveFilename = (request, parent, ...rest) =>
      (parent?.filename ? this.#tree.resolve(request, parent.filename) : undefined) ??
      resolveFilename.call(Module, request, parent, ...rest);
    const loadOther = loader._extensions[".ts"] ?? loader._extensions[".js"]!;
    loader._extensions[".ts"] = (module, file) => {
      if (this.#tree.owns(file)) this.#load(module as CompilingModule, file);
      else loadOther(module, file);
    };
  }

  /** Forgets every loaded source that changed, and whatever imports it, directly or not. */
  dropChanged(cache: NodeJS.Dict<NodeJS.Module>): void {
    const stale = new Set(
      [...this.#loadedMs].filter(([file, ms]) => modifiedMs(file) !== ms).map(([f]) => f),
    );
    if (stale.size === 0) return;
    const loaded = [...this.#loadedMs.keys()];
    for (let grew = true; grew;) {
      const importers = loaded.filter(
        (file) =>
          !stale.has(file) && cache[file]?.children.some((child) => stale.has(child.filename)),
      );
      for (const file of importers) stale.add(file);
      grew = importers.length > 0;
    }
    for (const file of stale) {
      this.#loadedMs.delete(file);
      Reflect.deleteProperty(cache, file);
    }
  }

  /** Forgets every loaded source, and says how many there were. */
  dropAll(cache: NodeJS.Dict<NodeJS.Module>): number {
    const files = [...this.#loadedMs.keys()];
    this.#loadedMs.clear();
    for (const file of files) Reflect.deleteProperty(cache, file);
    return files.length;
  }

  /** The compiled text of a source, with its source map as the last line. */
  compiledText(file: string): string {
    return readFileSync(this.#files.ensure(file), "utf8");
  }

  #load(module: CompilingModule, file: string): void {
    this.#prepare();
    const changed = modifiedMs(file);
    const code = this.compiledText(file);
    if (changed !== undefined) this.#loadedMs.set(file, changed);
    module._compile(code, file);
  }

  /** Compiles what changed since the last session in one go: a start of esbuild costs more than a file. */
  #prepare(): void {
    if (this.#prepared) return;
    this.#prepared = true;
    this.#files.ensureReadable(this.#tree.engineSources());
  }
}

/** Makes CommonJS of ES modules in TypeScript. Throws UnreadableSources. */
function compileModules(sources: readonly string[]): string[] {
  const { buildSync } = requireFromHome("esbuild") as typeof esbuild;
  const options = {
    outdir: "out",
    bundle: false,
    write: false,
    format: "cjs",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "silent",
    tsconfigRaw: "{}",
    // A kernel loads CommonJS, where these have other names; `import()` must see the same modules.
    supported: { "dynamic-import": false },
    define: {
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
      "import.meta.url": "importMetaUrl",
    },
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
  } satisfies esbuild.BuildOptions;
  try {
    const { outputFiles } = buildSync({
      ...options,
      entryPoints: sources.map((source, i) => ({ in: source, out: String(i) })),
    });
    const texts = new Map(outputFiles.map(({ path, text }) => [basename(path, ".js"), text]));
    return sources.map((_, i) => texts.get(String(i))!);
  } catch (error) {
    const failure = error as esbuild.BuildFailure;
    const files = failure.errors.map(({ location }) => resolve(location?.file ?? ""));
    throw new UnreadableSources(sentenceOf(failure), files);
  }
}

function sentenceOf(failure: esbuild.BuildFailure): string {
  const [first] = failure.errors;
  if (!first) return failure.message;
  const { file = "", line = 0, column = 0 } = first.location ?? {};
  return `${file}:${line}:${column + 1}: ${first.text}`;
}
