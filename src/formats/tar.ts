/**
 * Regular files in an uncompressed tar archive (POSIX ustar and GNU). Links, folders and extension
 * headers are passed over, so names beyond the 255 bytes of a header are cut.
 */
import { InputError } from "../core/errors.ts";
import { quoted, type ByteSource } from "./byte-source.ts";

const recordBytes = 512;
const maxEntries = 2 ** 20;

/** One file in the archive. */
export interface TarEntry {
  readonly name: string;
  /** Where its bytes begin, from the start of the archive. */
  readonly offset: number;
  readonly numBytes: number;
}

/**
 * The archive's files in order; of two with one name both. Throws InputError for a header whose
 * checksum is wrong, and for an archive that ends in the middle of a file.
 */
export async function readTarDirectory(source: ByteSource): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  for (let offset = 0; offset + recordBytes <= source.size;) {
    const header = await source.read(offset, recordBytes);
    // Two records of zeros end an archive; what follows them is padding.
    if (header.every((byte) => byte === 0)) break;
    const numBytes = checkedSize(source, header, offset);
    const begin = offset + recordBytes;
    if (isRegular(header)) entries.push({ name: nameOf(header), offset: begin, numBytes });
    if (entries.length > maxEntries) throw damaged(source, `it has more than ${maxEntries} files`);
    offset = begin + Math.ceil(numBytes / recordBytes) * recordBytes;
  }
  if (entries.length > 0) return entries;
  throw damaged(source, "it holds no file");
}

/** The bytes of a file. */
export function readTarEntry(
  source: ByteSource,
  { offset, numBytes }: TarEntry,
): Promise<Uint8Array<ArrayBuffer>> {
  return source.read(offset, numBytes);
}

function checkedSize(source: ByteSource, header: Uint8Array, offset: number): number {
  const stated = octal(header, 148, 8);
  // The checksum counts its own place as spaces.
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  if (stated !== sum) throw damaged(source, `the header at byte ${offset} has a wrong checksum`);
  const numBytes = octal(header, 124, 12);
  if (numBytes === undefined || offset + recordBytes + numBytes > source.size) {
    throw damaged(source, `${quoted(nameOf(header))} does not end before the archive`);
  }
  return numBytes;
}

function isRegular(header: Uint8Array): boolean {
  const type = header[156]!;
  return type === 0 || type === "0".charCodeAt(0);
}

function nameOf(header: Uint8Array): string {
  const name = text(header, 0, 100);
  const isUstar = text(header, 257, 5) === "ustar";
  const prefix = isUstar ? text(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Undefined where there is no number, and for sizes of 8 GiB and more, which are not octal. */
function octal(header: Uint8Array, offset: number, length: number): number | undefined {
  const digits = text(header, offset, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function text(header: Uint8Array, offset: number, length: number): string {
  const bytes = header.subarray(offset, offset + length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function damaged({ name }: ByteSource, reason: string): InputError {
  return new InputError(`${name} is no tar archive or is damaged: ${reason}.`);
}
