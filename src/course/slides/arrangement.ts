/**
 * Which cells make which slide, and in which order: the cells tagged `demo` first, as the short path
 * through the notebook, then everything else as an appendix. Follows `metadata.slideshow.slide_type`
 * as Jupyter's own slides do.
 */
import type { Cell } from "./notebook.ts";

/** One slide. `notes` are the speaker's; `title` is of the slide that the cells were taken from. */
export interface Slide {
  /** Whether it begins a new column; otherwise it stands below the one before. */
  readonly isNewColumn: boolean;
  readonly title: string;
  /** Whether its first cell is not the one that began the slide in the notebook. */
  readonly isContinued: boolean;
  readonly cells: readonly Cell[];
  readonly notes: readonly Cell[];
}

/** The two parts of a deck; `appendix` is empty where the notebook marks no demo path. */
export interface Arrangement {
  readonly main: readonly Slide[];
  readonly appendix: readonly Slide[];
}

interface Group {
  readonly isNewColumn: boolean;
  readonly members: { readonly cell: Cell; readonly isDemo: boolean; readonly isNote: boolean }[];
}

/** Arranges the cells of one notebook. */
export function arrange(cells: readonly Cell[]): Arrangement {
  const groups = grouped(cells);
  const demo = groups.flatMap((group) => slideOf(group, true));
  const rest = groups.flatMap((group) => slideOf(group, false));
  return demo.length === 0 ? { main: rest, appendix: [] } : { main: demo, appendix: rest };
}

function grouped(cells: readonly Cell[]): Group[] {
  const groups: Group[] = [];
  let isDemo = false;
  for (const cell of cells) {
    const type = cell.metadata.slideshow.slide_type;
    if (type === "skip" || cell.cell_type === "raw") continue;
    const isNote = type === "notes";
    // A note belongs to the cell before it.
    isDemo = cell.metadata.tags.includes("demo") || (isNote && isDemo);
    const begins = type === "slide" || type === "subslide";
    if (begins || groups.length === 0) {
      groups.push({ isNewColumn: type !== "subslide" || groups.length === 0, members: [] });
    }
    groups.at(-1)!.members.push({ cell, isDemo, isNote });
  }
  return groups;
}

/** The demo's or the appendix's share of a group, as one slide or none. */
function slideOf({ isNewColumn, members }: Group, demo: boolean): Slide[] {
  const own = members.filter(({ isDemo }) => isDemo === demo);
  const shown = own.filter(({ isNote }) => !isNote).map(({ cell }) => cell);
  if (shown.length === 0) return [];
  const sources = members.filter(({ cell }) => cell.cell_type === "markdown");
  const title = sources.map(({ cell }) => /^#+\s+(.+)$/m.exec(cell.source)?.[1]).find(Boolean);
  return [
    {
      isNewColumn,
      title: title ?? "",
      isContinued: shown[0] !== members[0]!.cell,
      cells: shown,
      notes: own.filter(({ isNote }) => isNote).map(({ cell }) => cell),
    },
  ];
}
