/** Values in a few words: what `%who` lists and inspection adds to a type. */
import { textOf } from "./mime.ts";

/** Longer texts are cut. */
const maxText = 60;

/** Tensors, tables and frames that have no rows of their own to count, by duck. */
interface Shaped {
  readonly shape: readonly number[];
  readonly dtype?: unknown;
}

/** Kind and shape of a value, with the value itself where it is short: `Float32Array [4096]`. */
export function summaryOf(value: unknown): string {
  if (typeof value === "function") return /^class\b/.test(String(value)) ? "class" : "function";
  if (typeof value !== "object" || value === null) return cut(textOf(value));
  const name = nameOf(value);
  if (Array.isArray(value)) return `Array [${shapeOfNested(value).join(", ")}]`;
  if (ArrayBuffer.isView(value) && "length" in value) return `${name} [${String(value.length)}]`;
  if (value instanceof Map || value instanceof Set) return `${name} of ${value.size}`;
  if (isShaped(value)) {
    const type = typeof value.dtype === "string" ? ` ${value.dtype}` : "";
    return `${name}${type} [${value.shape.join(", ")}]`;
  }
  if (isTable(value)) return `${name} [${value.numRows()}, ${value.numCols()}]`;
  if (value instanceof Error || value instanceof Date || value instanceof RegExp) {
    return cut(String(value));
  }
  const keys = Object.keys(value);
  return cut(`${name} { ${keys.join(", ")} }`);
}

/**
 * The value that `path` (`a.b.c`) leads to, boxed; undefined where there is none. Getters are not
 * called: to look at a value may not change it.
 */
export function valueAt(
  values: Readonly<Record<string, unknown>>,
  path: readonly string[],
): { readonly value: unknown } | undefined {
  let found: unknown = values;
  for (const name of path) {
    if (typeof found !== "object" || found === null) return undefined;
    const property = Object.getOwnPropertyDescriptor(found, name);
    if (!property || !("value" in property)) return undefined;
    found = property.value;
  }
  return { value: found };
}

/** Lengths of an array of arrays, as far as they are alike at the first element. */
function shapeOfNested(array: readonly unknown[]): number[] {
  const [first] = array;
  const inner = array.length > 0 && Array.isArray(first) ? (first as unknown[]).length : undefined;
  const regular =
    inner !== undefined && array.every((row) => Array.isArray(row) && row.length === inner);
  return regular ? [array.length, ...shapeOfNested(first as unknown[])] : [array.length];
}

function nameOf(value: object): string {
  const { constructor } = value as { constructor?: { name?: unknown } };
  return typeof constructor?.name === "string" && constructor.name !== ""
    ? constructor.name
    : "Object";
}

function isShaped(value: object): value is Shaped {
  const { shape } = value as Partial<Shaped>;
  return Array.isArray(shape) && shape.every((length) => typeof length === "number");
}

function isTable(value: object): value is { numRows(): number; numCols(): number } {
  const { numRows, numCols } = value as Record<string, unknown>;
  return typeof numRows === "function" && typeof numCols === "function";
}

function cut(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > maxText ? `${line.slice(0, maxText - 1)}…` : line;
}
