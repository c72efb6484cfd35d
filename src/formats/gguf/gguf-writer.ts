/**
 * Writes GGUF, versions 2 and 3 in either byte order: header, metadata, and tensors one after the
 * other in the order given, each padded with zeros to the alignment. What is read from a file and
 * written again is the same file, if that was laid out so, as llama.cpp and the gguf package do.
 */
import { bytesOfShape, dtypeLayouts, type Dtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import type { ByteSink } from "../byte-sink.ts";
import { quoted } from "../byte-source.ts";
import { ByteWriter } from "../byte-writer.ts";
import {
  alignmentOf,
  ggufTypeNumber,
  maxGgmlDimensions,
  type GgufArray,
  type GgufValue,
} from "./metadata.ts";
import { inHostOrder } from "../plain-values.ts";

/** ggml holds a name in 64 bytes, the last of them 0. */
const maxTensorNameBytes = 63;
/** The specification's limit. */
const maxKeyBytes = 2 ** 16 - 1;
const utf8 = new TextEncoder();

/** A tensor to write, without its bytes. */
export interface GgufTensor {
  readonly name: string;
  /** Outermost dimension first. */
  readonly shape: readonly number[];
  readonly dtype: Dtype;
}

/** A tensor's bytes, as they stand in the file, in pieces of any size. */
export type TensorPieces = AsyncIterable<Uint8Array> | readonly Uint8Array[];

/** Everything in a GGUF file but the tensors' bytes. */
export interface GgufOutline<T extends GgufTensor = GgufTensor> {
  readonly version: number;
  readonly littleEndian: boolean;
  /** In the order to write; `general.alignment` sets the alignment. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly T[];
}

/** Where everything goes. */
export interface GgufLayout {
  /** All bytes before the first tensor, padding included. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** Bytes of each tensor without padding, in the outline's order. */
  readonly tensorBytes: readonly number[];
  readonly alignment: number;
  readonly fileSize: number;
}

/**
 * Lays a file out. Throws InputError for a version, name, shape or format that GGUF cannot hold, and
 * for a name that is taken.
 */
export function layOutGguf(outline: GgufOutline): GgufLayout {
  const { version, littleEndian, metadata, tensors } = outline;
  if (version !== 2 && version !== 3) throw new InputError(`GGUF ${version} is not 2 or 3.`);
  const alignment = alignmentOf(metadata);
  const writer = new ByteWriter(littleEndian);
  writer.bytes(utf8.encode("GGUF"));
  writer.u32(version);
  writer.u64(BigInt(tensors.length));
  writer.u64(BigInt(metadata.size));
  for (const [key, value] of metadata) {
    writeName(writer, key, maxKeyBytes, "metadata key");
    writer.u32(ggufTypeNumber(value.type));
    writeValue(writer, value, littleEndian);
  }
  const tensorBytes = tensors.map(({ shape, dtype }) => bytesOfShape(shape, dtype));
  const dataBytes = writeTensorInfos(writer, tensors, tensorBytes, alignment);
  // A file without tensors ends with its header, as the gguf package leaves it.
  if (tensors.length > 0) writer.bytes(new Uint8Array(padding(writer.length, alignment)));
  const header = writer.written();
  return { header, tensorBytes, alignment, fileSize: header.length + dataBytes };
}

/**
 * Writes a file to `sink`, asking for a tensor's bytes when their turn comes. Throws InputError as
 * `layOutGguf` does, and where a tensor's pieces do not have the bytes that its shape takes.
 */
export async function writeGguf<T extends GgufTensor>(
  sink: ByteSink,
  outline: GgufOutline<T>,
  piecesOf: (tensor: T) => TensorPieces,
): Promise<void> {
  const { header, tensorBytes, alignment } = layOutGguf(outline);
  await sink.write(header);
  for (const [i, tensor] of outline.tensors.entries()) {
    let numBytes = 0;
    for await (const piece of piecesOf(tensor)) {
      numBytes += piece.length;
      await sink.write(piece);
    }
    if (numBytes !== tensorBytes[i]) {
      throw new InputError(
        `Tensor ${quoted(tensor.name)} has ${numBytes} bytes, and its shape takes ${tensorBytes[i]!}.`,
      );
    }
    await sink.write(new Uint8Array(padding(numBytes, alignment)));
  }
}

/** Writes what describes each tensor; returns the bytes that all of them take with their padding. */
function writeTensorInfos(
  writer: ByteWriter,
  tensors: readonly GgufTensor[],
  tensorBytes: readonly number[],
  alignment: number,
): number {
  const names = new Set<string>();
  let offset = 0;
  for (const [i, { name, shape, dtype }] of tensors.entries()) {
    const { ggmlId } = dtypeLayouts[dtype];
    const wrong =
      (names.has(name) && "its name is taken") ||
      (shape.length > maxGgmlDimensions && `it has more than ${maxGgmlDimensions} dimensions`) ||
      (ggmlId === undefined && `GGUF has no ${dtype}`);
    if (wrong || ggmlId === undefined) {
      throw new InputError(`Tensor ${quoted(name)} cannot be written: ${String(wrong)}.`);
    }
    names.add(name);
    writeName(writer, name, maxTensorNameBytes, "tensor name");
    writer.u32(shape.length);
    for (const dimension of [...shape].reverse()) writer.u64(BigInt(dimension));
    writer.u32(ggmlId);
    writer.u64(BigInt(offset));
    offset += tensorBytes[i]! + padding(tensorBytes[i]!, alignment);
  }
  return offset;
}

function writeName(writer: ByteWriter, name: string, most: number, what: string): void {
  const bytes = utf8.encode(name);
  if (bytes.length > most) {
    throw new InputError(
      `The ${what} ${quoted(name)} has ${bytes.length} bytes, and readers of GGUF take ${most}.`,
    );
  }
  writer.u64(BigInt(bytes.length));
  writer.bytes(bytes);
}

function writeString(writer: ByteWriter, text: string): void {
  const bytes = utf8.encode(text);
  writer.u64(BigInt(bytes.length));
  writer.bytes(bytes);
}

function writeValue(writer: ByteWriter, value: GgufValue, littleEndian: boolean): void {
  switch (value.type) {
    case "string":
      writeString(writer, value.value);
      break;
    case "bool":
      writer.u8(Number(value.value));
      break;
    case "array":
      writeArray(writer, value, littleEndian);
      break;
    case "u64":
    case "i64":
      writer[value.type](value.value);
      break;
    case "u8":
    case "i8":
    case "u16":
    case "i16":
    case "u32":
    case "i32":
    case "f32":
    case "f64":
      writer[value.type](value.value);
      break;
    default:
      value satisfies never;
  }
}

function writeArray(writer: ByteWriter, array: GgufArray, littleEndian: boolean): void {
  writer.u32(ggufTypeNumber(array.itemType));
  writer.u64(BigInt(array.items.length));
  if (array.itemType === "string") {
    for (const text of array.items) writeString(writer, text);
  } else if (array.itemType === "bool") {
    for (const flag of array.items) writer.u8(Number(flag));
  } else if (array.itemType === "array") {
    for (const inner of array.items) writeArray(writer, inner, littleEndian);
  } else {
    const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = array.items;
    const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    writer.bytes(inHostOrder(bytes, BYTES_PER_ELEMENT, littleEndian));
  }
}

function padding(numBytes: number, alignment: number): number {
  return (alignment - (numBytes % alignment)) % alignment;
}
