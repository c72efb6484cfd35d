/** The documents that JupyterLab has open: opened beside each other, saved, and read again. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { Widget } from "@lumino/widgets";

/** What is used of a document's context; duck-typed, because any widget may lie in the main area. */
interface Context {
  readonly path: string;
  readonly model: { readonly dirty: boolean };
  save(): Promise<void>;
  revert(): Promise<void>;
}

/** Opens `notebook`, and `file` in an editor to its right. Paths as the server has them. */
export async function openBeside(
  { commands }: JupyterFrontEnd,
  notebook: string,
  file: string,
): Promise<void> {
  const left = (await commands.execute("docmanager:open", { path: notebook })) as Widget;
  const options = { mode: "split-right", ref: left.id };
  await commands.execute("docmanager:open", { path: file, factory: "Editor", options });
}

/** Saves `path` where it is open and was changed: a check reads the file, not the editor. */
export async function saveOpen(app: JupyterFrontEnd, path: string): Promise<void> {
  for (const context of contexts(app, path)) if (context.model.dirty) await context.save();
}

/** Shows the file's new content in every editor of `path`. */
export async function readAgain(app: JupyterFrontEnd, path: string): Promise<void> {
  for (const context of contexts(app, path)) await context.revert();
}

/** The path of the document in front, if one is. */
export function currentPath({ shell }: JupyterFrontEnd): string | undefined {
  return shell.currentWidget ? contextOf(shell.currentWidget)?.path : undefined;
}

function contexts({ shell }: JupyterFrontEnd, path: string): Context[] {
  return [...shell.widgets("main")]
    .map(contextOf)
    .filter((context) => context !== undefined)
    .filter((context) => context.path === path);
}

function contextOf(widget: Widget): Context | undefined {
  const { context } = widget as Widget & { context?: Partial<Context> };
  return typeof context?.path === "string" ? (context as Context) : undefined;
}
