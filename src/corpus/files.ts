/**
 * Files on this machine's disk for the readers of `formats`, which know no file system, and writing
 * that leaves either the old file or the whole new one.
 */
import { randomUUID } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, read, readSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
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

/** From a cache, so much is read in the time that a thread takes to begin; a header is seldom more. */
const mostReadAtOnce = 2 ** 20;
const readLater = promisify(read);

/** A file to read ranges of. Rejects with InputError where it is missing, a folder or unreadable. */
export async function fileSource(path: string): Promise<ByteSource & Closable> {
  return new Promise((resolve) => {
    resolve(new DiskFile(path));
  });
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

/** A descriptor, which nothing reads from once it may have become another file's. */
class DiskFile implements ByteSource, Closable {
  readonly name: string;
  readonly size: number;
  readonly #path: string;
  readonly #reads = new Set<Promise<number>>();
  #descriptor: number | undefined;

  constructor(path: string) {
    this.name = basename(path);
    this.#path = path;
    this.#descriptor = openDescriptor(path);
    const stats = fstatSync(this.#descriptor);
    this.size = stats.size;
    if (stats.isFile()) return;
    closeSync(this.#descriptor);
    throw new InputError(
      `${path} is ${stats.isDirectory() ? "a folder" : "no ordinary file"}; a file is needed.`,
    );
  }

  async read(
    offset: number,
    length: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this.#path, this.size, offset, length);
    const bytes = into?.length === length ? into : new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const numRead = this.#readSome(bytes.subarray(done), offset + done);
      const added = typeof numRead === "number" ? numRead : await numRead;
      if (added === 0) throw new InputError(`${this.#path} became shorter while it was read.`);
      done += added;
    }
    return bytes;
  }

  async close(): Promise<void> {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    await Promise.allSettled(this.#reads);
    if (descriptor !== undefined) closeSync(descriptor);
  }

  #readSome(bytes: Uint8Array, offset: number): number | Promise<number> {
    if (this.#descriptor === undefined) {
      throw new InputError(`${this.#path} was closed before it was read; keep it open.`);
    }
    const position = [bytes, 0, bytes.length, offset] as const;
    if (bytes.length <= mostReadAtOnce) return readSync(this.#descriptor, ...position);
    const read = readLater(this.#descriptor, ...position).then(({ bytesRead }) => bytesRead);
    const settled = (): boolean => this.#reads.delete(read);
    this.#reads.add(read);
    read.then(settled, settled);
    return read;
  }
}

function openDescriptor(path: string): number {
  try {
    // Opening a pipe would wait until somebody writes to it.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new InputError(`${path} cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
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
