/**
 * NumPy's .npy, versions 1 to 3: one array of plain numbers in either order and byte order. Arrays of
 * objects are pickles and are refused; so are complex numbers, texts and records.
 */
import { bytesOfShape, dtypeLayouts, type PlainDtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { fileStem, quoted, type ByteSource } from "./byte-source.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { littleEndianBytes } from "./plain-values.ts";
import {
  bytesOfTensor,
  maxDimensions,
  readStored,
  storedTensor,
  type StoredTensor,
} from "./stored-tensors.ts";
import { fortranStrides, toCOrder } from "./strided.ts";
import type { TensorFile } from "./tensor-file.ts";

/** The first bytes of every .npy file, as Latin-1. */
export const npyMagic = "\x93NUMPY";

/** NumPy's own limit; the headers that it writes for plain numbers take about 100 bytes. */
const maxHeaderBytes = 10_000;
/** The data starts at a multiple of this, as NumPy writes it. */
const alignment = 64;

const dtypeOfDescr: Readonly<Record<string, PlainDtype>> = {
  f8: "F64",
  f4: "F32",
  f2: "F16",
  i8: "I64",
  i4: "I32",
  i2: "I16",
  i1: "I8",
  u8: "U64",
  u4: "U32",
  u2: "U16",
  u1: "U8",
  b1: "BOOL",
};

interface NpyHeader {
  readonly dtype: PlainDtype;
  readonly littleEndian: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/**
 * Opens a .npy file; its one tensor has the file's name without extension. Throws InputError for a
 * foreign, truncated or damaged file and for values that are no plain numbers.
 */
export async function openNpy(source: ByteSource): Promise<TensorFile> {
  const start = await source.read(0, Math.min(source.size, 12 + maxHeaderBytes));
  const cursor = new ByteCursor(source.name, start, source.size);
  const { dtype, littleEndian, fortranOrder, shape } = readHeader(source, cursor);
  const name = fileStem(source.name);
  const numBytes = bytesOfTensor(source, name, shape, dtype);
  const rest = source.size - cursor.offset;
  if (numBytes !== rest) {
    throw new InputError(
      `${source.name} is ${numBytes > rest ? "truncated" : "damaged"}: its array takes ${numBytes} bytes, and ${rest} follow the header.`,
    );
  }
  const tensor: StoredTensor = { name, shape, dtype, numBytes, offset: cursor.offset };
  const tensors = new Map([[name, tensor]]);
  return {
    format: "npy",
    name: source.name,
    tensors: [tensor],
    async readFloat32(wanted) {
      const stored = storedTensor(source, tensors, wanted);
      const values = await readStored(source, stored, littleEndian);
      return fortranOrder ? toCOrder(values, shape, fortranStrides(shape)) : values;
    },
  };
}

/** The bytes of a version 1 .npy file with `data` as float32 in C order. */
export function writeNpy(
  data: Float32Array<ArrayBuffer>,
  shape: readonly number[],
): Uint8Array<ArrayBuffer> {
  if (bytesOfShape(shape, "F32") !== data.byteLength) {
    throw new InputError(`${data.length} values do not fill the shape [${shape.join(", ")}].`);
  }
  const tuple = shape.length === 1 ? `(${shape[0]!},)` : `(${shape.join(", ")})`;
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const prefixBytes = npyMagic.length + 4;
  const start = Math.ceil((prefixBytes + dictionary.length + 1) / alignment) * alignment;
  const text = `${npyMagic}\x01\0\0\0${dictionary.padEnd(start - prefixBytes - 1)}\n`;
  const file = new Uint8Array(start + data.byteLength);
  file.set(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
  new DataView(file.buffer).setUint16(npyMagic.length + 2, start - prefixBytes, true);
  file.set(littleEndianBytes(data, dtypeLayouts.F32.blockBytes), start);
  return file;
}

function readHeader(source: ByteSource, cursor: ByteCursor): NpyHeader {
  const magic = String.fromCharCode(...cursor.bytes(npyMagic.length, "the magic"));
  if (magic !== npyMagic) cursor.fail("the magic", 'it is not "\\x93NUMPY"');
  const version = cursor.u8("the version");
  cursor.u8("the version");
  if (version < 1 || version > 3) cursor.fail("the version", `${version} is not 1, 2 or 3`);
  const length =
    version === 1 ? cursor.u16("the header's length") : cursor.u32("the header's length");
  if (length > maxHeaderBytes)
    cursor.fail("the header's length", `${length} is above ${maxHeaderBytes}`);
  return parseHeader(source, cursor.text(length, "the header"));
}

/** Reads the Python dictionary that NumPy writes, keys in any order, and nothing else of Python. */
function parseHeader(source: ByteSource, header: string): NpyHeader {
  const field = (key: string, value: RegExp): string => {
    const found = new RegExp(`['"]${key}['"]\\s*:\\s*(${value.source})\\s*[,}]`).exec(header);
    if (found) return found[1]!;
    throw new InputError(
      `${source.name} is no sound .npy file: its header has no readable '${key}'.`,
    );
  };
  const descr = field("descr", /'[^']{1,8}'|"[^"]{1,8}"|\[[^\]]*\]/).slice(1, -1);
  const dtype = dtypeOfDescr[descr.slice(1)];
  if (!/^[<>|=]/.test(descr) || !dtype) {
    throw new InputError(
      `${source.name} holds values of NumPy type ${quoted(descr)}: floats, integers and truth values are understood, up to 64 bits.`,
    );
  }
  const tuple = field("shape", /\(\s*(?:\d{1,16}\s*(?:,\s*\d{1,16}\s*)*,?\s*)?\)/);
  const shape = (tuple.match(/\d+/g) ?? []).map(Number);
  if (shape.length > maxDimensions) {
    throw new InputError(
      `${source.name} has ${shape.length} dimensions, more than ${maxDimensions}.`,
    );
  }
  const fortranOrder = field("fortran_order", /True|False/) === "True";
  return { dtype, littleEndian: !descr.startsWith(">"), fortranOrder, shape };
}
