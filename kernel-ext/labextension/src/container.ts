/**
 * The extension's entry: the module-federation container that JupyterLab asks for plugins. Written
 * by hand, because the protocol is two functions and JupyterLab's own builder is 300 MB. A plugin's
 * module is evaluated only once the shared packages are there, hence the dynamic imports.
 */
import { PlotlySource } from "./plotly.ts";
import { type ShareScope, loadShared } from "./share-scope.ts";

interface Container {
  /** Called once, before the first `get`. */
  init(scope: ShareScope): void;
  /** Resolves to the factory of the module that package.json names, such as `./extension`. */
  get(name: string): Promise<() => unknown>;
}

declare global {
  interface Window {
    _JUPYTERLAB?: Record<string, Container>;
  }
}

/** Where this script came from, and plotly lies beside it: known only while it first runs. */
const { src } = document.currentScript as HTMLScriptElement;
const plotly = new PlotlySource(new URL("plotly.min.js", src).href);

const modules: Record<string, () => Promise<unknown>> = {
  "./mimeExtension": async () => {
    const { plotlyRenderer } = await import("./plotly-renderer.ts");
    // JupyterLab takes `default` only from what looks like a compiled module.
    return { __esModule: true, default: plotlyRenderer(plotly) };
  },
  "./extension": async () => {
    const { coursePlugin } = await import("./course-plugin.ts");
    return { __esModule: true, default: coursePlugin };
  },
};

let scope: ShareScope = {};

const container: Container = {
  init(given) {
    scope = given;
  },
  async get(name) {
    const load = modules[name];
    if (!load) throw new Error(`infinity-labextension has no module ${name}.`);
    await loadShared(scope);
    const module = await load();
    return () => module;
  },
};

(window._JUPYTERLAB ??= {})["infinity-labextension"] = container;
