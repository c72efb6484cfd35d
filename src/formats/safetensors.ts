/**
 * safetensors: a JSON header and the tensors one after the other, without gaps. Reads and writes; the
 * rules are those of the format's README, among them the bound on the header's length.
 */
import { bytesOfShape, dtypeLayouts, isPlain, type PlainDtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { quoted, type ByteSource } from "./byte-source.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { littleEndianBytes } from "./plain-values.ts";
import {
  bytesOfTensor,
  maxDimensions,
  storedTensorFile,
  type StoredTensor,
} from "./stored-tensors.ts";
import type { TensorFile } from "./tensor-file.ts";

/** The format's own limit, which keeps a reader from parsing endless JSON. */
const maxHeaderBytes = 100_000_000;
const lengthBytes = 8;
const metadataKey = "__metadata__";

/** An open safetensors file; `metadata` is the header's free map of strings. */
export interface SafetensorsFile extends TensorFile {
  readonly format: "safetensors";
  readonly metadata: ReadonlyMap<string, string>;
}

/** A tensor to write; `data` holds the values as `dtype` stores them. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: PlainDtype;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** Opens a safetensors file. Throws InputError for a foreign, truncated or damaged one. */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const start = await source.read(0, Math.min(lengthBytes, source.size));
  const cursor = new ByteCursor(source.name, start, source.size);
  const headerBytes = cursor.count("the header's length", 1, maxHeaderBytes);
  const header = parseHeader(source, await source.read(lengthBytes, headerBytes));
  const metadata = parseMetadata(source, header[metadataKey]);
  const dataOffset = lengthBytes + headerBytes;
  const tensors = Object.entries(header)
    .filter(([name]) => name !== metadataKey)
    .map(([name, entry]) => parseEntry(source, name, entry, dataOffset));
  checkLayout(source, tensors, dataOffset);
  const file = storedTensorFile("safetensors", source, tensors, true);
  return { ...file, format: "safetensors", metadata };
}

/**
 * The bytes of a safetensors file. Tensors go in order of falling item size, then by name, so that
 * each is aligned. Throws InputError where `data` does not fit dtype and shape.
 */
export function writeSafetensors(
  tensors: readonly SafetensorsEntry[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const itemBytes = ({ dtype }: SafetensorsEntry): number => dtypeLayouts[dtype].blockBytes;
  const ordered = [...tensors].sort(
    (a, b) => itemBytes(b) - itemBytes(a) || (a.name < b.name ? -1 : 1),
  );
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set(metadataKey, metadata);
  let end = 0;
  for (const { name, dtype, shape, data } of ordered) {
    const begin = end;
    end += bytesOfShape(shape, dtype);
    const wrong =
      ((header.has(name) || name === metadataKey) && "its name is taken") ||
      (data.byteLength !== end - begin &&
        `it has ${data.byteLength} bytes and needs ${end - begin}`);
    if (wrong) throw new InputError(`Tensor ${quoted(name)} cannot be written: ${wrong}.`);
    header.set(name, { dtype, shape, data_offsets: [begin, end] });
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / lengthBytes) * lengthBytes;
  const file = new Uint8Array(lengthBytes + headerBytes + end).fill(
    0x20,
    0,
    lengthBytes + headerBytes,
  );
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, lengthBytes);
  let offset = lengthBytes + headerBytes;
  for (const entry of ordered) {
    file.set(littleEndianBytes(entry.data, itemBytes(entry)), offset);
    offset += entry.data.byteLength;
  }
  return file;
}

function parseHeader(source: ByteSource, bytes: Uint8Array): Record<string, unknown> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const header: unknown = JSON.parse(text);
    if (isRecord(header)) return header;
  } catch {
    // Said below, in the same words for text that is no UTF-8, no JSON or no object.
  }
  throw damaged(source, "its header is no JSON object");
}

function parseMetadata(source: ByteSource, metadata: unknown): ReadonlyMap<string, string> {
  if (metadata === undefined) return new Map();
  if (!isRecord(metadata)) throw damaged(source, `${metadataKey} is no JSON object`);
  return new Map(
    Object.entries(metadata).map(([key, value]) => {
      if (typeof value === "string") return [key, value];
      throw damaged(source, `${metadataKey} ${quoted(key)} is no string`);
    }),
  );
}

function parseEntry(
  source: ByteSource,
  name: string,
  entry: unknown,
  dataOffset: number,
): StoredTensor {
  const wrong = (what: string): InputError => damaged(source, `tensor ${quoted(name)} ${what}`);
  if (!isRecord(entry)) throw wrong("is no JSON object");
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isPlainName(dtype)) throw wrong(`has the unknown dtype ${quoted(String(dtype))}`);
  if (!isSizes(shape) || shape.length > maxDimensions) throw wrong("has no list of sizes as shape");
  if (!isSizes(offsets) || offsets.length !== 2) throw wrong("has no two data_offsets");
  const [begin, end] = offsets as [number, number];
  const numBytes = bytesOfTensor(source, name, shape, dtype);
  if (end - begin !== numBytes) {
    throw wrong(`takes ${end - begin} bytes, and ${dtype} [${shape.join(", ")}] needs ${numBytes}`);
  }
  return { name, shape, dtype, numBytes, offset: dataOffset + begin };
}

/** The tensors cover the rest of the file, each byte once. */
function checkLayout(
  source: ByteSource,
  tensors: readonly StoredTensor[],
  dataOffset: number,
): void {
  let end = dataOffset;
  const order = [...tensors].sort((a, b) => a.offset - b.offset || a.numBytes - b.numBytes);
  for (const { name, offset, numBytes } of order) {
    if (offset !== end) {
      throw damaged(source, `tensor ${quoted(name)} starts at byte ${offset} instead of ${end}`);
    }
    end += numBytes;
  }
  if (end > source.size) {
    throw new InputError(
      `${source.name} is truncated: its tensors end at byte ${end}, and it has ${source.size}.`,
    );
  }
  if (end < source.size) throw damaged(source, `${source.size - end} bytes follow its last tensor`);
}

function damaged(source: ByteSource, what: string): InputError {
  return new InputError(`${source.name} is no sound safetensors file: ${what}.`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPlainName(value: unknown): value is PlainDtype {
  return (
    typeof value === "string" && Object.hasOwn(dtypeLayouts, value) && isPlain(value as PlainDtype)
  );
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
