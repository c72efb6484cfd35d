/**
 * Project 3: read and write model files. Write each function below, here or in the notebook's
 * `%%exercise` cells (a cell saves itself into its region), then run `npx infinity grade 03`.
 * Exercises may import types, nothing else.
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
  throw new Error("not written yet");
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
  throw new Error("not written yet");
}
// #endregion

// #region alignUp
/** The first multiple of `alignment` that is not below `offset`. */
export function alignUp(offset: bigint, alignment: bigint): bigint {
  throw new Error("not written yet");
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
  throw new Error("not written yet");
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
  throw new Error("not written yet");
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
  throw new Error("not written yet");
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
  throw new Error("not written yet");
}
// #endregion
