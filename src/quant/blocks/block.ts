/**
 * What the block formats of ggml share: what a codec for one block is, and its scales in float16.
 * Layouts are those of ggml-common.h, little-endian.
 */
import type { BlockDtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { f16ToF32, f32ToF16 } from "../../core/half.ts";

/** How much each value's error matters, as llama.cpp's importance matrix says it. */
export interface BlockImportance {
  /** Mean squared activation of each of the block's columns. */
  readonly perColumn: Float32Array;
  /** Σx²/n over the whole row of weights that the block lies in. */
  readonly rowMeanSquare: number;
}

/** Writes the values of one block into `y`, which has as many as the format's block. */
export type DecodeBlock = (block: Uint8Array, y: Float32Array) => void;

/** Quantises `x`, finite values, into `block`, whose bytes are zero. */
export type EncodeBlock = (
  x: Float32Array,
  block: Uint8Array,
  importance: BlockImportance | undefined,
) => void;

/** A field of several bytes in a block: where it starts and how long it is. */
export type WideField = readonly [at: number, numBytes: 2 | 4];

/**
 * The codes of a block apart from its scales: value i is scales[j] · code − offsets[j], j = ⌊i /
 * elements⌋, exactly, once rounded to float32.
 */
export interface BlockGrid {
  /** Neighbouring values that share a scale; divides the block. */
  readonly elements: 16 | 32;
  /** Codes are 0 … maxCode. */
  readonly maxCode: number;
  /** The bytes that hold codes and nothing else: from, up to before. */
  readonly codeBytes: readonly [from: number, to: number];
  /** The scales and offsets of one block, into arrays of as many as it has. */
  readScales(block: Uint8Array, scales: Float32Array, offsets: Float32Array): void;
  /** Stores the codes of one block, whose code bytes are zero. */
  writeCodes(block: Uint8Array, codes: Uint8Array): void;
}

/** One block format. */
export interface BlockCodec {
  readonly decode: DecodeBlock;
  /** Absent where this format is only read. */
  readonly encode?: EncodeBlock;
  /** Absent where codes cannot be chosen apart from scales, or nothing has needed it. */
  readonly grid?: BlockGrid;
  /** What big-endian files store the other way round; absent where such files are not read. */
  readonly wideFields?: readonly WideField[];
}

/** The codecs of a family of formats. */
export type BlockCodecs<D extends BlockDtype> = Readonly<Record<D, BlockCodec>>;

/** The little-endian u16 at `at`. */
export function readU16(block: Uint8Array, at: number): number {
  return block[at]! | (block[at + 1]! << 8);
}

/** The little-endian u32 at `at`. */
export function readU32(block: Uint8Array, at: number): number {
  return (readU16(block, at) | (readU16(block, at + 2) << 16)) >>> 0;
}

/** The signed byte at `at`. */
export function readI8(block: Uint8Array, at: number): number {
  return (block[at]! << 24) >> 24;
}

/** The float16 at `at`. */
export function readF16(block: Uint8Array, at: number): number {
  return f16ToF32(readU16(block, at));
}

/** Stores `scale` as float16 and returns what is stored. Throws InputError beyond float16's range. */
export function writeF16(block: Uint8Array, at: number, scale: number): number {
  const bits = f32ToF16(scale);
  if ((bits & 0x7c00) === 0x7c00) {
    throw new InputError(
      `A block's scale is ${scale} and float16 ends at 65504: these weights are too large for a block format.`,
    );
  }
  block[at] = bits;
  block[at + 1] = bits >> 8;
  return f16ToF32(bits);
}

/**
 * 1/`scale` in float32; 0 for a scale of 0, and for one so small that float32 has no inverse: it is
 * 0 in float16, and ggml's C leaves the codes undefined.
 */
export function inverse(scale: number): number {
  const inverted = Math.fround(1 / scale);
  return Number.isFinite(inverted) ? inverted : 0;
}

/** The value of largest magnitude, with its sign; the first of equals. */
export function signedPeak(x: Float32Array): number {
  let peak = 0;
  for (const value of x) if (Math.abs(value) > Math.abs(peak)) peak = value;
  return peak;
}

/** The least and the greatest value. */
export function rangeOf(x: Float32Array): { min: number; max: number } {
  let min = Infinity;
  let max = -Infinity;
  for (const value of x) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

/** `value` between `low` and `high`. */
export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
