/**
 * One notebook's session: text of a cell in, value or error out. It joins the compiler, the runner,
 * the engine's modules and the magics, and knows nothing of messages.
 */
import { join } from "node:path";
import { CellCompiler, type CompiledCell, type Completion } from "./compiler.ts";
import { CellRunner } from "./cell-runner.ts";
import { ChildProcesses } from "./child-processes.ts";
import { Comms, type SendComm } from "./comms.ts";
import type { Completeness } from "./completeness.ts";
import { deviceTable, reloadedText, whoTable } from "./commands.ts";
import { type ExerciseContext, gradeReport, saveExercise } from "./exercises.ts";
import { installGlobals, tookText, type DisplayOptions, type GlobalsContext } from "./globals.ts";
import { type LineMagic, type Magic, type ParsedCell, parseCell, withoutMagics } from "./magics.ts";
import { bundleOf, type MimeBundle } from "./mime.ts";
import { Modules } from "./modules.ts";
import { SourceTree } from "./source-tree.ts";
import { StackTraces } from "./stack-traces.ts";
import { Interrupted, type StopSignal } from "./stop-signal.ts";
import { thrown, typeErrors, wholeStack, type ErrorContent } from "./traceback.ts";
import { summaryOf, valueAt } from "./values.ts";
import { Widgets } from "./widget.ts";

/** How a cell ended; `result` is there where its last expression has a value. */
export type Outcome =
  | { readonly status: "ok"; readonly result?: MimeBundle }
  | { readonly status: "error"; readonly error: ErrorContent };

/** Where the notebook's displays go. */
export type Show = (bundle: MimeBundle, options: DisplayOptions) => void;

/** What a notebook needs of the people and pages in front of it. */
export interface FrontEnd {
  readonly show: Show;
  /** Takes away what the running cell has shown; with `wait`, once it shows more. */
  readonly clear: (wait: boolean) => void;
  /** Asks the person who runs the cell. */
  ask(prompt: string, password: boolean): Promise<string>;
  readonly sendComm: SendComm;
}

/** What a notebook is started with. */
export interface NotebookOptions {
  readonly root: string;
  /** May name the notebook (JPY_SESSION_NAME). */
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: StopSignal;
}

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
  readonly comms: Comms;
  readonly #compiler: CellCompiler;
  readonly #runner: CellRunner;
  readonly #modules: Modules;
  readonly #stacks: StackTraces;
  readonly #children: ChildProcesses;
  readonly #signal: StopSignal;
  readonly #commands: GlobalsContext;
  readonly #frontEnd: FrontEnd;
  #pending: Promise<void>[] = [];
  #numRun = 0;
  #lastError: unknown;

  constructor({ root, environment, signal }: NotebookOptions, frontEnd: FrontEnd) {
    const tree = new SourceTree(root);
    this.comms = new Comms(frontEnd.sendComm);
    this.#compiler = new CellCompiler(tree);
    this.#runner = new CellRunner(join(process.cwd(), "notebook.ts"), signal);
    this.#modules = new Modules(tree);
    this.#stacks = new StackTraces(root, import.meta.dirname, (file) =>
      this.#modules.compiledText(file),
    );
    this.#children = new ChildProcesses(signal);
    this.#signal = signal;
    this.#frontEnd = frontEnd;
    const notebook = environment["JPY_SESSION_NAME"];
    this.#commands = this.#context({
      root,
      notebook,
      load: (specifier) => this.#runner.load(specifier),
    });
    this.#modules.install();
    this.#stacks.install();
    this.#children.install();
    installGlobals(this.#commands);
  }

  /** Runs one cell to its end; `label` is what messages call it. */
  async execute(text: string, label: string): Promise<Outcome> {
    try {
      const { value } = await this.#run(text, label);
      const result = value === undefined ? undefined : await this.#orStopped(bundleOf(value));
      return { status: "ok", ...(result && { result }) };
    } catch (error) {
      return { status: "error", error: this.#failure(error) };
    }
  }

  /** The content of an `error` message for anything thrown. */
  describe(error: unknown): ErrorContent {
    return error instanceof TypeErrors ? error.content : thrown(error, this.#stacks);
  }

  /** Stops the running cell, if one runs. */
  interrupt(): void {
    this.#children.stop();
    this.#runner.interrupt();
  }

  complete(text: string, offset: number): Completion {
    return this.#compiler.complete(withoutMagics(text), offset);
  }

  /** Type, documentation and, where a cell has run, the value of what stands at `offset`. */
  inspect(text: string, offset: number): MimeBundle | undefined {
    const found = this.#compiler.inspect(withoutMagics(text), offset);
    if (!found) return undefined;
    const { signature, documentation, path } = found;
    const value = path.length > 0 ? valueAt(this.#runner.values, path) : undefined;
    const now = value && typeof value.value !== "function" ? [`= ${summaryOf(value.value)}`] : [];
    const code = [signature, ...now].join("\n");
    return {
      "text/plain": [code, documentation].filter(Boolean).join("\n\n"),
      "text/markdown": [`\`\`\`typescript\n${code}\n\`\`\``, documentation]
        .filter(Boolean)
        .join("\n\n"),
    };
  }

  isComplete(text: string): Completeness {
    return this.#compiler.isComplete(withoutMagics(text));
  }

  /** Compiles a cell that does nothing, so that the first real one finds everything loaded. */
  warm(): void {
    this.#compiler.compile("console.log([1].map((x) => x))");
  }

  async #run(text: string, label: string): Promise<{ readonly value: unknown }> {
    const parsed = parseCell(text);
    this.#children.startCell();
    for (const line of parsed.lines) await this.#runLine(line);
    const result = await this.#runCode(parsed, label);
    const { magic, code } = parsed;
    switch (magic?.name) {
      case "exercise":
        this.#frontEnd.show(this.#saveExercise(magic.args, code), {});
        break;
      case "grade":
        this.#frontEnd.show((await this.#orStopped(this.#commands.grade(magic.args))).bundle, {});
        break;
      case undefined:
        break;
    }
    return result;
  }

  async #runLine({ name, args }: Magic<LineMagic>): Promise<void> {
    // `%time` is about the code below it.
    if (name === "time") return;
    const shown =
      name === "device"
        ? await this.#orStopped(this.#commands.device(args[0]))
        : this.#commands[name]();
    this.#frontEnd.show(shown, {});
  }

  async #runCode({ code, lines }: ParsedCell, label: string): Promise<{ readonly value: unknown }> {
    this.#modules.dropChanged(this.#runner.moduleCache);
    const cell = this.#compile(code, label);
    const file = join(process.cwd(), `cell-${++this.#numRun}.ts`);
    this.#stacks.addCell(file, label, code, cell.maps);
    try {
      const start = performance.now();
      const result = await this.#runner.run(cell, file);
      for (let work = this.#pending.shift(); work; work = this.#pending.shift()) {
        await this.#orStopped(work);
      }
      await this.#orStopped(this.#children.drained());
      if (lines.some(({ name }) => name === "time")) {
        console.log(tookText(performance.now() - start));
      }
      cell.commit(() => false);
      return result;
    } catch (error) {
      // What a failed cell got to is there, in its values; the next cell may use it.
      cell.commit((name) => this.#runner.values[name] === undefined);
      throw error;
    }
  }

  #compile(code: string, label: string): CompiledCell {
    const compiled = this.#compiler.compile(code);
    if ("problems" in compiled) throw new TypeErrors(typeErrors(compiled.problems, label, code));
    return compiled;
  }

  /** A cell that was stopped ends as such, whatever its stop made it throw. */
  #failure(error: unknown): ErrorContent {
    const cause = this.#signal.requested && !(error instanceof Interrupted);
    const told = cause ? new Interrupted() : error;
    if (!(error instanceof TypeErrors)) this.#lastError = error;
    return this.describe(told);
  }

  #orStopped<T>(work: T): Promise<Awaited<T>> {
    return this.#runner.orStopped(work);
  }

  #saveExercise(args: readonly string[], code: string): MimeBundle {
    return this.#commands.saveExercise(args.join(" "), code.replace(/^[ \t]*\n/, ""));
  }

  /** What the functions of every cell do, and the magics with them. */
  #context(exercises: ExerciseContext): GlobalsContext {
    return {
      comms: this.comms,
      widgets: new Widgets(this.comms),
      show: this.#frontEnd.show,
      clear: this.#frontEnd.clear,
      waitFor: (work) => this.#pending.push(work),
      ask: (prompt, password) => this.#frontEnd.ask(prompt, password),
      grade: (args) => gradeReport(exercises, args),
      saveExercise: (name, code) => saveExercise(exercises, name, code),
      device: (name) => deviceTable(exercises.load, name),
      who: () => whoTable(this.#runner.values),
      reload: () => reloadedText(this.#modules.dropAll(this.#runner.moduleCache)),
      trace: () => wholeStack(this.#lastError, this.#stacks),
    };
  }
}
