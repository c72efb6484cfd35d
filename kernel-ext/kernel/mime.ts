/**
 * Values as MIME bundles: what a cell shows. A value may say itself how it looks, under
 * `Symbol.for("Jupyter.display")`; tables of arquero and danfojs are known; all else is text.
 */
import { inspect } from "node:util";

/** Representations of one value by MIME type; a client shows the richest that it knows. */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** The method by which a value gives its own bundle, a promise of it, or undefined to show nothing. */
export const displaySymbol: unique symbol = Symbol.for("Jupyter.display") as never;

type Bundle = MimeBundle | undefined;

/** Rows of a table that are shown. */
const maxRows = 20;

/** The bundle of any value; undefined for one that shows nothing. Throws what the value's own method throws. */
export function bundleOf(value: unknown): Bundle | Promise<Bundle> {
  if (isObject(value)) {
    const own = value[displaySymbol];
    if (typeof own === "function") return (own as () => Bundle | Promise<Bundle>).call(value);
    if (isArqueroTable(value)) {
      const limit = { limit: maxRows };
      return { "text/html": value.toHTML(limit), "text/plain": value.toMarkdown(limit).trimEnd() };
    }
    if (isDanfoFrame(value)) return danfoBundle(value);
  }
  return { "text/plain": textOf(value) };
}

/** Whether `value` is a bundle already: an object all of whose keys are MIME types. */
export function isBundle(value: unknown): value is MimeBundle {
  if (!isObject(value) || Object.getPrototypeOf(value) !== Object.prototype) return false;
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => /^[a-z]+\/[\w.+-]+$/.test(key));
}

/** `value` as Node's own prompt would print it, without colours. */
export function textOf(value: unknown): string {
  return inspect(value, { colors: false });
}

/** A bundle as HTML: its own, or a picture, or its text. */
export function htmlOf(bundle: MimeBundle): string {
  const html = bundle["text/html"] ?? bundle["image/svg+xml"];
  if (typeof html === "string") return html;
  const png = bundle["image/png"];
  if (typeof png !== "string") return `<pre>${escapeHtml(textIn(bundle))}</pre>`;
  return `<img alt="${escapeHtml(textIn(bundle))}" src="data:image/png;base64,${escapeHtml(png)}">`;
}

/** The text of a bundle; empty where it has none. */
export function textIn(bundle: MimeBundle): string {
  const text = bundle["text/plain"];
  return typeof text === "string" ? text : "";
}

/** A table as HTML and as text. */
export function tableBundle(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): MimeBundle {
  const widths = header.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => row[i]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  return {
    "text/html": tableHtml(
      header,
      rows.map((row) => [...row]),
      [rows.length],
    ),
    "text/plain": [header, ...rows].map(line).join("\n"),
  };
}

/** Text for HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

interface ArqueroTable {
  toHTML(options: { limit: number }): string;
  toMarkdown(options: { limit: number }): string;
}

interface DanfoFrame {
  readonly columns: readonly unknown[];
  readonly index: readonly unknown[];
  readonly shape: readonly number[];
  readonly values: readonly unknown[];
  toString(): string;
}

function isArqueroTable(value: object): value is ArqueroTable {
  return "toHTML" in value && "toMarkdown" in value;
}

function isDanfoFrame(value: object): value is DanfoFrame {
  return "$isSeries" in value && "columns" in value && "index" in value && "values" in value;
}

function danfoBundle(frame: DanfoFrame): MimeBundle {
  const rows = frame.values.slice(0, maxRows).map((row, i) => [frame.index[i], ...[row].flat()]);
  return {
    "text/html": tableHtml(["", ...frame.columns], rows, frame.shape),
    "text/plain": String(frame).trimEnd(),
  };
}

function tableHtml(
  header: readonly unknown[],
  rows: readonly unknown[][],
  shape: readonly number[],
): string {
  const cells = (tag: string, values: readonly unknown[]): string =>
    values.map((value) => `<${tag}>${escapeHtml(cellText(value))}</${tag}>`).join("");
  const [numRows = 0] = shape;
  const more = numRows > rows.length ? `<p>${rows.length} of ${numRows} rows</p>` : "";
  const body = rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("");
  return `<table><thead><tr>${cells("th", header)}</tr></thead><tbody>${body}</tbody></table>${more}`;
}

function cellText(value: unknown): string {
  return typeof value === "string" ? value : textOf(value);
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null;
}
