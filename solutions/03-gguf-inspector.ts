/**
 * Project 3, worked answers: reading and writing GGUF, in its simplest readable form. The engine's
 * version is `infinity-inference/formats/gguf`; it is tested against this one.
 */

// #region readString
/** A file's bytes, and the place in them from which is read next. */
interface Cursor {
  readonly bytes: Uint8Array;
  offset: number;
  readonly littleEndian: boolean;
}

/**
 * Reads a text: its length in bytes as u64, then so many bytes of UTF-8. The cursor ends up behind
 * it. Throws where the file has not that many bytes.
 */
export function readString(cursor: Cursor): string {
  const { bytes, offset, littleEndian } = cursor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(offset, littleEndian);
  const start = offset + 8;
  if (length > BigInt(bytes.length - start)) {
    throw new Error(`A text of ${length} bytes at ${start} does not fit into ${bytes.length}.`);
  }
  cursor.offset = start + Number(length);
  return new TextDecoder().decode(bytes.subarray(start, cursor.offset));
}
// #endregion

// #region readValue
/** A metadata value: numbers of 64 bits as bigint, an array as an array of such values. */
type GgufValue = number | bigint | boolean | string | unknown[];

/**
 * Reads a value of type `type`: 0 u8 · 1 i8 · 2 u16 · 3 i16 · 4 u32 · 5 i32 · 6 f32 · 7 bool (a byte,
 * 0 or 1) · 8 string · 9 array · 10 u64 · 11 i64 · 12 f64. An array is the type of its items as u32,
 * their number as u64, then the items. Throws for any other type, and for a bool of 2 or more.
 */
export function readValue(cursor: Cursor, type: number): GgufValue {
  const view = new DataView(cursor.bytes.buffer, cursor.bytes.byteOffset, cursor.bytes.byteLength);
  const take = (numBytes: number): number => {
    cursor.offset += numBytes;
    return cursor.offset - numBytes;
  };
  const little = cursor.littleEndian;
  switch (type) {
    case 0:
      return view.getUint8(take(1));
    case 1:
      return view.getInt8(take(1));
    case 2:
      return view.getUint16(take(2), little);
    case 3:
      return view.getInt16(take(2), little);
    case 4:
      return view.getUint32(take(4), little);
    case 5:
      return view.getInt32(take(4), little);
    case 6:
      return view.getFloat32(take(4), little);
    case 7: {
      const byte = view.getUint8(take(1));
      if (byte > 1) throw new Error(`A bool is 0 or 1, and this one is ${byte}.`);
      return byte === 1;
    }
    case 8:
      return readString(cursor);
    case 9: {
      const itemType = view.getUint32(take(4), little);
      const count = view.getBigUint64(take(8), little);
      const items: GgufValue[] = [];
      for (let i = 0n; i < count; i++) items.push(readValue(cursor, itemType));
      return items;
    }
    case 10:
      return view.getBigUint64(take(8), little);
    case 11:
      return view.getBigInt64(take(8), little);
    case 12:
      return view.getFloat64(take(8), little);
    default:
      throw new Error(`There is no value type ${type}.`);
  }
}
// #endregion

// #region alignUp
/** The first multiple of `alignment` that is not below `offset`. */
export function alignUp(offset: bigint, alignment: bigint): bigint {
  return ((offset + alignment - 1n) / alignment) * alignment;
}
// #endregion

// #region tensorBytes
/**
 * The bytes of a tensor whose dimensions are `ne`, in the file's order: `ne[0]` is the length of a
 * row. Values per block and bytes per block, by type: 0 F32: 1 in 4 · 1 F16: 1 in 2 · 2 Q4_0: 32 in
 * 18 · 8 Q8_0: 32 in 34 · 12 Q4_K: 256 in 144 · 14 Q6_K: 256 in 210. Throws for any other type, and
 * where a row is not made of whole blocks. No dimensions at all are one single value.
 */
export function tensorBytes(type: number, ne: bigint[]): bigint {
  const blocks: Record<number, [values: bigint, bytes: bigint]> = {
    0: [1n, 4n],
    1: [1n, 2n],
    2: [32n, 18n],
    8: [32n, 34n],
    12: [256n, 144n],
    14: [256n, 210n],
  };
  const block = blocks[type];
  if (!block) throw new Error(`There is no tensor type ${type}.`);
  const [values, bytes] = block;
  const row = ne[0] ?? 1n;
  if (row % values !== 0n) throw new Error(`A row of ${row} is not made of blocks of ${values}.`);
  const count = ne.reduce((product, dimension) => product * dimension, 1n);
  return (count / values) * bytes;
}
// #endregion

// #region readHeader
/** One tensor: where its bytes begin in the file, and what they are. */
interface TensorEntry {
  name: string;
  /** Dimensions in the file's order, the length of a row first. */
  ne: bigint[];
  type: number;
  /** From the start of the file. */
  offset: bigint;
}

interface Header {
  version: number;
  littleEndian: boolean;
  metadata: Map<string, GgufValue>;
  tensors: TensorEntry[];
}

/**
 * Reads all that stands before the weights: "GGUF" · u32 version, 2 or 3 · u64 number of tensors ·
 * u64 number of keys · for each key: string, u32 type, value · for each tensor: string name, u32
 * number of dimensions, u64 each dimension, u32 type, u64 offset. That offset counts from where the
 * data begins: the next multiple of `general.alignment` (32 where the key is missing) after all of
 * this. Throws where "GGUF" or the version is wrong in both byte orders.
 */
export function readHeader(bytes: Uint8Array): Header {
  const magic = new TextDecoder().decode(bytes.subarray(0, 4));
  if (magic !== "GGUF") throw new Error(`This is no GGUF file: it begins with ${magic}.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const littleEndian = view.getUint32(4, true) < 2 ** 16;
  const version = view.getUint32(4, littleEndian);
  if (version !== 2 && version !== 3) throw new Error(`Version ${version} is not 2 or 3.`);
  const cursor: Cursor = { bytes, offset: 8, littleEndian };
  const u32 = (): number => readValue(cursor, 4) as number;
  const u64 = (): bigint => readValue(cursor, 10) as bigint;
  const [numTensors, numKeys] = [u64(), u64()];
  const metadata = new Map<string, GgufValue>();
  for (let i = 0n; i < numKeys; i++) {
    const key = readString(cursor);
    metadata.set(key, readValue(cursor, u32()));
  }
  const tensors: TensorEntry[] = [];
  for (let i = 0n; i < numTensors; i++) {
    const name = readString(cursor);
    const ne = Array.from({ length: u32() }, u64);
    tensors.push({ name, ne, type: u32(), offset: u64() });
  }
  const alignment = BigInt((metadata.get("general.alignment") as number | undefined) ?? 32);
  const dataStart = alignUp(BigInt(cursor.offset), alignment);
  for (const tensor of tensors) tensor.offset += dataStart;
  return { version, littleEndian, metadata, tensors };
}
// #endregion

// #region dequantQ4K
/** The value of a finite 16-bit float, given as its bits. Given; write the function below it. */
export function halfToNumber(bits: number): number {
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}

/**
 * The values of Q4_K blocks: 256 from each 144 bytes, which are d and dmin (16-bit floats, little
 * endian), 12 bytes s with eight scales and eight minima of 6 bits, and 128 bytes of 4-bit codes.
 * Sub-block j holds 32 values d·scale·code − dmin·min. For j < 4 its scale is s[j] & 63 and its min
 * s[j + 4] & 63. For j ≥ 4 the scale is (s[j + 4] & 15) | (s[j − 4] >> 6) << 4, and the min is
 * (s[j + 4] >> 4) | (s[j] >> 6) << 4. Of the codes, bytes 32k … 32k + 31 hold sub-block 2k in their
 * low halves and sub-block 2k + 1 in their high halves.
 */
export function dequantQ4K(bytes: Uint8Array): Float32Array {
  const values = new Float32Array((bytes.length / 144) * 256);
  for (let block = 0; block * 144 < bytes.length; block++) {
    const at = block * 144;
    const d = halfToNumber(bytes[at]! | (bytes[at + 1]! << 8));
    const dmin = halfToNumber(bytes[at + 2]! | (bytes[at + 3]! << 8));
    const s = bytes.subarray(at + 4, at + 16);
    const codes = bytes.subarray(at + 16, at + 144);
    for (let j = 0; j < 8; j++) {
      const scale = j < 4 ? s[j]! & 63 : (s[j + 4]! & 15) | ((s[j - 4]! >> 6) << 4);
      const min = j < 4 ? s[j + 4]! & 63 : (s[j + 4]! >> 4) | ((s[j]! >> 6) << 4);
      for (let i = 0; i < 32; i++) {
        const byte = codes[32 * (j >> 1) + i]!;
        const code = j % 2 === 0 ? byte & 15 : byte >> 4;
        values[block * 256 + 32 * j + i] = d * scale * code - dmin * min;
      }
    }
  }
  return values;
}
// #endregion

// #region writeGguf
/** What to write: numbers in the metadata become u32, texts become strings. */
interface GgufModel {
  readonly metadata: ReadonlyMap<string, number | string>;
  readonly tensors: readonly {
    readonly name: string;
    readonly ne: readonly bigint[];
    readonly type: number;
    readonly data: Uint8Array;
  }[];
}

/**
 * A GGUF file, version 3, little endian. Tensors follow each other in the order given; the first
 * begins at a multiple of `general.alignment` (32 where the key is missing), and zeros fill up the
 * space behind each of them, the last one too, to the next multiple.
 */
export function writeGguf(model: GgufModel): Uint8Array {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const put = (piece: Uint8Array): void => {
    pieces.push(piece);
    length += piece.length;
  };
  const number = (value: bigint, numBytes: 4 | 8): void => {
    const piece = new Uint8Array(8);
    new DataView(piece.buffer).setBigUint64(0, value, true);
    put(piece.subarray(0, numBytes));
  };
  const text = (value: string): void => {
    const utf8 = new TextEncoder().encode(value);
    number(BigInt(utf8.length), 8);
    put(utf8);
  };
  const alignment = BigInt(model.metadata.get("general.alignment") ?? 32);
  const pad = (): void => {
    put(new Uint8Array(Number(alignUp(BigInt(length), alignment)) - length));
  };
  put(new TextEncoder().encode("GGUF"));
  number(3n, 4);
  number(BigInt(model.tensors.length), 8);
  number(BigInt(model.metadata.size), 8);
  for (const [key, value] of model.metadata) {
    text(key);
    number(typeof value === "string" ? 8n : 4n, 4);
    if (typeof value === "string") text(value);
    else number(BigInt(value), 4);
  }
  let offset = 0n;
  for (const { name, ne, type, data } of model.tensors) {
    text(name);
    number(BigInt(ne.length), 4);
    for (const dimension of ne) number(dimension, 8);
    number(BigInt(type), 4);
    number(offset, 8);
    offset = alignUp(offset + BigInt(data.length), alignment);
  }
  pad();
  for (const { data } of model.tensors) {
    put(data);
    pad();
  }
  const file = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}
// #endregion
