/**
 * The figures of notebook 04: where the slots of a memory are, at one step, over time, and as a film
 * with a slider. A request's cells share a colour and are pale where they hold no token; the parts of
 * a memory have colours that also differ in lightness, for those who cannot tell them apart.
 */
import type { MapCell, MemoryFrame } from "../runtime/allocators/memory-map.ts";
import type { MemoryCensus, Simulation } from "../runtime/allocators/simulate.ts";
import type { Figure } from "./figures.ts";
import type { FilmedRun } from "./memory-page/page.ts";

/**
 * The parts of a memory besides what is free: what they are called, and colours for any page. Patterns
 * only where an area is small: they make the pictures of notebooks large.
 */
const parts = {
  live: { label: "tokens", color: "#3a9bd9", pattern: "" },
  reserved: { label: "reserved, used later", color: "#9ac7e8", pattern: "/" },
  internal: { label: "never used (internal)", color: "#d98032", pattern: "" },
  external: { label: "free, too scattered (external)", color: "#a37bc4", pattern: "x" },
} as const;
type Part = keyof typeof parts;
const partNames = Object.keys(parts) as Part[];

/** Pixels. */
const mapHeight = 84;
const barHeight = 26;
const film = { top: 60, gap: 70, bottom: 150 } as const;

/** More colours than neighbours in a memory; request 12 looks like request 1. */
const numColours = 11;
/** The height of a row of cells in units of its axis. */
const rowUnit = 60;
/** Milliseconds from frame to frame. */
const pace = 150;

/** Bars of the parts of each memory at its peak, in per cent of it; what is missing is free. */
export function partsAtPeakFigure(title: string, simulations: readonly Simulation[]): Figure {
  const rows = simulations.map(({ name, numSlots, peak }) => ({ name, numSlots, census: peak }));
  return {
    data: partBars(rows, "x", "y"),
    layout: {
      title: { text: title },
      height: film.top + film.bottom + barHeight * rows.length,
      barmode: "stack",
      ...{ xaxis: shareAxis, yaxis: nameAxis(rows), legend: legendBelow(-0.35) },
    },
  };
}

/** The parts of each memory over time, one above the other; a dashed line where one first ran out. */
export function partsOverTimeFigure(title: string, runs: readonly FilmedRun[]): Figure {
  const axis = (i: number): string => (i === 0 ? "" : String(i + 1));
  const data = runs.flatMap(({ simulation, frames }, i) =>
    partNames.map((part) => ({
      ...{ type: "scatter", mode: "lines", name: parts[part].label, legendgroup: part },
      ...{ showlegend: i === 0, stackgroup: simulation.name, yaxis: `y${axis(i)}` },
      x: frames.map(({ census }) => census.step),
      y: frames.map(({ census }) => percent(census[part], simulation.numSlots)),
      line: { width: 0, color: parts[part].color },
      fillcolor: parts[part].color,
      hovertemplate: `%{y} %: ${parts[part].label}, step %{x}<extra></extra>`,
    })),
  );
  const failures = runs.flatMap(({ simulation: { firstFailure } }, i) =>
    firstFailure ? [{ step: firstFailure.step, yref: `y${axis(i)}` }] : [],
  );
  const axes = runs.map((_, i) => [`yaxis${axis(i)}`, { range: [0, 100], ticksuffix: " %" }]);
  return {
    data,
    layout: {
      title: { text: title },
      height: film.top + film.bottom + 125 * runs.length,
      grid: { rows: runs.length, columns: 1, subplots: runs.map((_, i) => [`xy${axis(i)}`]) },
      xaxis: { title: { text: "step" }, anchor: `y${axis(runs.length - 1)}` },
      ...(Object.fromEntries(axes) as object),
      shapes: failures.map(({ step, yref }) => ({
        ...{ type: "line", x0: step, x1: step, y0: 0, y1: 100, yref },
        line: { color: "#e0483e", width: 2, dash: "dash" },
      })),
      annotations: runs.map(({ simulation: { name } }, i) => ({
        ...{ text: name, showarrow: false, xref: "paper", x: 0, xanchor: "left" },
        ...{ yref: `y${axis(i)} domain`, y: 1, yanchor: "bottom" },
      })),
      legend: legendBelow(-0.2),
    },
  };
}

/**
 * A film with a slider: the map of each memory in `numColumns` columns, and its parts as bars.
 * Without scripts it shows step `from`.
 */
export function memoryFilmFigure(
  title: string,
  runs: readonly FilmedRun[],
  { from = 0, numColumns = 60 }: { readonly from?: number; readonly numColumns?: number } = {},
): Figure {
  const longest = runs.reduce((a, b) => (b.frames.length > a.frames.length ? b : a));
  const steps = longest.frames.map(({ census }) => census.step);
  const first = steps.findLastIndex((step) => step <= from);
  const tracesAt = (step: number): readonly FrameTrace[] => {
    const frames = runs.map((run) => frameAt(run.frames, step));
    const rows = runs.map(({ simulation: { name, numSlots } }, i) => ({
      ...{ name, numSlots, census: frames[i]!.census },
    }));
    return [
      ...frames.map(({ cells }) => ({ marker: { color: encoded(cells.map(colourCode)) } })),
      ...partBars(rows, "x2", `y${runs.length + 1}`).map(({ x }) => ({ x })),
    ];
  };
  const rows = runs.map(({ simulation: { name, numSlots, peak } }) => ({
    ...{ name, numSlots, census: peak },
  }));
  const shown = tracesAt(steps[first] ?? 0);
  const maps = runs.map(({ frames }, i) =>
    mapTrace(frames[0]?.cells.length ?? 0, numColumns, `y${i === 0 ? "" : i + 1}`),
  );
  const bars = partBars(rows, "x2", `y${runs.length + 1}`);
  return {
    data: [
      ...maps.map((map, i) => ({ ...map, marker: { ...map.marker, ...shown[i]!.marker } })),
      ...bars.map((bar, i) => ({ ...bar, ...shown[runs.length + i] })),
    ],
    layout: { title: { text: title }, ...filmLayout(rows), ...controls(steps, first) },
    frames: steps.map((step) => ({ name: String(step), data: tracesAt(step) })),
  };
}

/** What changes of a trace from frame to frame. */
interface FrameTrace {
  readonly marker?: object;
  /** Numbers, or bytes in base64. */
  readonly x?: object;
}

interface Row {
  readonly name: string;
  readonly numSlots: number;
  readonly census: MemoryCensus;
}

function partBars(
  rows: readonly Row[],
  xaxis: string,
  yaxis: string,
): { readonly x: readonly number[] }[] {
  return partNames.map((part) => ({
    ...{ type: "bar", orientation: "h", name: parts[part].label, xaxis, yaxis },
    x: rows.map(({ census, numSlots }) => percent(census[part], numSlots)),
    y: rows.map(({ name }) => name),
    marker: {
      color: parts[part].color,
      pattern: { shape: parts[part].pattern, fillmode: "overlay", solidity: 0.25 },
    },
    hovertemplate: `%{y}: %{x} % ${parts[part].label}<extra></extra>`,
  }));
}

function percent(slots: number, numSlots: number): number {
  return Number(((100 * slots) / numSlots).toFixed(2));
}

const shareAxis = { title: { text: "share of the memory" }, range: [0, 100], ticksuffix: " %" };

/** The first row on top. */
function nameAxis(rows: readonly Row[]): object {
  return { type: "category", autorange: "reversed", categoryarray: rows.map(({ name }) => name) };
}

function legendBelow(y: number): object {
  return { orientation: "h", y, yanchor: "top", traceorder: "normal" };
}

/**
 * A map of `numCells` cells as bars on top of each other: they are drawn at once, where an image would
 * flicker from frame to frame, and as wide as the page allows.
 */
function mapTrace(
  numCells: number,
  numColumns: number,
  yaxis: string,
): Readonly<Record<string, unknown>> & { readonly marker: object } {
  const cells = Array.from({ length: numCells }, (_, i) => i);
  return {
    ...{ type: "bar", xaxis: "x", yaxis, showlegend: false, hoverinfo: "skip" },
    x: encoded(cells.map((i) => i % numColumns)),
    base: encoded(cells.map((i) => rowUnit * Math.floor(i / numColumns))),
    y: encoded(cells.map(() => 0.93 * rowUnit)),
    marker: {
      cmin: -0.5,
      cmax: 2 * numColours + 0.5,
      colorscale: colorscale(),
      line: { width: 0 },
    },
  };
}

/** Free, then each colour pale and full; every value has a band of its own. */
function colorscale(): [at: number, colour: string][] {
  const colours = Array.from({ length: numColours }, (_, i) => {
    // The golden angle keeps neighbouring numbers apart in colour.
    const hue = Math.round((i * 137.5) % 360);
    return [`hsla(${hue}, 45%, 60%, 0.3)`, `hsl(${hue}, 60%, 50%)`];
  }).flat();
  const all = ["rgba(128, 128, 128, 0.1)", ...colours];
  return all.flatMap((colour, i): [number, string][] => [
    [i / all.length, colour],
    [(i + 1) / all.length, colour],
  ]);
}

/** The cell's colour: 0 where it is free, else its owner's, pale or full. */
function colourCode(cell: MapCell | null): number {
  return cell === null ? 0 : 1 + 2 * (cell.owner % numColours) + Number(cell.isLive);
}

/** Numbers from 0 to 255 as base64, as plotly reads them: a tenth of the room of a list. */
function encoded(values: readonly number[]): object {
  return { dtype: "u1", bdata: Buffer.from(values).toString("base64") };
}

/** What was to be seen at `step`: a run that is over keeps its last frame. */
function frameAt(frames: readonly MemoryFrame[], step: number): MemoryFrame {
  return frames.findLast(({ census }) => census.step <= step) ?? frames[0]!;
}

/** Maps below each other, each under its name, and the bars below all maps. */
function filmLayout(rows: readonly Row[]): object {
  const mapsHeight = mapHeight * rows.length;
  const total = mapsHeight + film.gap + barHeight * rows.length;
  const domain = (top: number, height: number): [number, number] => [
    Math.max(0, 1 - (top + height) / total),
    1 - top / total,
  ];
  const nameRoom = 22;
  const maps = rows.map((_, i) => [
    `yaxis${i === 0 ? "" : i + 1}`,
    {
      ...{ visible: false, autorange: "reversed" },
      domain: domain(i * mapHeight + nameRoom, mapHeight - nameRoom),
    },
  ]);
  const bars = {
    ...nameAxis(rows),
    ...{ anchor: "x2", domain: domain(mapsHeight + film.gap, barHeight * rows.length) },
  };
  return {
    height: film.top + film.bottom + 60 + total,
    margin: { l: 70, r: 20, t: film.top, b: film.bottom + 60 },
    barmode: "stack",
    showlegend: true,
    legend: {
      orientation: "h",
      x: 0,
      y: 1 - (mapsHeight + film.gap - 8) / total,
      yanchor: "bottom",
      traceorder: "normal",
    },
    bargap: 0.12,
    xaxis: { visible: false },
    xaxis2: { ...shareAxis, anchor: `y${rows.length + 1}` },
    ...(Object.fromEntries(maps) as object),
    [`yaxis${rows.length + 1}`]: bars,
    annotations: rows.map(({ name }, i) => ({
      ...{ text: name, showarrow: false, xref: "paper", yref: "paper", x: 0, xanchor: "left" },
      ...{ y: 1 - (i * mapHeight + nameRoom) / total, yanchor: "bottom" },
    })),
  };
}

/** A slider over the frames, and buttons that play and pause. */
export function controls(steps: readonly number[], active: number): object {
  const showing = (duration: number): object => ({
    ...{ mode: "immediate", transition: { duration: 0 }, frame: { duration, redraw: true } },
  });
  const grey = { bgcolor: "rgba(128, 128, 128, 0.2)", bordercolor: "rgba(128, 128, 128, 0.6)" };
  const place = { xanchor: "left", yanchor: "top", y: 0 } as const;
  return {
    sliders: [
      {
        ...{ ...place, ...grey, active, x: 0.16, len: 0.84, pad: { t: 70 } },
        activebgcolor: "rgba(128, 128, 128, 0.6)",
        currentvalue: { prefix: "step " },
        steps: steps.map((step) => ({
          ...{ label: String(step), method: "animate", args: [[String(step)], showing(0)] },
        })),
      },
    ],
    updatemenus: [
      {
        ...{ ...place, ...grey, x: 0, pad: { t: 90 }, type: "buttons", direction: "left" },
        ...{ showactive: false },
        buttons: [
          {
            ...{ label: "▶", method: "animate" },
            args: [null, { ...showing(pace), fromcurrent: true }],
          },
          { label: "❚❚", method: "animate", args: [[null], showing(0)] },
        ],
      },
    ],
  };
}
