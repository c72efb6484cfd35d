/** Text files to learn from or to judge by: UTF-8, checked before anything is done with them. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { InputError } from "../core/errors.ts";
import { fileSource } from "./files.ts";

/** V8 holds no longer text in one string. */
const mostBytes = 2 ** 29 - 2 ** 20;

/**
 * The text of a file. Throws InputError where it is missing, empty, larger than half a gigabyte or no
 * valid UTF-8.
 */
export async function readTextFile(path: string): Promise<string> {
  const source = await fileSource(path);
  await source.close();
  if (source.size === 0) throw new InputError(`${path} is empty; a file with text is needed.`);
  if (source.size > mostBytes) {
    throw new InputError(
      `${path} has ${source.size} bytes, and at most ${mostBytes} are read; split it.`,
    );
  }
  const bytes = await readFile(path);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    const at = firstInvalidByte(bytes);
    throw new InputError(
      `${basename(path)} is no valid UTF-8 text: byte ${at} is ${hex(bytes[at]!)}; convert the file to UTF-8.`,
      { cause: error },
    );
  }
}

/** Where the first character begins that is no UTF-8; halves the file until it is found. */
function firstInvalidByte(bytes: Uint8Array): number {
  // Decoded as a stream, a start of the file is invalid only if a wrong byte lies in it.
  const isValid = (end: number): boolean => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, end), { stream: true });
      return true;
    } catch {
      return false;
    }
  };
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 1) {
    const middle = Math.floor((valid + invalid) / 2);
    if (isValid(middle)) valid = middle;
    else invalid = middle;
  }
  return valid;
}

function hex(byte: number): string {
  return `0x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
