/**
 * Files on this machine's disk for the readers of `formats`, which know no file system, and writing
 * that leaves either the old file or the whole new one.
 */
import { randomUUID } from "node:crypto";
import { open, rename, rm, writeFile, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { InputError } from "../core/errors.ts";
import { checkRange, type ByteSource } from "../formats/byte-source.ts";
import { openTensorFile, type TensorFile } from "../formats/tensor-file.ts";

/** What has to be closed when it is no longer read. */
export interface Closable {
  close(): Promise<void>;
}

/** A file to read ranges of. Throws InputError where it is missing, a folder or unreadable. */
export async function fileSource(path: string): Promise<ByteSource & Closable> {
  const handle = await openFile(path);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) {
      throw new InputError(
        `${path} is ${stats.isDirectory() ? "a folder" : "no ordinary file"}; a file is needed.`,
      );
    }
    return {
      name: basename(path),
      size: stats.size,
      read: (offset, length) => readRange(handle, path, stats.size, offset, length),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opens a file of tensors in any format that `formats` reads; the caller closes it. */
export async function openTensors(path: string): Promise<TensorFile & Closable> {
  const source = await fileSource(path);
  try {
    return { ...(await openTensorFile(source)), close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Writes a file under another name in the same folder, then renames it, so that nobody ever finds
 * half of it. Throws InputError where the folder is missing or cannot be written to.
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array | string): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    await writeFile(draft, bytes, { flush: true });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw new InputError(`${path} cannot be written: ${reasonOf(error)}.`, { cause: error });
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw new InputError(`${path} cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
}

async function readRange(
  handle: FileHandle,
  path: string,
  size: number,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  checkRange(path, size, offset, length);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new InputError(`${path} became shorter while it was read.`);
    done += bytesRead;
  }
  return bytes;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of its path is a file, not a folder",
  EACCES: "you have no permission for it",
  EPERM: "you have no permission for it",
  EROFS: "the disk is read-only",
  ENOSPC: "the disk is full",
  EMFILE: "too many files are open",
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return reasons[code] ?? (error instanceof Error ? error.message : String(error));
}
