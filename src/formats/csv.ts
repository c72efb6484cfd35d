/**
 * A table of numbers as text: comma, semicolon or tab between the values, and at most one line of
 * column names before them. Numbers are written with a point; `nan` and `inf` are numbers.
 */
import { InputError } from "../core/errors.ts";
import { fileStem, quoted, type ByteSource } from "./byte-source.ts";
import { storedTensor } from "./stored-tensors.ts";
import type { TensorFile } from "./tensor-file.ts";

/** The text is held in memory as a whole; beyond this a binary format is the better choice. */
const maxCsvBytes = 2 ** 28;
/** The first of these in the first line separates the values of every line. */
const separators = [";", "\t", ","] as const;
const byteOrderMark = 0xfeff;

interface Table {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array<ArrayBuffer>;
}

/**
 * Opens a table; its one tensor [rows, columns] has the file's name without extension and counts as
 * float32. Throws InputError, with line and column, for a value that is no number, for lines of
 * different length and for an empty table.
 */
export async function openCsv(source: ByteSource): Promise<TensorFile> {
  if (source.size > maxCsvBytes) {
    throw new InputError(
      `${source.name} has ${source.size} bytes and a CSV may have ${maxCsvBytes}: store it as .npy or .safetensors.`,
    );
  }
  const { rows, columns, values } = parseTable(source.name, await readText(source));
  const name = fileStem(source.name);
  const tensor = {
    name,
    shape: [rows, columns],
    dtype: "F32",
    numBytes: values.byteLength,
  } as const;
  const tensors = new Map([[name, tensor]]);
  return {
    format: "csv",
    name: source.name,
    tensors: [tensor],
    readFloat32: (wanted) =>
      new Promise((resolve) => {
        storedTensor(source, tensors, wanted);
        resolve(new Float32Array(values));
      }),
  };
}

async function readText(source: ByteSource): Promise<string> {
  const bytes = await source.read(0, source.size);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${source.name} is no CSV: it is not UTF-8 text.`);
  }
}

function parseTable(name: string, text: string): Table {
  const lines = linesOf(text);
  const first = Math.max(
    0,
    lines.findIndex((line) => line.trim() !== ""),
  );
  const separator = separators.find((letter) => lines[first]!.includes(letter)) ?? ",";
  const start = first + Number(isHeader(splitLine(lines[first]!, separator)));
  const numbers: number[] = [];
  let rows = 0;
  let columns = 0;
  for (let i = start; i < lines.length; i++) {
    const line = lines[i]!;
    if (line.trim() === "") continue;
    const cells = splitLine(line, separator);
    if (rows++ === 0) columns = cells.length;
    if (cells.length !== columns) {
      throw new InputError(
        `${name} line ${i + 1} has ${cells.length} values, and the lines before it have ${columns}.`,
      );
    }
    cells.forEach((cell, column) => numbers.push(numberAt(name, i + 1, column + 1, cell)));
  }
  if (rows === 0) throw new InputError(`${name} holds no line of numbers.`);
  return { rows, columns, values: new Float32Array(numbers) };
}

function linesOf(text: string): string[] {
  return (text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text).split(/\r\n|\n|\r/);
}

/** The cells of a line; quotes around a cell may hold separators, as in names. */
function splitLine(line: string, separator: string): string[] {
  if (!line.includes('"')) return line.split(separator);
  const cells = [""];
  let isQuoted = false;
  for (const letter of line) {
    if (letter === '"') isQuoted = !isQuoted;
    else if (letter === separator && !isQuoted) cells.push("");
    else cells.push((cells.pop() ?? "") + letter);
  }
  return cells;
}

/** Names have at least one cell that is no number and is not empty. */
function isHeader(cells: readonly string[]): boolean {
  return cells.some((cell) => cell.trim() !== "" && parseNumber(cell) === undefined);
}

function numberAt(name: string, line: number, column: number, cell: string): number {
  const number = parseNumber(cell);
  if (number !== undefined) return number;
  const found = cell.trim() === "" ? "is empty" : `is ${quoted(cell.trim())}`;
  throw new InputError(`${name} line ${line}, column ${column} ${found}, and a number is needed.`);
}

function parseNumber(cell: string): number | undefined {
  const text = cell.trim().toLowerCase();
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(text)) return Number(text);
  const special = /^([+-]?)(nan|inf|infinity)$/.exec(text);
  if (!special) return undefined;
  if (special[2] === "nan") return NaN;
  return special[1] === "-" ? -Infinity : Infinity;
}
