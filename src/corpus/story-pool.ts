/** Pools: lists of words that a story draws from, written as rows of text. */
import { type Entry, entryOf } from "./story-grammar.ts";

/** Rows of a table; cells are parted by "|" with spaces around. Throws Error for a row of another width. */
export function table(columns: string, rows: string): readonly Entry[] {
  const names = columns.split(" ");
  return rows
    .trim()
    .split("\n")
    .map((row) => {
      const cells = row.trim().split(" | ");
      if (cells.length !== names.length) throw new Error(`Not ${columns}: ${row}`);
      return entryOf(Object.fromEntries(names.map((name, i) => [name, cells[i]!])));
    });
}

/** Words parted by commas. */
export function list(items: string): readonly Entry[] {
  return items
    .trim()
    .split(/,\s*/)
    .map((text) => entryOf({ text }));
}
