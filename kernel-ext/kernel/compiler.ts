/**
 * Cells of TypeScript to runnable code: tslab's converter, which types each cell against those
 * before it, behind an interface of this kernel's own. Loading this file loads the compiler.
 */
import type * as ts from "@tslab/typescript-for-tslab";
import { join, normalize, sep } from "node:path";
import { createConverter, type Converter } from "tslab/dist/converter.js";
import { namesAt, readCell, withoutNames } from "./cell-source.ts";
import { cellTransformer, type CellFacts } from "./cell-transform.ts";
import { completenessOf, type Completeness } from "./completeness.ts";
import { declarationFiles } from "./declarations.ts";
import type { DerivedFiles } from "./derived-files.ts";
import { compiler, documentProgram, setCompilerHooks } from "./forked-compiler.ts";
import { home } from "./home.ts";
import { importPathAt, importPaths } from "./import-paths.ts";
import { modifiedMs, type SourceTree } from "./source-tree.ts";
import { withoutUsing } from "./using-declarations.ts";

/** A cell that may run. */
export interface CompiledCell {
  /** The body of a function of `exports`, `require` and `cellParameters`. */
  readonly code: string;
  readonly awaits: boolean;
  /** The property of `exports` that holds the value of the last expression. */
  readonly resultName: string | undefined;
  /** Source maps of `code`, outermost first: CommonJS to ES module, ES module to the cell. */
  readonly maps: readonly string[];
  /** Lets later cells see what the cell declared, except the values that `isMissing` names. */
  commit(isMissing: (name: string) => boolean): void;
}

/** A place in a cell where the compiler objects; offsets are in UTF-16 units. */
export interface CellProblem {
  readonly message: string;
  readonly code: number;
  readonly start: number;
  readonly length: number;
}

/** Names that fit at a place, and the span that they replace. */
export interface Completion {
  readonly start: number;
  readonly end: number;
  readonly names: readonly string[];
}

/** What is known of a name. */
export interface Description {
  /** Its declaration, with its type. */
  readonly signature: string;
  /** Its documentation, Markdown. */
  readonly documentation: string;
  /** The name as a path of names: `a.b.c`; empty where it is no such path. */
  readonly path: readonly string[];
}

interface Watched {
  readonly changed: ts.FileWatcherCallback;
  modifiedMs: number | undefined;
}

/** What the converter puts before a cell: `export {};` and the end of the line. */
const prefixLength = `export {};${compiler.sys.newLine}`.length;

/** The compiler of one notebook: it knows what the cells so far declared. */
export class CellCompiler {
  readonly #converter: Converter;
  readonly #declarations: DerivedFiles;
  readonly #tree: SourceTree;
  readonly #watched = new Map<string, Watched>();
  #declared = "";
  #problems: readonly ts.Diagnostic[] = [];
  #maps: readonly string[] = [];
  #facts: CellFacts = { awaits: false, using: new Map() };
  #numCompiled = 0;
  #isDocumented = false;

  /** Cells lie in the process's working folder, as far as relative imports go. */
  constructor(tree: SourceTree) {
    this.#tree = tree;
    this.#declarations = declarationFiles(tree);
    setCompilerHooks({
      options: cellOptions,
      globalDeclarations: ["notebook-globals.d.ts", "newer-library.d.ts"].map((name) =>
        compilerPath(join(import.meta.dirname, "cell-library", name)),
      ),
      declarationOf: (specifier, importer) => this.#declarationOf(specifier, importer),
      watch: (file, changed) => this.#watch(file, changed),
      diagnosed: (diagnostics) => {
        this.#problems = diagnostics;
      },
      transform: () => cellTransformer(compiler, this.#facts),
      mapped: (toModule, toCommonJs) => {
        this.#maps = [toCommonJs, toModule];
      },
    });
    this.#converter = createConverter();
  }

  /** Compiles one cell against those committed before, or says what is wrong with it. */
  compile(text: string): CompiledCell | { readonly problems: readonly CellProblem[] } {
    this.#noticeChanges();
    const { code, names, awaits, using } = readCell(compiler, text);
    const shifted = [...using].map(([offset, kind]) => [offset + prefixLength, kind] as const);
    this.#facts = { awaits, using: new Map(shifted) };
    this.#numCompiled++;
    // The converter exports a cell's names by appending such a line and updating the program again;
    // a cell that brings the line along is updated once. The number makes every text a new one.
    const line = `\nexport { ${names.join(", ")} };//${this.#numCompiled}`;
    const { diagnostics, output, declOutput, lastExpressionVar } = this.#converter.convert(
      this.#declared,
      code + line,
    );
    if (diagnostics.length > 0) return { problems: problemsIn(this.#problems, text.length) };
    if (declOutput === undefined || output === undefined)
      throw new Error("The converter gave no output.");
    return {
      code: output,
      awaits,
      resultName: lastExpressionVar,
      maps: this.#maps,
      commit: (isMissing) => {
        const missing = new Set(names.filter(isMissing));
        this.#declared =
          missing.size === 0 ? declOutput : withoutNames(compiler, declOutput, missing);
      },
    };
  }

  /** Whether `text` is a whole cell. */
  isComplete(text: string): Completeness {
    return completenessOf(compiler, text);
  }

  /** What may be written at `offset` of `text`. */
  complete(text: string, offset: number): Completion {
    const path = importPathAt(compiler, text, offset);
    if (path) {
      const { typed, start, end } = path;
      return { start, end, names: importPaths(this.#tree, process.cwd(), typed) };
    }
    const { start, end, candidates } = this.#converter.complete(
      this.#declared,
      withoutUsing(text).code,
      offset,
    );
    return { start, end, names: candidates };
  }

  /** What stands at `offset`, or undefined where there is nothing to tell. */
  inspect(text: string, offset: number): Description | undefined {
    if (!this.#isDocumented) documentProgram();
    this.#isDocumented = true;
    const { code } = withoutUsing(text);
    // Absent where there is nothing to tell, whatever the converter's declaration says.
    const info = this.#converter.inspect(this.#declared, code, offset) as ts.QuickInfo | undefined;
    if (!info) return undefined;
    return { ...describe(info), path: namesAt(compiler, code, offset) };
  }

  #declarationOf(specifier: string, importer: string): string | undefined {
    const file = normalize(importer);
    const source = this.#tree.resolve(specifier, this.#declarations.sourceOf(file) ?? file);
    return source && compilerPath(this.#declarations.ensure(source));
  }

  #watch(file: string, changed: ts.FileWatcherCallback): ts.FileWatcher {
    // Packages do not change while a notebook runs.
    if (file.includes("/node_modules/")) return { close: () => undefined };
    this.#watched.set(file, { changed, modifiedMs: modifiedMs(file) });
    return { close: () => this.#watched.delete(file) };
  }

  /** Brings the declarations of changed sources up to date and tells the compiler. */
  #noticeChanges(): void {
    for (const [file, watched] of [...this.#watched]) {
      const source = this.#declarations.sourceOf(normalize(file));
      if (source && modifiedMs(source) !== undefined) this.#declarations.ensure(source);
      const changed = modifiedMs(file);
      if (changed === watched.modifiedMs) continue;
      watched.modifiedMs = changed;
      const { Changed, Deleted } = compiler.FileWatcherEventKind;
      watched.changed(file, changed === undefined ? Deleted : Changed);
    }
  }
}

const cellOptions: ts.CompilerOptions = {
  strict: true,
  // tslab's own flag: it would refuse every `await` outside a function and then allow some.
  disableTopLevelAwait: false,
  lib: ["lib.es2023.d.ts"],
  types: ["node"],
  typeRoots: [join(home, "node_modules", "@types")],
  moduleResolution: compiler.ModuleResolutionKind.Bundler,
  allowImportingTsExtensions: true,
};

/** The compiler writes all paths with `/`, on Windows too. */
function compilerPath(file: string): string {
  return file.split(sep).join("/");
}

/** The problems of a cell of `numUnits` units; what lies in the line added to it only if alone. */
function problemsIn(diagnostics: readonly ts.Diagnostic[], numUnits: number): CellProblem[] {
  const all = diagnostics.map(({ messageText, code, start = 0, length = 0 }) => ({
    message: compiler.flattenDiagnosticMessageText(messageText, "\n"),
    code,
    start: start - prefixLength,
    length,
  }));
  const own = all.filter(({ start }) => start < numUnits);
  return own.length > 0 ? own : all.map((problem) => ({ ...problem, start: numUnits, length: 0 }));
}

function describe({ displayParts, documentation, tags }: ts.QuickInfo): Omit<Description, "path"> {
  const join = (parts: readonly ts.SymbolDisplayPart[] = []): string =>
    parts.map(({ text }) => text).join("");
  const tagged = (tags ?? []).map(({ name, text }) => `@${name} ${join(text)}`.trimEnd());
  return {
    signature: join(displayParts),
    documentation: [join(documentation), ...tagged].filter(Boolean).join("\n\n"),
  };
}
