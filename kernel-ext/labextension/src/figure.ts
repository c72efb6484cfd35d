/**
 * A plotly figure as a notebook holds it, and as it is drawn: checked, fitted to the cell's width
 * and dressed in JupyterLab's theme. Pure functions of JSON; the drawing is the renderer's.
 */

/** A JSON object. */
export type Json = Record<string, unknown>;

/** A checked figure: the parts of `application/vnd.plotly.v1+json` that are used. */
export interface Figure {
  readonly data: readonly Json[];
  readonly layout: Json;
  readonly frames: readonly Json[];
}

/** JupyterLab's theme as colours and a font that plotly understands. */
export interface Theme {
  readonly dark: boolean;
  readonly text: string;
  readonly grid: string;
  readonly surface: string;
  readonly fontFamily: string;
}

/** Okabe and Ito's colours, told apart by every kind of colour vision, lightened for dark pages. */
const colorways = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#3a9bd9", "#4d4d4d"],
  dark: ["#56b4e9", "#f08a4b", "#2fc99b", "#e7a3c8", "#f0e442", "#9ecbff", "#d0d0d0"],
} as const;

/** Plotly's own default, used where a figure names no height. Pixels. */
const defaultHeight = 450;

/** Taller is a mistake or mischief; a notebook's cell would be unusable. Pixels. */
const largestHeight = 10_000;

/** Below this a legend beside the axes leaves too little of them. Pixels. */
const narrowWidth = 480;

/** The figure in a notebook's output. Throws where it is none. */
export function parseFigure(value: unknown): Figure {
  if (!isObject(value) || !Array.isArray(value["data"]) || !value["data"].every(isObject)) {
    throw new Error("This output is no plotly figure: `data` must be a list of traces.");
  }
  const {
    data,
    layout = {},
    frames = [],
  } = structuredClone(value) as { data: Json[]; layout?: unknown; frames?: unknown };
  if (!isObject(layout) || !Array.isArray(frames) || !frames.every(isObject)) {
    throw new Error(
      "This output is no plotly figure: `layout` must be an object and `frames` a list.",
    );
  }
  return { data, layout, frames };
}

/** The height a figure is drawn with, in pixels. */
export function heightOf({ layout }: Figure): number {
  const height = layout["height"];
  return typeof height === "number" && height > 0 ? Math.min(height, largestHeight) : defaultHeight;
}

/** A figure's title without markup, to be read aloud. */
export function titleOf({ layout }: Figure): string {
  const title = isObject(layout["title"]) ? layout["title"]["text"] : layout["title"];
  const text =
    typeof title === "string"
      ? title
          .replace(/<[^>]*>/g, " ")
          .replace(/\s+/g, " ")
          .trim()
      : "";
  return text || "Figure without a title";
}

/**
 * The layout to draw `figure` with: as wide as its cell, on the theme's page. The theme goes into
 * the template: over the colours that the figure's own template has for a page it cannot know, under
 * what the layout itself says. `uirevision` keeps the reader's zoom when the figure is drawn again.
 * `width` in pixels.
 */
export function layoutFor(figure: Figure, theme: Theme, width: number): Json {
  const own = objectAt(figure.layout, "template");
  const narrow = width < narrowWidth ? narrowLayout : {};
  const parts = [defaultLayout(theme), objectAt(own, "layout"), pageLayout(theme), narrow];
  return {
    uirevision: true,
    ...figure.layout,
    template: { ...own, layout: parts.reduce(merged) },
    autosize: false,
    width,
    height: heightOf(figure),
  };
}

/** What a figure and its template leave open. Margins in pixels. */
function defaultLayout({ dark }: Theme): Json {
  return {
    colorway: dark ? colorways.dark : colorways.light,
    margin: { l: 60, r: 20, t: 60, b: 50 },
  };
}

/** On a phone the legend goes below the axes: pixels are for the data. */
const narrowLayout: Json = {
  margin: { l: 40, r: 10, t: 60, b: 40 },
  legend: { orientation: "h", y: -0.2, yanchor: "top" },
};

function pageLayout({ text, grid, surface, fontFamily }: Theme): Json {
  const axis = { gridcolor: grid, linecolor: grid, zerolinecolor: grid, automargin: true };
  const transparent = "rgba(0,0,0,0)";
  return {
    paper_bgcolor: transparent,
    plot_bgcolor: transparent,
    font: { color: text, family: fontFamily },
    xaxis: axis,
    yaxis: axis,
    scene: { xaxis: axis, yaxis: axis, zaxis: axis },
    hoverlabel: { bgcolor: surface, bordercolor: grid, font: { color: text } },
    modebar: { bgcolor: transparent, color: text, activecolor: text },
  };
}

/** `below` with everything that `above` says; objects in both are merged in turn. */
function merged(below: Json, above: Json): Json {
  const both = Object.entries(above).map(([key, value]) => {
    const under = below[key];
    return [key, isObject(under) && isObject(value) ? merged(under, value) : value] as const;
  });
  return { ...below, ...Object.fromEntries(both) };
}

function objectAt(parent: Json, key: string): Json {
  const value = parent[key];
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
