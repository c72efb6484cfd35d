/**
 * Where a file's bytes come from: memory, a descriptor, a browser's Blob. The readers of this folder
 * ask for ranges and never for the whole file, so a model larger than memory can be read.
 */
import { InputError } from "../core/errors.ts";

/** Random access to a file's bytes. */
export interface ByteSource {
  /** What to call the file in messages; its extension helps to tell formats apart. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /**
   * An array of exactly `length` bytes, the caller's own; InputError beyond the end. It is `into`,
   * where that is given with that length and the source can fill it, else a fresh one.
   */
  read(
    offset: number,
    length: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** A file that is already in memory. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  const read = (offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> =>
    new Promise((resolve) => {
      checkRange(name, bytes.length, offset, length);
      resolve(new Uint8Array(bytes.subarray(offset, offset + length)));
    });
  return { name, size: bytes.length, read };
}

/** Throws the InputError for a range that is not inside a file of `size` bytes. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  if (offset < 0 || length < 0 || offset + length > size) {
    throw new InputError(
      `${name} is truncated: bytes ${offset} to ${offset + length} are needed, and it has ${size}.`,
    );
  }
}

/** `name` in double quotes, made printable and cut to a length fit for a message. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 79)}…` : name);
}

/** The file's name without folders and without its last extension. */
export function fileStem(name: string): string {
  const base = name.split(/[\\/]/).at(-1)!;
  return base.replace(/(?<=.)\.[^.]*$/, "");
}
