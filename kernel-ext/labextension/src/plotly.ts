/** Plotly itself: 5 MB in a file of its own, fetched when the first figure is drawn. */
import type { Json } from "./figure.ts";

/** What the renderer uses of plotly.js. */
export interface Plotly {
  /** Draws from scratch: the only way to replace a figure's animation frames. */
  newPlot(target: HTMLElement, figure: Json): Promise<unknown>;
  /** Draws what has changed, and keeps the reader's zoom while `layout.uirevision` is the same. */
  react(target: HTMLElement, figure: Json): Promise<unknown>;
  purge(target: HTMLElement): void;
}

declare global {
  interface Window {
    Plotly?: Plotly;
  }
}

/** Plotly's script at one address, loaded once. */
export class PlotlySource {
  readonly #url: string;
  #loading: Promise<Plotly> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /** Throws where the script cannot be loaded; the next call tries again. */
  load(): Promise<Plotly> {
    this.#loading ??= addScript(this.#url).catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }
}

function addScript(url: string): Promise<Plotly> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.addEventListener("load", () => {
      if (window.Plotly) resolve(window.Plotly);
      else reject(new Error(`${url} is not plotly: run \`npx infinity setup\` again.`));
    });
    script.addEventListener("error", () => {
      reject(new Error(`Plotly could not be loaded from ${url}: is the server still running?`));
    });
    document.head.append(script);
  });
}
