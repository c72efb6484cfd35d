/** The functions that every cell has; `cell-library/notebook-globals.d.ts` tells the compiler their types. */
import { figureBundle, type Figure } from "./figure.ts";
import { bundleOf, escapeHtml, isBundle, type MimeBundle } from "./mime.ts";

/** Options of `display`: `id` names a display; `update` replaces what that name shows. */
export interface DisplayOptions {
  readonly id?: string;
  readonly update?: boolean;
}

/** What the functions do their work with. */
export interface GlobalsContext {
  /** Shows a bundle below the running cell. */
  show(bundle: MimeBundle, options: DisplayOptions): void;
  /** Makes the running cell wait for `work`. */
  waitFor(work: Promise<void>): void;
  /** Grades a project or one exercise of it. */
  grade(args: readonly string[]): Promise<MimeBundle>;
}

/** Puts the functions into the global scope of this process. */
export function installGlobals(context: GlobalsContext): void {
  const display = (value: unknown, options: DisplayOptions = {}): void => {
    if (options.update && options.id === undefined) {
      throw new TypeError(
        "An update needs the id of the display it replaces: display(value, { id, update: true }).",
      );
    }
    const bundle = isBundle(value) ? value : bundleOf(value);
    if (!(bundle instanceof Promise)) context.show(bundle, options);
    else
      context.waitFor(
        bundle.then((ready) => {
          context.show(ready, options);
        }),
      );
  };
  const functions = {
    display,
    html: (text: string): void => {
      display({ "text/html": text, "text/plain": plainText(text) });
    },
    show: (figure: Figure, options?: DisplayOptions): void => {
      display(figureBundle(figure), options);
    },
    sideBySide: async (left: unknown, right: unknown): Promise<void> => {
      display(besideEachOther(await asBundle(left), await asBundle(right)));
    },
    check: async (project: string, exercise?: string): Promise<void> => {
      display(await context.grade(exercise === undefined ? [project] : [project, exercise]));
    },
  };
  for (const [name, value] of Object.entries(functions)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

function asBundle(value: unknown): MimeBundle | Promise<MimeBundle> {
  return isBundle(value) ? value : bundleOf(value);
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

function htmlOf(bundle: MimeBundle): string {
  const html = bundle["text/html"] ?? bundle["image/svg+xml"];
  return typeof html === "string" ? html : `<pre>${escapeHtml(textIn(bundle))}</pre>`;
}

function textIn(bundle: MimeBundle): string {
  const text = bundle["text/plain"];
  return typeof text === "string" ? text : "";
}

/** HTML for a reader without a browser. */
function plainText(html: string): string {
  return html
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
