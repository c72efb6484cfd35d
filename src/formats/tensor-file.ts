/**
 * One view of every file that holds tensors: names, shapes, and values as float32. Opens a file by
 * what it begins with, else by its extension. Block formats are decoded by what is passed in.
 */
import type { Dtype } from "../core/dtypes.ts";
import { InputError, nearestNames } from "../core/errors.ts";
import { quoted, type ByteSource } from "./byte-source.ts";
import { openCsv } from "./csv.ts";
import { openGguf } from "./gguf/gguf-file.ts";
import { npyMagic, openNpy } from "./npy.ts";
import { openPt } from "./pt.ts";
import { openSafetensors } from "./safetensors.ts";
import type { DecodeBlocks } from "./stored-tensors.ts";

/** What a file says about one tensor. */
export interface TensorInfo {
  readonly name: string;
  /** Outermost dimension first, as NumPy prints it; empty for a scalar. */
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** The bytes that the values take in this format, without what surrounds them. */
  readonly numBytes: number;
}

/** An open file of tensors. */
export interface TensorFile {
  readonly format: "gguf" | "safetensors" | "npy" | "csv" | "pt";
  /** What to call the file in messages. */
  readonly name: string;
  readonly tensors: readonly TensorInfo[];
  /**
   * The values of a tensor in C order, rounded to float32. Throws InputError for an unknown name,
   * for a block format that nothing decodes, and where the file is damaged.
   */
  readFloat32(name: string): Promise<Float32Array<ArrayBuffer>>;
}

type Format = TensorFile["format"];

type Reader = (source: ByteSource, decodeBlocks?: DecodeBlocks) => Promise<TensorFile>;

const readers: Readonly<Record<Format, Reader>> = {
  gguf: openGguf,
  safetensors: openSafetensors,
  npy: openNpy,
  csv: openCsv,
  pt: openPt,
};

const formatOfExtension: Readonly<Record<string, Format>> = {
  gguf: "gguf",
  safetensors: "safetensors",
  npy: "npy",
  csv: "csv",
  tsv: "csv",
  pt: "pt",
  pth: "pt",
};

/**
 * Opens a file of tensors; `decodeBlocks`, which is `dequantizeBlocks` of `quant`, reads the block
 * formats of GGUF. Throws InputError for a foreign, truncated or damaged file.
 */
export async function openTensorFile(
  source: ByteSource,
  decodeBlocks?: DecodeBlocks,
): Promise<TensorFile> {
  const start = await source.read(0, Math.min(source.size, 9));
  const extension = source.name.split(".").at(-1)!.toLowerCase();
  const format = formatOfStart(start) ?? formatOfExtension[extension];
  if (format === undefined) {
    throw new InputError(
      `${source.name} is no tensor file: GGUF, safetensors, NumPy .npy, PyTorch .pt or .pth, and .csv or .tsv are understood.`,
    );
  }
  return readers[format](source, decodeBlocks);
}

/**
 * The tensor called `name`, or the only one where `name` is undefined. Throws InputError with the
 * nearest names where there is none, or with some names where there are several.
 */
export function findTensor(
  file: Pick<TensorFile, "name" | "tensors">,
  name: string | undefined,
): TensorInfo {
  const names = file.tensors.map((tensor) => tensor.name);
  if (names.length === 0) throw new InputError(`${file.name} holds no tensors.`);
  if (name === undefined) {
    if (names.length === 1) return file.tensors[0]!;
    throw new InputError(
      `${file.name} holds ${names.length} tensors: name one, such as ${list(names)}.`,
    );
  }
  const found = file.tensors[names.indexOf(name)];
  if (found) return found;
  throw new InputError(
    `${file.name} holds no tensor ${quoted(name)}; the nearest names are ${list(nearestNames(name, names))}.`,
  );
}

function list(names: readonly string[]): string {
  return names.slice(0, 3).map(quoted).join(", ");
}

function formatOfStart(start: Uint8Array): Format | undefined {
  const text = String.fromCharCode(...start);
  if (text.startsWith("GGUF")) return "gguf";
  if (text.startsWith(npyMagic)) return "npy";
  if (text.startsWith("PK\x03\x04")) return "pt";
  // Eight bytes of length, below 2³² in every real file, then the header's opening brace.
  if (text.slice(4, 9) === "\0\0\0\0{") return "safetensors";
  return undefined;
}
