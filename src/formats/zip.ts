/**
 * Entries of a ZIP archive, stored or deflated, 64-bit sizes included: what PyTorch writes. No
 * encryption, no archives in parts. Nothing is taken into memory that the archive could not hold.
 */
import { InputError } from "../core/errors.ts";
import { quoted, type ByteSource } from "./byte-source.ts";
import { ByteCursor } from "./byte-cursor.ts";

/** PyTorch writes an entry for each tensor. */
const maxEntries = 2 ** 20;
const maxDirectoryBytes = 2 ** 28;
/** Deflate cannot shrink further: two bits for 258 bytes (zlib's technical notes). */
const maxDeflateRatio = 1032;

const endBytes = 22;
const maxCommentBytes = 0xffff;
const locatorBytes = 20;
const end64Bytes = 56;
const localHeaderBytes = 30;
const entryHeaderBytes = 46;
const endSignature = 0x06054b50;
const locatorSignature = 0x07064b50;
const end64Signature = 0x06064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
/** Stands for "see the 64-bit field". */
const inZip64 = 0xffffffff;

/** One file in the archive. */
export interface ZipEntry {
  readonly name: string;
  readonly isDeflated: boolean;
  readonly compressedBytes: number;
  readonly numBytes: number;
  /** Where the entry's own header starts, in bytes from the start of the archive. */
  readonly headerOffset: number;
}

interface Directory {
  readonly numEntries: number;
  readonly numBytes: number;
  readonly offset: number;
}

/** The archive's entries by name. Throws InputError for a damaged or foreign archive. */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { numEntries, numBytes, offset } = await findDirectory(source);
  if (numEntries > maxEntries || numBytes > maxDirectoryBytes) {
    throw damaged(source, `its directory names ${numEntries} entries in ${numBytes} bytes`);
  }
  if (numEntries * entryHeaderBytes > numBytes) {
    throw damaged(source, `${numEntries} entries do not fit into a directory of ${numBytes} bytes`);
  }
  const bytes = await source.read(offset, numBytes);
  const cursor = new ByteCursor(`${source.name}'s directory`, bytes);
  const entries = new Map<string, ZipEntry>();
  for (let i = 0; i < numEntries; i++) {
    const entry = readEntry(cursor, source);
    if (entries.has(entry.name)) throw damaged(source, `it has two entries ${quoted(entry.name)}`);
    entries.set(entry.name, entry);
  }
  return entries;
}

/** The bytes of an entry from `start`, `length` of them; the whole entry is unpacked if deflated. */
export async function readZipEntry(
  source: ByteSource,
  entry: ZipEntry,
  start = 0,
  length: number = entry.numBytes - start,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = await source.read(entry.headerOffset, localHeaderBytes);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  if (view.getUint32(0, true) !== localSignature) {
    throw damaged(source, `entry ${quoted(entry.name)} does not start where the directory says`);
  }
  // Name and extra field are repeated here, and their lengths may differ from the directory's.
  const dataOffset =
    entry.headerOffset + localHeaderBytes + view.getUint16(26, true) + view.getUint16(28, true);
  if (!entry.isDeflated) return source.read(dataOffset + start, length);
  const packed = await source.read(dataOffset, entry.compressedBytes);
  return (await inflate(source, entry, packed)).subarray(start, start + length);
}

async function findDirectory(source: ByteSource): Promise<Directory> {
  const tailBytes = Math.min(source.size, endBytes + maxCommentBytes);
  const tailOffset = source.size - tailBytes;
  const tail = await source.read(tailOffset, tailBytes);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  for (let end = tailBytes - endBytes; end >= 0; end--) {
    if (view.getUint32(end, true) !== endSignature) continue;
    const directory = {
      numEntries: view.getUint16(end + 10, true),
      numBytes: view.getUint32(end + 12, true),
      offset: view.getUint32(end + 16, true),
    };
    const is64 =
      end >= locatorBytes && view.getUint32(end - locatorBytes, true) === locatorSignature;
    if (!is64) return directory;
    return readEnd64(source, view.getBigUint64(end - locatorBytes + 8, true));
  }
  throw damaged(source, "it has no end record, so it may be truncated");
}

async function readEnd64(source: ByteSource, offset: bigint): Promise<Directory> {
  const bytes = await source.read(Number(offset), end64Bytes);
  const cursor = new ByteCursor(`${source.name}'s end record`, bytes);
  if (cursor.u32("the signature") !== end64Signature) {
    cursor.fail("the signature", "it is not that of a 64-bit end record");
  }
  cursor.bytes(28, "the 64-bit end record");
  const numEntries = cursor.size("the number of entries");
  const numBytes = cursor.size("the directory's size");
  return { numEntries, numBytes, offset: cursor.size("the directory's place") };
}

function readEntry(cursor: ByteCursor, source: ByteSource): ZipEntry {
  const field = "an entry";
  if (cursor.u32(field) !== entrySignature) cursor.fail(field, "its signature is wrong");
  cursor.bytes(4, field);
  const flags = cursor.u16(field);
  const method = cursor.u16(field);
  cursor.bytes(8, field);
  const packed = cursor.u32(field);
  const unpacked = cursor.u32(field);
  const [nameBytes, extraBytes, commentBytes] = [
    cursor.u16(field),
    cursor.u16(field),
    cursor.u16(field),
  ];
  cursor.bytes(8, field);
  const place = cursor.u32(field);
  const name = cursor.text(nameBytes, field);
  const extra = new ByteCursor(`Entry ${quoted(name)}`, cursor.bytes(extraBytes, field));
  cursor.bytes(commentBytes, field);
  const [numBytes, compressedBytes, headerOffset] = wideSizes(extra, extraBytes, [
    unpacked,
    packed,
    place,
  ]);
  const isDeflated = method === 8;
  const wrong =
    ((flags & 1) !== 0 && "is encrypted") ||
    (method !== 0 &&
      method !== 8 &&
      `is packed with method ${method}; only stored and deflate are read`) ||
    (method === 0 && numBytes !== compressedBytes && "is stored with two different sizes") ||
    (headerOffset + localHeaderBytes + compressedBytes > source.size && "ends after the archive") ||
    (numBytes > maxDeflateRatio * compressedBytes && "unpacks to more than deflate can hold");
  if (wrong) throw damaged(source, `entry ${quoted(name)} ${wrong}`);
  return { name, isDeflated, compressedBytes, numBytes, headerOffset };
}

/** Replaces each size that stands for "see the 64-bit field" by its value there, in that order. */
function wideSizes(
  extra: ByteCursor,
  extraBytes: number,
  sizes: readonly [number, number, number],
): [number, number, number] {
  const wide = [...sizes] as [number, number, number];
  while (extraBytes - extra.offset >= 4) {
    const id = extra.u16("an extra field");
    const length = extra.u16("an extra field");
    if (id !== 1) {
      extra.bytes(length, "an extra field");
      continue;
    }
    for (let i = 0; i < wide.length; i++) {
      if (sizes[i] === inZip64) wide[i] = extra.size("a 64-bit size");
    }
    break;
  }
  return wide;
}

async function inflate(
  source: ByteSource,
  entry: ZipEntry,
  packed: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const unpacked = new Uint8Array(entry.numBytes);
  let length = 0;
  const fails = (): InputError => damaged(source, `entry ${quoted(entry.name)} does not unpack`);
  try {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      if (length + chunk.length > unpacked.length) throw fails();
      unpacked.set(chunk, length);
      length += chunk.length;
    }
  } catch {
    throw fails();
  }
  if (length !== unpacked.length) throw fails();
  return unpacked;
}

function damaged(source: ByteSource, what: string): InputError {
  return new InputError(`${source.name} is no sound ZIP archive: ${what}.`);
}
