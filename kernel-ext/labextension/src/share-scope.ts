/**
 * JupyterLab's share scope: the modules it lends to extensions, by package name and version. An
 * extension must use these and not copies of its own, because Lumino and JupyterLab recognise
 * objects by class. Only what this file names can be imported as a shared module.
 */

/** The packages taken from JupyterLab; `build.ts` replaces their imports by `sharedModule`. */
export const sharedPackages: readonly string[] = [
  "@jupyterlab/application",
  "@jupyterlab/apputils",
  "@jupyterlab/services",
  "@lumino/widgets",
];

interface SharedVersion {
  /** Resolves to the module's factory. */
  get(): Promise<() => unknown>;
}

/** Package name → version → module, as JupyterLab hands it to an extension's `init`. */
export type ShareScope = Record<string, Record<string, SharedVersion>>;

const loaded = new Map<string, unknown>();

/** Loads every shared package. Throws where JupyterLab lends no such package. */
export async function loadShared(scope: ShareScope): Promise<void> {
  await Promise.all(
    sharedPackages.map(async (name) => {
      const [shared] = Object.values(scope[name] ?? {});
      if (!shared) {
        throw new Error(`JupyterLab shares no ${name}: this extension is built for JupyterLab 4.`);
      }
      loaded.set(name, (await shared.get())());
    }),
  );
}

/** A shared package's exports. Only after `loadShared`. */
export function sharedModule(name: string): unknown {
  return loaded.get(name);
}
