/**
 * What went wrong in a cell, as the content of Jupyter's `error` message. The lines point into the
 * cell: its number, line and column, and the line itself with a caret.
 */
import { inspect } from "node:util";
import type { CellProblem } from "./compiler.ts";
import type { MimeBundle } from "./mime.ts";
import { messageAsWritten, type Place, type StackTraces } from "./stack-traces.ts";

/** Name, message and lines of an error, as Jupyter wants them. */
export interface ErrorContent {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

/** Type errors beyond these follow, in practice, from the first ones. */
const maxProblems = 10;

/** How deep a chain of causes is told. */
const maxCauses = 5;

/** The engine's errors for the person at the keyboard: their sentence says all, so no frame of ours is shown. */
const sentences = new Set(["InputError", "UsageError"]);

/** The errors that the compiler found in the cell called `label`. */
export function typeErrors(
  problems: readonly CellProblem[],
  label: string,
  text: string,
): ErrorContent {
  const parts = problems.slice(0, maxProblems).map(({ message, code, start }) => {
    const place = placeAt(text, start, label);
    return [
      `${label}, line ${place.line}, column ${place.column}: ${message} (TS${code})`,
      ...excerpt(place),
    ];
  });
  const rest = problems.length - parts.length;
  return {
    ename: "TypeScriptError",
    evalue: problems[0]?.message ?? "",
    traceback: [...parts.flat(), ...(rest > 0 ? [`… and ${rest} more`] : [])],
  };
}

/** What a cell threw; anything can be thrown. */
export function thrown(value: unknown, stacks: StackTraces): ErrorContent {
  if (!(value instanceof Error)) {
    const evalue = inspect(value);
    return { ename: "Thrown", evalue, traceback: [`Thrown: ${evalue}`] };
  }
  const evalue = value instanceof TypeError ? messageAsWritten(value.message) : value.message;
  return { ename: value.name, evalue, traceback: linesOf(value, stacks, maxCauses) };
}

/** The stack of an error with every frame, ours and Node's too, as `%trace` shows it. */
export function wholeStack(error: unknown, stacks: StackTraces): MimeBundle {
  if (error === undefined) return { "text/plain": "No cell has failed yet." };
  if (!(error instanceof Error)) return { "text/plain": `Thrown: ${inspect(error)}` };
  const stack = stacks.wholeOf(error);
  const cause = error.cause === undefined ? "" : `\ncaused by:\n${inspect(error.cause)}`;
  return { "text/plain": stack + cause };
}

function linesOf(error: Error, stacks: StackTraces, numCauses: number): string[] {
  const places = stacks.placesOf(error);
  const inCell = places.find(({ text }) => text !== undefined);
  const [head, frames] = splitStack(error);
  const shown = sentences.has(error.name)
    ? frames.filter((frame) => /\bcell \d+:/.test(frame))
    : frames;
  const lines = [...head, ...(inCell ? excerpt(inCell) : []), ...shown];
  const { cause } = error;
  if (cause === undefined || numCauses === 0) return lines;
  const below = cause instanceof Error ? linesOf(cause, stacks, numCauses - 1) : [inspect(cause)];
  return [...lines, "caused by:", ...below];
}

/** The message, which may have several lines, and the frames of an error's stack. */
function splitStack(error: Error): [string[], string[]] {
  const lines = (error.stack ?? String(error)).split("\n");
  const first = lines.findIndex((line) => line.startsWith("    at "));
  return first < 0 ? [lines, []] : [lines.slice(0, first), lines.slice(first)];
}

function placeAt(text: string, offset: number, label: string): Place {
  const before = text.slice(0, offset).split("\n");
  return { label, text, line: before.length, column: before.at(-1)!.length + 1 };
}

/** The lines around a place in a cell, with a caret below it. */
function excerpt({ text = "", line, column }: Place): string[] {
  const lines = text.split("\n");
  const first = Math.max(1, line - 1);
  const width = String(line).length;
  const shown = lines.slice(first - 1, line).map((content, i) => {
    const number = first + i;
    return `${number === line ? ">" : " "} ${String(number).padStart(width)} | ${content}`;
  });
  // A tab stays a tab, so that the caret stands below its column in any width of tab.
  const indent = (lines[line - 1] ?? "").slice(0, column - 1).replace(/[^\t]/g, " ");
  return [...shown, `  ${" ".repeat(width)} | ${indent}^`];
}
