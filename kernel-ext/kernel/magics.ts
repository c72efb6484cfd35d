/**
 * Magics: a first line `%%name arguments` says that a cell is more than code; lines `%name` before
 * the code ask the kernel for something. Their lines are blanked, so that no line moves.
 */
import { UsageError, nearestNames } from "../../src/core/errors.ts";

const cellMagics = ["exercise", "grade"] as const;
const lineMagics = ["device", "reload", "time", "trace", "who"] as const;
export type CellMagic = (typeof cellMagics)[number];
export type LineMagic = (typeof lineMagics)[number];

/** A magic with what stands behind it. */
export interface Magic<Name> {
  readonly name: Name;
  readonly args: readonly string[];
}

/** A cell, apart from its magics. */
export interface ParsedCell {
  readonly magic: Magic<CellMagic> | undefined;
  readonly lines: readonly Magic<LineMagic>[];
  /** As long as the cell, with blanks for the magics; what follows `%time` is code. */
  readonly code: string;
}

/** The lines before the code: magics, empty ones and comments. */
const head = /^(?:[ \t]*(?:%[^\n]*|\/\/[^\n]*)?(?:\n|$))*/;
const magicLine = /^([ \t]*)(%%?)([^\s%]*)([^\n]*)/gm;

/** Throws UsageError for a magic that does not exist, or that stands where it cannot. */
export function parseCell(text: string): ParsedCell {
  let magic: ParsedCell["magic"];
  const lines: Magic<LineMagic>[] = [];
  const code = blanked(text, (kind, name, rest, isFirst) => {
    const args = rest.trim().split(/\s+/).filter(Boolean);
    if (kind === "%") lines.push({ name: known(kind, name, lineMagics), args });
    else if (isFirst) magic = { name: known(kind, name, cellMagics), args };
    else throw new UsageError(`%%${name} must be the first line of its cell.`);
  });
  return { magic, lines, code };
}

/** A cell whose magics are blanked with as many spaces: for tools that count characters. */
export function withoutMagics(text: string): string {
  return blanked(text, () => undefined);
}

function blanked(
  text: string,
  found: (kind: string, name: string, rest: string, isFirst: boolean) => void,
): string {
  const before = head.exec(text)?.[0] ?? "";
  const blank = before.replace(
    magicLine,
    (line, indent: string, kind: string, name: string, rest: string, offset: number) => {
      found(kind, name, rest, offset === 0);
      return kind === "%" && name === "time"
        ? `${" ".repeat(line.length - rest.length)}${rest}`
        : " ".repeat(line.length);
    },
  );
  return blank + text.slice(before.length);
}

function known<Name extends string>(kind: string, name: string, names: readonly Name[]): Name {
  const match = names.find((candidate) => candidate === name);
  if (match) return match;
  const what = kind === "%" ? "line" : "cell";
  const near = nearestNames(name, names).map((candidate) => kind + candidate);
  const last = near.pop();
  throw new UsageError(
    `There is no ${what} magic ${kind}${name}; there is ${near.join(", ")}${near.length > 0 ? " and " : ""}${last ?? "none"}.`,
  );
}
