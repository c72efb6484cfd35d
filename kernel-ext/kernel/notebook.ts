/**
 * One notebook's session: text of a cell in, value or error out. It joins the compiler, the runner,
 * the engine's modules and the magics, and knows nothing of messages.
 */
import { join } from "node:path";
import { CellCompiler, completeness, type CompiledCell, type Completion } from "./compiler.ts";
import { CellRunner } from "./cell-runner.ts";
import { type ExerciseContext, gradeReport, saveExercise } from "./exercises.ts";
import { installGlobals, type DisplayOptions } from "./globals.ts";
import { parseCell, withoutMagic } from "./magics.ts";
import { bundleOf, type MimeBundle } from "./mime.ts";
import { Modules } from "./modules.ts";
import { SourceTree } from "./source-tree.ts";
import { StackTraces } from "./stack-traces.ts";
import { thrown, typeErrors, type ErrorContent } from "./traceback.ts";

/** How a cell ended; `result` is there where its last expression has a value. */
export type Outcome =
  | { readonly status: "ok"; readonly result?: MimeBundle }
  | { readonly status: "error"; readonly error: ErrorContent };

/** Where the notebook's displays go. */
export type Show = (bundle: MimeBundle, options: DisplayOptions) => void;

/** The compiler refused the cell. */
class TypeErrors extends Error {
  readonly content: ErrorContent;

  constructor(content: ErrorContent) {
    super(content.evalue);
    this.content = content;
  }
}

/** A session; one per process, because it teaches the process's `require` and stacks. */
export class Notebook {
  readonly #compiler: CellCompiler;
  readonly #runner = new CellRunner(process.cwd());
  readonly #modules: Modules;
  readonly #stacks: StackTraces;
  readonly #show: Show;
  readonly #exercises: ExerciseContext;
  #pending: Promise<void>[] = [];
  #numRun = 0;

  /** `environment` may name the notebook (JPY_SESSION_NAME). */
  constructor(root: string, environment: NodeJS.ProcessEnv, show: Show) {
    const tree = new SourceTree(root);
    this.#compiler = new CellCompiler(tree);
    this.#modules = new Modules(tree);
    this.#stacks = new StackTraces(root, import.meta.dirname, (file) =>
      this.#modules.compiledText(file),
    );
    this.#show = show;
    this.#exercises = {
      root,
      notebook: environment["JPY_SESSION_NAME"],
      load: (specifier) => this.#runner.load(specifier),
    };
    this.#modules.install();
    this.#stacks.install();
    installGlobals({
      show,
      waitFor: (work) => this.#pending.push(work),
      grade: (args) => gradeReport(this.#exercises, args),
    });
  }

  /** Runs one cell to its end; `label` is what messages call it. */
  async execute(text: string, label: string): Promise<Outcome> {
    try {
      const { value } = await this.#run(text, label);
      return { status: "ok", ...(value !== undefined && { result: await bundleOf(value) }) };
    } catch (error) {
      return { status: "error", error: this.describe(error) };
    }
  }

  /** The content of an `error` message for anything thrown. */
  describe(error: unknown): ErrorContent {
    return error instanceof TypeErrors ? error.content : thrown(error, this.#stacks);
  }

  /** Stops the running cell, if one runs. */
  interrupt(): void {
    this.#runner.interrupt();
  }

  complete(text: string, offset: number): Completion {
    return this.#compiler.complete(withoutMagic(text), offset);
  }

  inspect(text: string, offset: number): string | undefined {
    return this.#compiler.inspect(withoutMagic(text), offset);
  }

  isComplete(text: string): ReturnType<typeof completeness> {
    return completeness(withoutMagic(text));
  }

  /** Compiles a cell that does nothing, so that the first real one finds everything loaded. */
  warm(): void {
    this.#compiler.compile("console.log([1].map((x) => x))");
  }

  async #run(text: string, label: string): Promise<{ readonly value: unknown }> {
    const { magic, code } = parseCell(text);
    const result = await this.#runCode(code, label);
    switch (magic?.name) {
      case "exercise":
        this.#show(saveExercise(this.#exercises, magic.args, code.replace(/^\n/, "")), {});
        break;
      case "grade":
        this.#show(await gradeReport(this.#exercises, magic.args), {});
        break;
      case undefined:
        break;
    }
    return result;
  }

  async #runCode(code: string, label: string): Promise<{ readonly value: unknown }> {
    this.#modules.dropChanged(this.#runner.moduleCache);
    const cell = this.#compile(code, label);
    const file = join(process.cwd(), `cell-${++this.#numRun}.ts`);
    this.#stacks.addCell(file, label, code, cell.maps);
    try {
      const result = await this.#runner.run(cell, file);
      for (let work = this.#pending.shift(); work; work = this.#pending.shift()) await work;
      cell.commit(() => false);
      return result;
    } catch (error) {
      // What a failed cell got to is there, in its values; the next cell may use it.
      cell.commit((name) => !this.#runner.has(name));
      throw error;
    }
  }

  #compile(code: string, label: string): CompiledCell {
    const compiled = this.#compiler.compile(code);
    if ("problems" in compiled) throw new TypeErrors(typeErrors(compiled.problems, label, code));
    return compiled;
  }
}
