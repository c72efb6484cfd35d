/**
 * What each byte of a GGUF file is for: the fields of its header one by one, and the whole file as a
 * row of segments. For showing; files are read with `formats/gguf`.
 */
import { dtypeOfGgmlId, type Dtype } from "../core/dtypes.ts";
import { ByteCursor } from "../formats/byte-cursor.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { readGgufValue, type GgufValue } from "../formats/gguf/metadata.ts";
import type { FileField } from "./hex-dump.ts";

/** What a segment holds; weights are named by their format. */
export type SegmentKind = "metadata" | "tensor list" | "padding" | Dtype;

/** A stretch of a file with one purpose, in bytes from the file's start. */
export interface FileSegment {
  readonly kind: SegmentKind;
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const shownLetters = 40;

/** The fields of the header of `file` in order, without a gap. `bytes` holds at least the header. */
export function headerFields(
  file: Pick<GgufFile, "name" | "littleEndian" | "metadata" | "tensors">,
  bytes: Uint8Array<ArrayBuffer>,
): FileField[] {
  const walk = new HeaderWalk(file.name, bytes, file.littleEndian);
  walk.field("magic", (cursor, name) => text(String.fromCharCode(...cursor.bytes(4, name))));
  walk.u32("version");
  walk.size("number of tensors");
  walk.size("number of keys");
  for (const key of file.metadata.keys()) {
    walk.text("key");
    walk.value(key);
  }
  for (const { shape } of file.tensors) {
    walk.text("tensor name");
    walk.u32("number of dimensions");
    for (const i of shape.keys()) walk.size(`ne[${i}]`);
    walk.field("tensor type", (cursor, name) => {
      const id = cursor.u32(name);
      return `${id} = ${dtypeOfGgmlId(id) ?? "unknown"}`;
    });
    walk.size("offset in the data");
  }
  return walk.fields;
}

/** Every byte of the file, in order and without a gap. Reads the header from `source`. */
export async function fileSegments(source: ByteSource, file: GgufFile): Promise<FileSegment[]> {
  const bytes = await source.read(0, file.headerBytes);
  const list = headerFields(file, bytes).find(({ name }) => name === "tensor name length");
  const listStart = list?.start ?? file.headerBytes;
  const known: FileSegment[] = [
    { kind: "metadata", name: "metadata", start: 0, end: listStart },
    { kind: "tensor list", name: "tensor list", start: listStart, end: file.headerBytes },
    ...[...file.tensors]
      .sort((a, b) => a.offset - b.offset)
      .map(({ name, dtype, offset, numBytes }) => ({
        ...{ kind: dtype, name },
        ...{ start: offset, end: offset + numBytes },
      })),
  ];
  return known
    .flatMap((segment, i) => {
      const end = known[i + 1]?.start ?? file.fileSize;
      return [segment, { kind: "padding", name: "padding", start: segment.end, end } as const];
    })
    .filter(({ start, end }) => end > start);
}

/** Walks over a header and notes what it passes. */
class HeaderWalk {
  readonly fields: FileField[] = [];
  readonly #cursor: ByteCursor;

  constructor(name: string, bytes: Uint8Array<ArrayBuffer>, littleEndian: boolean) {
    this.#cursor = new ByteCursor(name, bytes);
    this.#cursor.littleEndian = littleEndian;
  }

  /** Notes what `read` passes over, with what it says. */
  field(name: string, read: (cursor: ByteCursor, name: string) => string): void {
    const start = this.#cursor.offset;
    const value = read(this.#cursor, name);
    this.fields.push({ name, start, end: this.#cursor.offset, value });
  }

  u32(name: string): void {
    this.field(name, (cursor) => String(cursor.u32(name)));
  }

  size(name: string): void {
    this.field(name, (cursor) => String(cursor.size(name)));
  }

  /** A string, as its length and its letters. */
  text(name: string): void {
    let length = 0;
    this.field(`${name} length`, (cursor) => String((length = cursor.size(name))));
    this.field(name, (cursor) => text(cursor.text(length, name)));
  }

  /** A value's type, then the value. */
  value(key: string): void {
    const cursor = this.#cursor;
    const start = cursor.offset;
    const value = readGgufValue(cursor, key);
    const end = cursor.offset;
    const typeBytes = 4;
    this.fields.push(
      { name: "value type", start, end: start + typeBytes, value: value.type },
      { name: "value", start: start + typeBytes, end, value: shown(value) },
    );
  }
}

function shown(value: GgufValue): string {
  if (value.type === "array") return `${value.items.length} × ${value.itemType}`;
  return value.type === "string" ? text(value.value) : String(value.value);
}

/** Quoted, with what does not print escaped, and cut. */
function text(value: string): string {
  return JSON.stringify(value.length > shownLetters ? `${value.slice(0, shownLetters)}…` : value);
}
