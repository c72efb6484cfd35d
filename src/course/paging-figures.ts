/**
 * The figures of notebook 08: which blocks each sequence has, and what becomes of all blocks while an
 * engine serves. A colour is a request; a block's users stand in it, for those who cannot tell colours
 * apart.
 */
import type { BlockFilm, BlockFrame } from "../runtime/block-film.ts";
import { stepText } from "../runtime/block-log.ts";
import type { Figure } from "./figures.ts";
import { controls } from "./memory-figures.ts";

/** A sequence's blocks, in the order of its tokens. */
export interface NamedTable {
  readonly name: string;
  readonly blocks: readonly number[];
}

/** Pixels. */
const cell = 46;
const numColumns = 12;
/** What a square has room for. */
const maxCharacters = 6;

/**
 * A row for each sequence, a column for each block; the number in a square says which of the
 * sequence's own blocks it is. A block that several share has squares with red edges in several rows.
 */
export function tablesFigure(
  title: string,
  tables: readonly NamedTable[],
  numBlocks: number,
): Figure {
  const owners = Array.from(
    { length: numBlocks },
    (_, block) => tables.filter(({ blocks }) => blocks.includes(block)).length,
  );
  return {
    data: tables.map(({ name, blocks }, i) => ({
      ...{ type: "scatter", mode: "markers+text", name, x: blocks, y: blocks.map(() => name) },
      text: blocks.map((_, index) => String(index)),
      marker: {
        ...{ symbol: "square", size: 26, color: colourOf(i + 1) },
        line: { width: blocks.map((block) => (owners[block]! > 1 ? 3 : 0)), color: "#e0483e" },
      },
      textfont: { color: "#1b1b1b" },
      hovertemplate: `${name}: logical block %{text} is block %{x}<extra></extra>`,
    })),
    layout: {
      title: { text: title },
      height: 150 + cell * tables.length,
      showlegend: false,
      xaxis: { title: { text: "block" }, range: [-0.7, numBlocks - 0.3], dtick: 1 },
      yaxis: { type: "category", autorange: "reversed" },
    },
  };
}

/**
 * A film with a slider: every block with those that use it, a frame a step. A red edge is a block that
 * several share, with ×n for n users whose names have no room; "(kept)" is free, and what it holds can
 * still be found. Without scripts it shows frame number `from`.
 */
export function blocksFilmFigure(
  title: string,
  numBlocks: number,
  film: BlockFilm,
  from = 0,
): Figure {
  const blocks = Array.from({ length: numBlocks }, (_, block) => block);
  const numRows = Math.ceil(numBlocks / numColumns);
  const steps = film.frames.map(({ report }) => report.step);
  const shown = film.frames.map((frame) => cellsOf(frame, blocks, film));
  const titles = film.frames.map(({ report }) => ({
    text: `${title}<br><sub>step ${report.step}: ${stepText(report)}</sub>`,
  }));
  const first = Math.min(from, Math.max(0, steps.length - 1));
  const squares = {
    ...{ type: "scatter", mode: "markers+text", showlegend: false },
    textfont: { color: "#1b1b1b", size: 12 },
    x: blocks.map((block) => block % numColumns),
    y: blocks.map((block) => Math.floor(block / numColumns)),
    customdata: blocks,
    hovertemplate: "block %{customdata}: %{hovertext}<extra></extra>",
  };
  return {
    data: [{ ...squares, ...shown[first] }],
    layout: {
      title: titles[first] ?? { text: title },
      height: 290 + 1.4 * cell * numRows,
      margin: { b: 130 },
      xaxis: { visible: false, range: [-0.6, numColumns - 0.4] },
      yaxis: { visible: false, range: [numRows - 0.4, -0.6] },
      ...controls(steps, first),
    },
    frames: shown.map((data, i) => ({
      ...{ name: String(steps[i]), data: [data], layout: { title: titles[i] } },
    })),
  };
}

/** The squares of a frame. */
function cellsOf(
  frame: BlockFrame,
  blocks: readonly number[],
  film: BlockFilm,
): {
  readonly text: readonly string[];
  readonly hovertext: readonly string[];
  readonly marker: object;
} {
  const users = blocks.map((block) => frame.tables.filter((table) => table.blocks.includes(block)));
  const names = blocks.map((block, i) => {
    if (users[i]!.length > 0) {
      return users[i]!.map(({ sequence }) => film.nameOf(sequence)).join("+");
    }
    return frame.cachedFree.includes(block) ? "(kept)" : "";
  });
  return {
    text: names.map((name, i) => (name.length > maxCharacters ? `×${users[i]!.length}` : name)),
    hovertext: names,
    marker: {
      ...{ symbol: "square", size: 44 },
      color: users.map(([user]) => colourOf(user ? (film.requestOf(user.sequence) ?? 0) : 0)),
      line: { width: users.map(({ length }) => (length > 1 ? 3 : 0)), color: "#e0483e" },
    },
  };
}

/** The golden angle keeps neighbouring numbers apart in colour; 0 is nobody's. */
function colourOf(request: number): string {
  if (request === 0) return "rgb(200, 200, 200)";
  return `hsl(${Math.round((request * 137.5) % 360)}, 55%, 72%)`;
}
