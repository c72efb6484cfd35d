/** `infinity gguf peek`: what a file says about itself, without reading a weight. */
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { GgufArray, GgufValue } from "../formats/gguf/metadata.ts";
import { textTable } from "./text-table.ts";

/** Items of a long array that are printed. */
const shownItems = 4;
const shownLetters = 60;

type Json = string | number | boolean | null | readonly Json[];

/** Prints a file's header: `--json` whole, else as a table with long values cut. */
export function peek(file: GgufFile, { json }: { json?: true }): void {
  process.stdout.write(json ? `${JSON.stringify(jsonOf(file))}\n` : describe(file));
}

function jsonOf(file: GgufFile): Record<string, unknown> {
  return {
    version: file.version,
    littleEndian: file.littleEndian,
    alignment: file.alignment,
    dataOffset: file.dataOffset,
    tensorCount: file.tensors.length,
    kvCount: file.metadata.size,
    metadata: Object.fromEntries([...file.metadata].map(([key, value]) => [key, jsonValue(value)])),
    tensors: file.tensors.map(({ name, shape, dtype, offset, numBytes }) => ({
      name,
      shape: fileOrder(shape),
      type: dtype,
      offset: offset - file.dataOffset,
      bytes: numBytes,
    })),
  };
}

function describe(file: GgufFile): string {
  const order = file.littleEndian ? "little-endian" : "big-endian";
  const metadata = [...file.metadata].map(([key, value]) => [
    key,
    typeOf(value),
    shortValue(value),
  ]);
  const tensors = file.tensors.map(({ name, shape, dtype, offset, numBytes }) => [
    name,
    dtype,
    `[${fileOrder(shape).join(", ")}]`,
    String(offset - file.dataOffset),
    String(numBytes),
  ]);
  return [
    `${file.name}: GGUF version ${file.version}, ${order}, ${file.fileSize} bytes\n`,
    `${file.metadata.size} metadata keys, ${file.tensors.length} tensors on multiples of ${file.alignment} bytes from byte ${file.dataOffset} on\n`,
    `\n${textTable([["key", "type", "value"], ...metadata], [])}`,
    tensors.length === 0
      ? ""
      : `\n${textTable([["tensor", "type", "shape", "offset", "bytes"], ...tensors], [3, 4])}`,
    tensors.length === 0
      ? ""
      : `\nShapes stand in the file's order, the dimension whose values lie side by side first: [64, 512] is what NumPy calls (512, 64), 512 rows of 64.\nOffsets count from byte ${file.dataOffset}, where the data starts.\n`,
  ].join("");
}

/** The order of the file: fastest dimension first. */
function fileOrder(shape: readonly number[]): number[] {
  return [...shape].reverse();
}

/** As JSON has it: 64-bit integers beyond doubles, NaN and infinities become strings. */
function jsonValue(value: GgufValue): Json {
  return value.type === "array" ? jsonArray(value) : jsonScalar(value.value);
}

function jsonArray(array: GgufArray): readonly Json[] {
  if (array.itemType === "array") return array.items.map(jsonArray);
  return Array.from<string | number | boolean | bigint, Json>(array.items, jsonScalar);
}

function jsonScalar(value: string | number | boolean | bigint): Json {
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  }
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function typeOf(value: GgufValue): string {
  return value.type === "array" ? `${value.itemType}[${value.items.length}]` : value.type;
}

function shortValue(value: GgufValue): string {
  if (value.type === "string") return shortText(value.value);
  if (value.type === "f32") return String(Number(value.value.toPrecision(7)));
  if (value.type !== "array") return String(value.value);
  const shown = jsonArray({ ...value, items: value.items.slice(0, shownItems) } as GgufArray);
  const more = value.items.length > shownItems ? ", …" : "";
  return `[${shown.map((item) => shortText(JSON.stringify(item))).join(", ")}${more}]`;
}

/** One printable line. */
function shortText(text: string): string {
  const cut = text.length > shownLetters ? `${text.slice(0, shownLetters - 1)}…` : text;
  return cut.replace(/\p{Cc}/gu, (letter) => JSON.stringify(letter).slice(1, -1));
}
