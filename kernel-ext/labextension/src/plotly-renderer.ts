/**
 * JupyterLab's renderer for plotly figures: as wide as the cell, in the theme's colours, offline.
 * It draws when its cell first has a width, so a long notebook pays only for what is seen.
 */
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { Widget } from "@lumino/widgets";
import { type Figure, type Theme, heightOf, layoutFor, parseFigure, titleOf } from "./figure.ts";
import type { PlotlySource } from "./plotly.ts";

const mimeType = "application/vnd.plotly.v1+json";

/** The extension that JupyterLab registers. `source` gives it plotly. */
export function plotlyRenderer(source: PlotlySource): IRenderMime.IExtension {
  return {
    id: "infinity-labextension:plotly",
    rendererFactory: {
      safe: true,
      mimeTypes: [mimeType],
      createRenderer: () => new PlotlyFigure(source),
    },
    // Before the images and HTML that a notebook carries for readers without this extension.
    rank: 0,
    dataType: "json",
  };
}

/** One drawn figure. It owns its plot and what it observes, until it is disposed. */
class PlotlyFigure extends Widget implements IRenderMime.IRenderer {
  readonly #source: PlotlySource;
  readonly #plot: HTMLElement = document.createElement("div");
  readonly #size: ResizeObserver = new ResizeObserver(() => {
    this.#schedule();
  });
  readonly #theme: MutationObserver = new MutationObserver(() => {
    this.#schedule();
  });
  #figure: Figure | undefined;
  #isNew = false;
  #frame = 0;

  constructor(source: PlotlySource) {
    super();
    this.#source = source;
    this.addClass("infinity-plotly");
    this.node.setAttribute("role", "figure");
    this.#size.observe(this.node);
    const attributeFilter = ["data-jp-theme-light", "data-jp-theme-name"];
    this.#theme.observe(document.body, { attributeFilter });
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    try {
      this.#show(parseFigure(model.data[mimeType]));
    } catch (error) {
      // Thrown from here, it would keep JupyterLab from showing the rest of the notebook.
      this.#fail(error);
    }
    return Promise.resolve();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.#size.disconnect();
    this.#theme.disconnect();
    cancelAnimationFrame(this.#frame);
    window.Plotly?.purge(this.#plot);
    super.dispose();
  }

  #show(figure: Figure): void {
    this.#figure = figure;
    this.#isNew = true;
    this.node.replaceChildren(this.#plot);
    this.node.setAttribute("aria-label", titleOf(figure));
    // The room is taken before the drawing is there, so that the page does not jump.
    this.node.style.height = `${heightOf(figure)}px`;
    this.#schedule();
  }

  /** Puts the reason in the figure's place. */
  #fail(error: unknown): void {
    this.#figure = undefined;
    window.Plotly?.purge(this.#plot);
    this.node.style.height = "auto";
    this.node.replaceChildren(error instanceof Error ? error.message : String(error));
  }

  /** Draws once in the next frame, however often it is asked before. */
  #schedule(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      const width = this.node.clientWidth;
      if (!this.#figure || width === 0) return;
      this.#draw(this.#figure, width).catch((error: unknown) => {
        this.#fail(error);
      });
    });
  }

  async #draw(figure: Figure, width: number): Promise<void> {
    const plotly = await this.#source.load();
    if (this.isDisposed || this.#figure !== figure) return;
    // Plotly writes into what it is given, and the figure is drawn again when the theme changes.
    const { data, frames } = structuredClone(figure);
    const layout = structuredClone(layoutFor(figure, themeOf(document.body), width));
    const config = { displaylogo: false };
    const replaced = this.#isNew && frames.length > 0;
    this.#isNew = false;
    if (replaced) await plotly.newPlot(this.#plot, { data, layout, frames, config });
    else await plotly.react(this.#plot, { data, layout, config });
  }
}

/** The theme's colours, as JupyterLab's style sheet names them. */
function themeOf(body: HTMLElement): Theme {
  const style = getComputedStyle(body);
  const variable = (name: string, otherwise: string): string =>
    style.getPropertyValue(name).trim() || otherwise;
  return {
    dark: body.dataset["jpThemeLight"] === "false",
    text: variable("--jp-content-font-color1", "#212121"),
    grid: variable("--jp-border-color2", "#e0e0e0"),
    surface: variable("--jp-layout-color1", "#ffffff"),
    fontFamily: variable("--jp-content-font-family", "sans-serif"),
  };
}
