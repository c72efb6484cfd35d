/**
 * The figures of notebook 03: where the bytes of a model file go. Colours are left to the notebook's
 * theme; formats also differ by marker or pattern, for those who cannot tell colours apart.
 */
import { numElements, type Dtype } from "../core/dtypes.ts";
import type { TensorInfo } from "../formats/tensor-file.ts";
import type { Figure } from "./figures.ts";
import type { FileSegment } from "./gguf-anatomy.ts";

type Sized = Pick<TensorInfo, "name" | "dtype" | "numBytes" | "shape">;

const symbols = ["square", "circle", "diamond", "triangle-up", "x", "star"] as const;
const patterns = ["", "/", ".", "x", "-", "+"] as const;

/**
 * The file as lines of text would be: it runs from left to right and from top to bottom, and each
 * segment is coloured by what it holds. Exact to the byte.
 */
export function fileMapFigure(
  title: string,
  segments: readonly FileSegment[],
  numRows = 16,
): Figure {
  const size = segments.at(-1)?.end ?? 0;
  const rowBytes = Math.ceil(size / numRows);
  const kinds = [...new Set(segments.map(({ kind }) => kind))];
  const data = kinds.map((kind, i) => {
    const bars = segments
      .filter((segment) => segment.kind === kind)
      .flatMap((segment) => cutAtRows(segment, rowBytes));
    return {
      type: "bar",
      orientation: "h",
      name: kind,
      // Plotly guesses a width from the distance of a trace's bars, and some traces have one bar.
      width: 0.86,
      base: bars.map(({ start }) => start % rowBytes),
      x: bars.map(({ start, end }) => end - start),
      y: bars.map(({ start }) => Math.floor(start / rowBytes)),
      text: bars.map(({ name }) => name),
      textposition: "none",
      customdata: bars.map(({ whole }) => `bytes ${whole.start} to ${whole.end}`),
      hovertemplate: `%{text}: ${kind}, %{customdata}<extra></extra>`,
      marker: patterned(i),
    };
  });
  return {
    data,
    layout: {
      title: { text: title },
      height: 140 + 18 * numRows,
      barmode: "overlay",
      xaxis: { title: { text: `byte in a row of ${rowBytes}` }, range: [0, rowBytes] },
      yaxis: { title: { text: "row" }, range: [numRows - 0.5, -0.5], dtick: 4, zeroline: false },
      legend: { orientation: "h", y: -0.25 },
    },
  };
}

/** The format of every tensor of a language model: layers from left to right, parts below each other. */
export function formatsByLayerFigure(title: string, tensors: readonly Sized[]): Figure {
  const placed = tensors.map((tensor) => ({ ...placeOf(tensor.name), tensor }));
  const layers = placed.flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
  const last = layers.reduce((most, layer) => Math.max(most, layer), 0);
  // What belongs to no layer stands before the first or, if it makes the output, behind the last.
  const column = ({ layer, part }: Place): number =>
    layer ?? (part.startsWith("output") ? last + 1 : -1);
  const formats = [...new Set(tensors.map(({ dtype }) => dtype))];
  const data = formats.map((format, i) => {
    const own = placed.filter(({ tensor }) => tensor.dtype === format);
    return {
      type: "scatter",
      mode: "markers",
      name: format,
      x: own.map(column),
      y: own.map(({ part }) => part),
      text: own.map(({ tensor }) => `${tensor.name} [${tensor.shape.join(", ")}]`),
      hovertemplate: `%{text}: ${format}<extra></extra>`,
      marker: { symbol: symbols[i % symbols.length]!, size: 11 },
    };
  });
  const parts = [...new Set(placed.map(({ part }) => part))];
  return {
    data,
    layout: {
      title: { text: title },
      height: 160 + 24 * parts.length,
      xaxis: { title: { text: "layer" }, zeroline: false },
      yaxis: { type: "category", categoryorder: "array", categoryarray: parts.reverse() },
      legend: { orientation: "h", y: -0.25 },
    },
  };
}

/** Bytes of each part of a model, stacked by format. */
export function sizesByPartFigure(title: string, tensors: readonly Sized[]): Figure {
  const parts = [...new Set(tensors.map(({ name }) => partOf(name)))];
  const formats = [...new Set(tensors.map(({ dtype }) => dtype))];
  const bytes = (part: string, format: Dtype): number =>
    tensors
      .filter(({ name, dtype }) => partOf(name) === part && dtype === format)
      .reduce((sum, { numBytes }) => sum + numBytes, 0);
  const total = tensors.reduce((sum, { numBytes }) => sum + numBytes, 0);
  const [divisor, unit] = total >= 1e9 ? [1e9, "GB"] : total >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return {
    data: formats.map((format, i) => ({
      type: "bar",
      name: format,
      x: parts,
      y: parts.map((part) => Number((bytes(part, format) / divisor).toPrecision(6))),
      hovertemplate: `%{x}: %{y} ${unit} in ${format}<extra></extra>`,
      marker: patterned(i),
    })),
    layout: {
      title: { text: title },
      height: 360,
      barmode: "stack",
      xaxis: { type: "category" },
      yaxis: { title: { text: unit } },
      legend: { orientation: "h", y: -0.2, traceorder: "normal" },
    },
  };
}

/** Counted things side by side, each with its number: groups along the axis, a bar a series. */
export function countsFigure(
  title: string,
  series: Readonly<Record<string, Readonly<Record<string, number>>>>,
): Figure {
  return {
    data: Object.entries(series).map(([name, counts], i) => ({
      type: "bar",
      name,
      x: Object.keys(counts),
      y: Object.values(counts),
      texttemplate: "%{y}",
      textposition: "outside",
      cliponaxis: false,
      marker: patterned(i),
    })),
    layout: {
      title: { text: title },
      height: 380,
      barmode: "group",
      xaxis: { type: "category" },
      yaxis: { title: { text: "count" } },
      legend: { orientation: "h", y: -0.2 },
    },
  };
}

/** What a tensor belongs to, by the names of llama.cpp; else the first part of its name. */
export function partOf(name: string): string {
  const { part } = placeOf(name);
  if (part === "token_embd") return "embedding";
  if (part.endsWith("_norm")) return "norms";
  if (part.startsWith("attn_")) return "attention";
  if (part.startsWith("ffn_")) return "feed-forward";
  return part.split(".")[0]!;
}

/** Bits that a weight takes on average, with what its block's scales add. */
export function bitsPerWeight(tensors: readonly Sized[]): number {
  const numBytes = tensors.reduce((sum, tensor) => sum + tensor.numBytes, 0);
  return (8 * numBytes) / tensors.reduce((sum, { shape }) => sum + numElements(shape), 0);
}

function patterned(i: number): object {
  return {
    pattern: { shape: patterns[i % patterns.length]!, fillmode: "overlay", solidity: 0.25 },
  };
}

interface Place {
  /** Undefined for what is not repeated in each layer. */
  readonly layer: number | undefined;
  readonly part: string;
}

function placeOf(name: string): Place {
  const match = /^blk\.(\d+)\.(.+?)(?:\.weight)?$/.exec(name);
  if (match) return { layer: Number(match[1]), part: match[2]! };
  return { layer: undefined, part: name.replace(/\.weight$/, "") };
}

interface Piece extends FileSegment {
  readonly whole: FileSegment;
}

function cutAtRows(segment: FileSegment, rowBytes: number): Piece[] {
  const pieces: Piece[] = [];
  for (let start = segment.start; start < segment.end;) {
    const rowEnd = (Math.floor(start / rowBytes) + 1) * rowBytes;
    const end = Math.min(segment.end, rowEnd);
    pieces.push({ ...segment, start, end, whole: segment });
    start = end;
  }
  return pieces;
}
