/** The functions that every cell has; `cell-library/notebook-globals.d.ts` tells the compiler their types. */
import type { GradeReport } from "../../src/course/report.ts";
import { animation, type AnimationOptions } from "./animation.ts";
import type { Comms } from "./comms.ts";
import { figureBundle, type Figure } from "./figure.ts";
import { bundleOf, displaySymbol, htmlOf, isBundle, textIn, type MimeBundle } from "./mime.ts";
import { ProgressBar } from "./progress-bar.ts";
import type { Widgets } from "./widget.ts";

/** Options of `display`: `id` names a display; `update` replaces what that name shows. */
export interface DisplayOptions {
  readonly id?: string;
  readonly update?: boolean;
}

/** What the functions do their work with. */
export interface GlobalsContext {
  readonly comms: Comms;
  readonly widgets: Widgets;
  /** Shows a bundle below the running cell. */
  show(bundle: MimeBundle, options: DisplayOptions): void;
  /** Takes away what the running cell has shown, now or, with `wait`, when it shows more. */
  clear(wait: boolean): void;
  /** Makes the running cell wait for `work`. */
  waitFor(work: Promise<void>): void;
  /** Asks the person at the notebook. */
  ask(prompt: string, password: boolean): Promise<string>;
  /** Grades a project or one exercise of it, and gives the report with its picture. */
  grade(args: readonly string[]): Promise<{ report: GradeReport; bundle: MimeBundle }>;
  /** Saves an exercise and says so. */
  saveExercise(name: string, code: string): MimeBundle;
  /** The machine's backends, as a table; starts the best, or the one that is named. */
  device(name?: string): Promise<MimeBundle>;
  /** What the cells have declared, as a table. */
  who(): MimeBundle;
  /** Forgets the engine's modules, and says so. */
  reload(): MimeBundle;
  /** The whole stack of the last error. */
  trace(): MimeBundle;
}

/** Puts the functions into the global scope of this process. */
export function installGlobals(context: GlobalsContext): void {
  const display = displayFunction(context);
  const functions = {
    display,
    ...displayHelpers(display, context),
    ...commands(display, context),
    input: (prompt = "", { password = false }: { password?: boolean } = {}): Promise<string> =>
      context.ask(prompt, password),
    comms: {
      open: context.comms.open.bind(context.comms),
      register: context.comms.register.bind(context.comms),
    },
    widget: context.widgets.create.bind(context.widgets),
  };
  for (const [name, value] of Object.entries(functions)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

type Display = (value: unknown, options?: DisplayOptions) => void;

function displayFunction(context: GlobalsContext): Display {
  return (value, options = {}) => {
    if (options.update && options.id === undefined) {
      throw new TypeError(
        "An update needs the id of the display it replaces: display(value, { id, update: true }).",
      );
    }
    const show = (bundle: MimeBundle | undefined): void => {
      if (bundle) context.show(bundle, options);
    };
    const bundle = isBundle(value) ? value : bundleOf(value);
    if (bundle instanceof Promise) context.waitFor(bundle.then(show));
    else show(bundle);
  };
}

function displayHelpers(display: Display, context: GlobalsContext): Record<string, unknown> {
  let numBars = 0;
  return {
    clearOutput: (wait = false): void => {
      context.clear(wait);
    },
    html: (text: string): void => {
      display({ "text/html": text, "text/plain": plainText(text) });
    },
    show: (figure: Figure, options?: DisplayOptions): void => {
      display(figureBundle(figure), options);
    },
    sideBySide: async (left: unknown, right: unknown): Promise<void> => {
      display(besideEachOther(await asBundle(left), await asBundle(right)));
    },
    animate: async (frames: Iterable<unknown>, options: AnimationOptions = {}): Promise<void> => {
      const bundles: MimeBundle[] = [];
      for (const frame of frames) bundles.push(await asBundle(frame));
      display(animation(bundles, options));
    },
    progress: (total: number, label = ""): ProgressBar => {
      const id = `progress-${process.pid}-${++numBars}`;
      const draw = (bundle: MimeBundle, update: boolean): void => {
        context.show(bundle, { id, update });
      };
      return new ProgressBar(total, label, draw, () => performance.now());
    },
  };
}

function commands(display: Display, context: GlobalsContext): Record<string, unknown> {
  return {
    check: async (project: string, exercise?: string): Promise<GradeReport> => {
      const args = exercise === undefined ? [project] : [project, exercise];
      const { report, bundle } = await context.grade(args);
      display(bundle);
      // It is shown already: as the value of a cell it would be shown twice.
      return Object.defineProperty(report, displaySymbol, { value: () => undefined });
    },
    exercise: (name: string, code: string): void => {
      display(context.saveExercise(name, code));
    },
    device: async (name?: string): Promise<void> => {
      display(await context.device(name));
    },
    who: (): void => {
      display(context.who());
    },
    reload: (): void => {
      display(context.reload());
    },
    trace: (): void => {
      display(context.trace());
    },
    time,
  };
}

/** Runs `work`, prints how long it took, and gives what it gives. */
function time<T>(work: () => T): T {
  const start = performance.now();
  const say = (): void => {
    console.log(tookText(performance.now() - start));
  };
  const result = work();
  if (!(result instanceof Promise)) {
    say();
    return result;
  }
  return result.then((value: unknown) => {
    say();
    return value;
  }) as T;
}

/** "Took 12.3 ms." with three significant digits. */
export function tookText(ms: number): string {
  const [value, unit] = ms >= 1000 ? [ms / 1000, "s"] : ms >= 1 ? [ms, "ms"] : [ms * 1000, "µs"];
  return `Took ${value.toPrecision(3)} ${unit}.`;
}

async function asBundle(value: unknown): Promise<MimeBundle> {
  return (isBundle(value) ? value : await bundleOf(value)) ?? {};
}

function besideEachOther(left: MimeBundle, right: MimeBundle): MimeBundle {
  const panes = [left, right].map(
    (bundle) => `<div style="flex: 1; overflow: auto">${htmlOf(bundle)}</div>`,
  );
  return {
    "text/html": `<div style="display: flex; gap: 2em">${panes.join("")}</div>`,
    "text/plain": `${textIn(left)}\n\n${textIn(right)}`,
  };
}

/** HTML for a reader without a browser. */
function plainText(html: string): string {
  return html
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
