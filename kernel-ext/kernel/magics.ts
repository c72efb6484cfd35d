/** Cell magics: a first line `%%name arguments` says that a cell is more than code. */
import { UsageError, nearestNames } from "../../src/core/errors.ts";

/** A cell, apart from its magic. `code` has the cell's lines, the first one empty where a magic stood. */
export interface ParsedCell {
  readonly magic: { readonly name: MagicName; readonly args: readonly string[] } | undefined;
  readonly code: string;
}

const magicNames = ["exercise", "grade"] as const;
export type MagicName = (typeof magicNames)[number];

/** Throws UsageError for a magic that does not exist. */
export function parseCell(text: string): ParsedCell {
  const found = /^%%(\S*)([^\n]*)/.exec(text);
  if (!found) return { magic: undefined, code: text };
  const [line, wanted = "", args = ""] = found;
  const name = magicNames.find((known) => known === wanted);
  if (!name) {
    const near = nearestNames(wanted, magicNames).map((known) => `%%${known}`);
    throw new UsageError(`There is no cell magic %%${wanted}; there is ${near.join(" and ")}.`);
  }
  return {
    magic: { name, args: args.trim().split(/\s+/).filter(Boolean) },
    code: text.slice(line.length),
  };
}

/** A cell whose magic is blanked with as many spaces: for tools that count characters. */
export function withoutMagic(text: string): string {
  return text.replace(/^%%[^\n]*/, (line) => " ".repeat(line.length));
}
