/**
 * Files on this machine's disk for the readers of `formats`, which know no file system, and writing
 * that leaves either the old file or the whole new one.
 */
import { randomUUID } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { InputError } from "../core/errors.ts";
import type { ByteSink } from "../formats/byte-sink.ts";
import { checkRange, type ByteSource } from "../formats/byte-source.ts";
import { openGguf, type GgufFile } from "../formats/gguf/gguf-file.ts";
import { openTensorFile, type TensorFile } from "../formats/tensor-file.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";

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
  return openClosable(path, (source) => openTensorFile(source, dequantizeBlocks));
}

/** Opens a GGUF file, block formats included; the caller closes it. */
export async function openGgufFile(path: string): Promise<GgufFile & Closable> {
  return openClosable(path, (source) => openGguf(source, dequantizeBlocks));
}

/**
 * Writes a file under another name in the same folder, then renames it, so that nobody ever finds
 * half of it. Throws InputError where the folder is missing or cannot be written to.
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array | string): Promise<void> {
  const whole = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  await writeAtomically(path, (sink) => sink.write(whole));
}

/**
 * As `writeFileAtomically`, in pieces: `write` gets a sink, and nothing is left at `path` or beside
 * it where it throws.
 */
export async function writeAtomically(
  path: string,
  write: (sink: ByteSink) => Promise<void>,
): Promise<void> {
  const draft = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    await writeDraft(path, draft, write);
    await rename(draft, path).catch(cannotWrite(path));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function writeDraft(
  path: string,
  draft: string,
  write: (sink: ByteSink) => Promise<void>,
): Promise<void> {
  const handle = await open(draft, "wx").catch(cannotWrite(path));
  try {
    await write({ write: (bytes) => handle.writeFile(bytes).catch(cannotWrite(path)) });
    await handle.sync().catch(cannotWrite(path));
  } finally {
    await handle.close();
  }
}

/** What turns the file system's error into a sentence; other errors pass through `write` as they are. */
export function cannotWrite(path: string): (error: unknown) => never {
  return (error) => {
    throw new InputError(`${path} cannot be written: ${reasonOf(error)}.`, { cause: error });
  };
}

async function openClosable<T extends object>(
  path: string,
  open: (source: ByteSource) => Promise<T>,
): Promise<T & Closable> {
  const source = await fileSource(path);
  try {
    return { ...(await open(source)), close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
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
