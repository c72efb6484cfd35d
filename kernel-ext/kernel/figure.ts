/** Plotly figures as MIME bundles: the figure itself, and a sentence for those who cannot see it. */
import type { MimeBundle } from "./mime.ts";

/** A figure as plotly.js takes it; typed arrays are allowed in the traces. */
export interface Figure {
  readonly data: readonly object[];
  readonly layout?: object;
  readonly frames?: readonly object[];
  readonly config?: object;
}

export const plotlyMime = "application/vnd.plotly.v1+json";

/** Colours that people with colour-blindness tell apart (Okabe and Ito, 2008); grey for their black, which dark pages hide. */
const colours = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f"];

/** What a layout leaves open. A figure's own template replaces it. */
const template = {
  layout: {
    colorway: colours,
    font: { size: 14 },
    margin: { l: 70, r: 30, t: 60, b: 60 },
    paper_bgcolor: "#ffffff",
    plot_bgcolor: "#ffffff",
    xaxis: { automargin: true, gridcolor: "#e5e5e5", zerolinecolor: "#b0b0b0" },
    yaxis: { automargin: true, gridcolor: "#e5e5e5", zerolinecolor: "#b0b0b0" },
  },
};

/** Enough to place a point within a pixel; a float32's further digits only make the file larger. */
const significantDigits = 7;

/** Throws where the value is no figure. */
export function figureBundle(figure: Figure): MimeBundle {
  if (!Array.isArray(figure.data)) {
    throw new TypeError(
      "A figure needs an array `data` of plotly traces, and may have `layout`, `frames` and `config`.",
    );
  }
  const shown = {
    data: figure.data.map(plain),
    layout: { template, ...(plain(figure.layout ?? {}) as object) },
    ...(figure.frames && { frames: figure.frames.map(plain) }),
    config: { responsive: true, displaylogo: false, ...figure.config },
  };
  return { [plotlyMime]: shown, "text/plain": describe(figure) };
}

/** Typed arrays become arrays, which is what the figure's JSON needs. */
function plain(value: unknown): unknown {
  if (value instanceof Float32Array || value instanceof Float64Array) {
    return Array.from(value, (x) => Number(x.toPrecision(significantDigits)));
  }
  if (ArrayBuffer.isView(value)) return Array.from(value as Uint8Array, Number);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** "Figure “Error against bits”: 2 traces (scatter “max7”, …); x: bits; y: MSE." */
function describe({ data, layout = {} }: Figure): string {
  const { title, xaxis, yaxis } = layout as Record<string, unknown>;
  const traces = data.map((trace) => {
    const { type = "scatter", name } = trace as { type?: string; name?: string };
    return name === undefined ? type : `${type} “${name}”`;
  });
  const heading = titleText(title);
  const parts = [
    `Figure${heading ? ` “${heading}”` : ""}: ${data.length} ${data.length === 1 ? "trace" : "traces"} (${traces.join(", ")})`,
    ...axisText("x", xaxis),
    ...axisText("y", yaxis),
  ];
  return `${parts.join("; ")}.`;
}

function axisText(name: string, axis: unknown): string[] {
  const text = titleText((axis as { title?: unknown } | undefined)?.title);
  return text ? [`${name}: ${text}`] : [];
}

/** Plotly takes a title as text or as `{ text }`, with simple HTML in it. */
function titleText(title: unknown): string {
  const text = typeof title === "string" ? title : (title as { text?: unknown } | undefined)?.text;
  return typeof text === "string" ? text.replace(/<[^>]*>/g, " ").trim() : "";
}
