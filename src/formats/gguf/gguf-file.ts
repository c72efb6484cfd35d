/**
 * The GGUF container, versions 2 and 3 in either byte order: header, metadata and where each tensor
 * lies. Reads as much of the file as the header takes, and tensors when they are asked for. Plain
 * formats are decoded here, block formats by the function that is passed in.
 */
import { dtypeOfGgmlId } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { quoted, type ByteSource } from "../byte-source.ts";
import { ByteCursor, NeedMoreBytes } from "../byte-cursor.ts";
import {
  bytesOfTensor,
  storedTensor,
  storedTensorFile,
  type DecodeBlocks,
  type StoredTensor,
} from "../stored-tensors.ts";
import type { TensorFile } from "../tensor-file.ts";
import {
  alignmentOf,
  maxGgmlDimensions,
  readGgufString,
  readGgufValue,
  type GgufValue,
} from "./metadata.ts";

/** Real headers hold up to some 10 MB of vocabulary; a larger one is refused before it is read. */
const maxHeaderBytes = 2 ** 28;
/** Enough for a model without a vocabulary; then for most vocabularies; then twice that, and so on. */
const firstReadBytes = 2 ** 16;
const secondReadBytes = 2 ** 22;
/** Both far above any model: the largest have a few thousand tensors and a hundred keys. */
const maxTensors = 2 ** 17;
const maxKeys = 2 ** 16;
/** The specification's limit for keys; tensor names, 64 bytes by it, are longer in some files. */
const maxNameBytes = 2 ** 16 - 1;
/** Key length and value type; then tensor name length, dimensions, type and offset. */
const minKeyBytes = 8 + 4 + 1;
const minTensorBytes = 8 + 4 + 4 + 8;

/** An open GGUF file. */
export interface GgufFile extends TensorFile {
  readonly format: "gguf";
  readonly version: number;
  readonly littleEndian: boolean;
  /** In the file's order. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Tensors start at multiples of this many bytes. */
  readonly alignment: number;
  /** Bytes up to the end of the last tensor's description, without padding. */
  readonly headerBytes: number;
  /** Where the first tensor may start, in bytes from the start of the file. */
  readonly dataOffset: number;
  readonly tensors: readonly StoredTensor[];
  /** The whole file, in bytes. */
  readonly fileSize: number;
  /**
   * A tensor's bytes as they are stored, or those from `start` to `end`. Throws InputError for an
   * unknown name and for a range that is not inside the tensor. `into` is as for `ByteSource.read`.
   */
  readBytes(
    name: string,
    start?: number,
    end?: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

type GgufHeader = Omit<GgufFile, "format" | "name" | "fileSize" | "readFloat32" | "readBytes">;

/**
 * Opens a GGUF file. Throws InputError for a foreign, truncated or damaged one. Without
 * `decodeBlocks`, which is `dequantizeBlocks` of `quant`, block formats are listed and not read.
 */
export async function openGguf(source: ByteSource, decodeBlocks?: DecodeBlocks): Promise<GgufFile> {
  const header = await readHeader(source);
  const { tensors, littleEndian } = header;
  const file = storedTensorFile("gguf", source, tensors, littleEndian, decodeBlocks);
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return {
    ...file,
    ...header,
    format: "gguf",
    fileSize: source.size,
    readBytes: async (name, start = 0, end, into) => {
      const { offset, numBytes } = storedTensor(source, byName, name);
      const stop = end ?? numBytes;
      if (!(start >= 0 && start <= stop && stop <= numBytes)) {
        throw new InputError(
          `Tensor ${quoted(name)} of ${source.name} has ${numBytes} bytes; ${start} to ${stop} were asked for.`,
        );
      }
      return source.read(offset + start, stop - start, into);
    },
  };
}

/** Reads on from the last whole entry whenever the header is longer than what was loaded. */
async function readHeader(source: ByteSource): Promise<GgufHeader> {
  let length = Math.min(firstReadBytes, source.size);
  const cursor = new ByteCursor(source.name, await source.read(0, length), source.size);
  const parser = new HeaderParser(source, cursor);
  for (;;) {
    try {
      return parser.parse();
    } catch (error) {
      if (!(error instanceof NeedMoreBytes)) throw error;
      if (error.end > maxHeaderBytes) {
        throw new InputError(
          `${source.name} has a header of more than ${maxHeaderBytes} bytes, the most that is read.`,
        );
      }
      const start = cursor.reloadStart;
      const most = Math.min(source.size, maxHeaderBytes) - start;
      length = Math.min(most, Math.max(error.end - start, secondReadBytes, 2 * length));
      cursor.reload(await source.read(start, length));
    }
  }
}

/** Keeps the entries that it has read, so that `parse` can be called again with more bytes loaded. */
class HeaderParser {
  readonly #source: ByteSource;
  readonly #cursor: ByteCursor;
  readonly #metadata = new Map<string, GgufValue>();
  readonly #tensors = new Map<string, StoredTensor>();
  #counts: HeaderCounts | undefined;

  constructor(source: ByteSource, cursor: ByteCursor) {
    this.#source = source;
    this.#cursor = cursor;
  }

  /** The header. Throws NeedMoreBytes where it is not loaded to its end. */
  parse(): GgufHeader {
    const [source, cursor, metadata] = [this.#source, this.#cursor, this.#metadata];
    const { version, numTensors, numKeys } = (this.#counts ??= readCounts(cursor));
    while (metadata.size < numKeys) {
      cursor.mark();
      readEntry(cursor, metadata);
    }
    const alignment = checkedAlignment(cursor, metadata);
    while (this.#tensors.size < numTensors) {
      cursor.mark();
      readTensorInfo(source, cursor, this.#tensors);
    }
    const headerBytes = cursor.offset;
    const dataOffset = Math.ceil(headerBytes / alignment) * alignment;
    const tensors = [...this.#tensors.values()].map((tensor) => inFile(tensor, dataOffset));
    checkLayout(source, tensors, alignment, dataOffset);
    const { littleEndian } = cursor;
    return { version, littleEndian, metadata, alignment, headerBytes, dataOffset, tensors };
  }
}

function inFile(
  { name, shape, dtype, numBytes, offset }: StoredTensor,
  dataOffset: number,
): StoredTensor {
  return { name, shape, dtype, numBytes, offset: dataOffset + offset };
}

interface HeaderCounts {
  readonly version: number;
  readonly numTensors: number;
  readonly numKeys: number;
}

function readCounts(cursor: ByteCursor): HeaderCounts {
  return {
    version: readVersion(cursor),
    numTensors: cursor.count("the number of tensors", minTensorBytes, maxTensors),
    numKeys: cursor.count("the number of metadata keys", minKeyBytes, maxKeys),
  };
}

/** Big-endian files carry no mark; their version reads as a huge number in the wrong order. */
function readVersion(cursor: ByteCursor): number {
  const magic = cursor.bytes(4, "the magic");
  if (String.fromCharCode(...magic) !== "GGUF") cursor.fail("the magic", 'it is not "GGUF"');
  let version = cursor.u32("the version");
  if ((version & 0xffff) === 0) {
    cursor.littleEndian = false;
    version = ((version >>> 24) | ((version >>> 8) & 0xff00)) >>> 0;
  }
  if (version !== 2 && version !== 3) {
    cursor.fail("the version", `${version} is not 2 or 3; llama.cpp's converter writes version 3`);
  }
  return version;
}

function readEntry(cursor: ByteCursor, metadata: Map<string, GgufValue>): void {
  const key = readGgufString(cursor, `metadata key ${metadata.size}`, maxNameBytes);
  const field = `metadata ${quoted(key)}`;
  if (metadata.has(key)) cursor.fail(field, "the key occurs twice");
  metadata.set(key, readGgufValue(cursor, field));
}

function checkedAlignment(cursor: ByteCursor, metadata: ReadonlyMap<string, GgufValue>): number {
  try {
    return alignmentOf(metadata);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return cursor.fail("the alignment", error.message.replace(/\.$/, ""));
  }
}

/** A tensor's description, with its offset relative to the start of the data. */
function readTensorInfo(
  source: ByteSource,
  cursor: ByteCursor,
  tensors: Map<string, StoredTensor>,
): void {
  // Its name is quoted where something is wrong only: that takes longer than all the rest.
  const place = `tensor ${tensors.size}`;
  const name = readGgufString(cursor, `${place}'s name`, maxNameBytes);
  const numDimensions = cursor.u32(place);
  if (numDimensions > maxGgmlDimensions) {
    failTensor(cursor, name, `${numDimensions} dimensions are more than ${maxGgmlDimensions}`);
  }
  // The file names the fastest dimension first; everything here names it last.
  const shape: number[] = [];
  for (let i = 0; i < numDimensions; i++) shape.unshift(cursor.size(place));
  const id = cursor.u32(place);
  const dtype =
    dtypeOfGgmlId(id) ?? failTensor(cursor, name, `${id} is no tensor type that is known here`);
  const offset = cursor.size(place);
  if (tensors.has(name)) failTensor(cursor, name, "the name occurs twice");
  const numBytes = bytesOfTensor(source, name, shape, dtype);
  tensors.set(name, { name, shape, dtype, numBytes, offset });
}

function failTensor(cursor: ByteCursor, name: string, reason: string): never {
  return cursor.fail(`tensor ${quoted(name)}`, reason);
}

/** Tensors lie on the alignment, inside the file, and not on each other. */
function checkLayout(
  source: ByteSource,
  tensors: readonly StoredTensor[],
  alignment: number,
  dataOffset: number,
): void {
  let end = dataOffset;
  for (const tensor of [...tensors].sort((a, b) => a.offset - b.offset)) {
    const { name, offset, numBytes } = tensor;
    const wrong =
      (offset % alignment !== 0 &&
        `starts at byte ${offset}, which is no multiple of ${alignment}`) ||
      (offset < end && numBytes > 0 && `overlaps the tensor before it`) ||
      (offset + numBytes > source.size && `ends at byte ${offset + numBytes}, after the end`);
    if (wrong) {
      throw new InputError(
        `${source.name} (${source.size} bytes) is damaged or truncated: tensor ${quoted(name)} ${wrong}.`,
      );
    }
    end = Math.max(end, offset + numBytes);
  }
}
