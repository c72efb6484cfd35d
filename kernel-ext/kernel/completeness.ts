/** Whether a cell is whole, for consoles that ask before they run what was typed. */
import type * as ts from "@tslab/typescript-for-tslab";
import { withoutUsing } from "./using-declarations.ts";

/** A whole cell, one that needs more lines (the next indented so far), or one that stays wrong. */
export type Completeness =
  | { readonly status: "complete" | "invalid" }
  | { readonly status: "incomplete"; readonly indent: string };

/** Errors of something begun and not ended; TypeScript places some of them at the beginning. */
const unterminated = new Set([
  1010, // '*/' expected.
  1160, // Unterminated template literal.
]);

const indentUnit = "  ";

/** Judges by the first error alone, since those after it may follow from it. */
export function completenessOf(compiler: typeof ts, text: string): Completeness {
  const { code } = withoutUsing(text);
  // A module, where `await` stands at the top; a cell that ends in a comment has no statement there.
  const file = compiler.createSourceFile(
    "cell.ts",
    `export {};${code}`,
    compiler.ScriptTarget.ES2022,
  );
  const { parseDiagnostics } = file as ts.SourceFile & {
    parseDiagnostics: readonly ts.DiagnosticWithLocation[];
  };
  const first = [...parseDiagnostics].sort((a, b) => a.start - b.start)[0];
  if (!first) return { status: "complete" };
  const atEnd = first.start >= file.text.trimEnd().length;
  const open = unterminated.has(first.code) || (atEnd && isExpectation(compiler, first));
  return open ? { status: "incomplete", indent: nextIndent(code) } : { status: "invalid" };
}

/** "… expected.": something is missing, not wrong. */
function isExpectation(compiler: typeof ts, { messageText }: ts.Diagnostic): boolean {
  return compiler.flattenDiagnosticMessageText(messageText, "\n").endsWith("expected.");
}

function nextIndent(text: string): string {
  const line = text.split("\n").at(-1)!;
  const indent = /^[ \t]*/.exec(line)![0];
  return /[([{]\s*$/.test(line) ? indent + indentUnit : indent;
}
