/**
 * The figures that notebooks draw, as plotly figures of few points: histograms are counted here, so
 * that a figure of a million weights is a few kilobytes. Drawing is the notebook's, and so are the
 * colours, which follow its theme; markers differ too, for those who cannot tell colours apart.
 */
import { histogram, summarize } from "../quant/error.ts";

/** A plotly figure: traces and layout as plotly.js takes them. */
export interface Figure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>>;
  /** What an animation's slider and buttons show. */
  readonly frames?: readonly object[];
}

const markers = ["circle", "square", "diamond", "triangle-up", "x", "star"] as const;

/** One histogram below the other on a common axis: what a change does to the same values. */
export function histogramsFigure(
  title: string,
  series: Readonly<Record<string, Float32Array>>,
  { bins = 128, xTitle = "weight", from, to }: HistogramOptions = {},
): Figure {
  const entries = Object.entries(series);
  const summaries = entries.map(([, values]) => summarize(values));
  const low = from ?? Math.min(...summaries.map(({ min }) => min));
  const high = to ?? Math.max(...summaries.map(({ max }) => max));
  const width = (high - low) / bins;
  const x = Array.from({ length: bins }, (_, i) => rounded(low + (i + 0.5) * width));
  const axis = (i: number): string => (i === 0 ? "" : String(i + 1));
  const data = entries.map(([name, values], i) => ({
    type: "bar",
    name,
    x,
    y: Array.from(histogram(values, bins, low, high).counts),
    yaxis: `y${axis(i)}`,
    hovertemplate: "%{y} weights at %{x}<extra></extra>",
  }));
  const axes = entries.map(([name], i) => [`yaxis${axis(i)}`, { title: { text: name } }] as const);
  return {
    data,
    layout: {
      title: { text: title },
      height: 150 + 130 * entries.length,
      bargap: 0,
      showlegend: false,
      grid: { rows: entries.length, columns: 1, subplots: entries.map((_, i) => [`xy${axis(i)}`]) },
      xaxis: { title: { text: xTitle }, anchor: `y${axis(entries.length - 1)}` },
      ...Object.fromEntries(axes),
    },
  };
}

export interface HistogramOptions {
  readonly bins?: number;
  readonly xTitle?: string;
  /** The ends of the axis; values beyond are counted in the outermost bins. */
  readonly from?: number;
  readonly to?: number;
}

/** Lines over common x values: one figure for "the more of this, the more of that". */
export function linesFigure(
  title: string,
  x: { readonly title: string; readonly values: readonly (number | string)[] },
  y: ValueAxis,
  series: Readonly<Record<string, readonly number[]>>,
): Figure {
  return {
    data: Object.entries(series).map(([name, values], i) => ({
      type: "scatter",
      mode: "lines+markers",
      name,
      x: x.values,
      y: values.map(rounded),
      marker: { symbol: markers[i % markers.length]!, size: 8 },
    })),
    layout: {
      title: { text: title },
      height: 360,
      xaxis: {
        title: { text: x.title },
        ...(typeof x.values[0] === "string" ? { type: "category" } : {}),
      },
      yaxis: valueAxis(y),
      legend: { orientation: "h", y: -0.38, yanchor: "top" },
    },
  };
}

/** One bar a name. */
export function barsFigure(
  title: string,
  y: ValueAxis,
  bars: Readonly<Record<string, number>>,
): Figure {
  return {
    data: [
      {
        type: "bar",
        x: Object.keys(bars),
        y: Object.values(bars).map(rounded),
      },
    ],
    layout: {
      title: { text: title },
      height: 340,
      showlegend: false,
      xaxis: { type: "category" },
      yaxis: valueAxis(y),
    },
  };
}

interface ValueAxis {
  readonly title: string;
  readonly log?: boolean;
}

function valueAxis({ title, log = false }: ValueAxis): object {
  const type = log ? { type: "log", dtick: 1, exponentformat: "power" } : { type: "linear" };
  return { title: { text: title }, ...type };
}

/** Six digits are more than a figure shows and keep the notebook small. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
