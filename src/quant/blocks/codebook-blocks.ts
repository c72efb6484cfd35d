/**
 * The codebook formats of ggml, which are only read: 256 values in groups of 8 or 4, each group a
 * pattern of the codebook, with signs of its own (IQ2, IQ3) or shifted by an eighth (IQ1).
 */
import { f16ToF32 } from "../../core/half.ts";
import { readF16, readU16, readU32, type BlockCodecs } from "./block.ts";
import {
  iq1Patterns,
  iq2_SPatterns,
  iq2_XSPatterns,
  iq2_XXSPatterns,
  iq3_SPatterns,
  iq3_XXSPatterns,
} from "./codebook-patterns.ts";

const blockElements = 256;
const iq2Values = [8, 25, 43] as const;
const iq1Book = codebook(iq1Patterns, [-1, 0, 1], 8);
const iq2_XXSBook = codebook(iq2_XXSPatterns, iq2Values, 8);
const iq2_XSBook = codebook(iq2_XSPatterns, iq2Values, 8);
const iq2_SBook = codebook(iq2_SPatterns, iq2Values, 8);
const iq3_XXSBook = codebook(iq3_XXSPatterns, [4, 12, 20, 28, 36, 44, 52, 62], 4);
const iq3_SBook = codebook(iq3_SPatterns, [1, 3, 5, 7, 9, 11, 13, 15], 4);
/** IQ1: every value of a group is moved by this much, up or down. */
const shift = 1 / 8;

/** Codecs of the formats with a codebook. */
export const codebookCodecs: BlockCodecs<
  "IQ2_XXS" | "IQ2_XS" | "IQ2_S" | "IQ3_XXS" | "IQ3_S" | "IQ1_S" | "IQ1_M"
> = {
  IQ2_XXS: { decode: decodeIQ2_XXS },
  IQ2_XS: { decode: decodeIQ2_XS },
  IQ2_S: { decode: decodeIQ2_S },
  IQ3_XXS: { decode: decodeIQ3_XXS },
  IQ3_S: { decode: decodeIQ3_S },
  IQ1_S: { decode: decodeIQ1_S },
  IQ1_M: { decode: decodeIQ1_M },
};

/** For each 32 values, four pattern numbers of 8 bits, four times 7 bits of signs, 4 bits of scale. */
function decodeIQ2_XXS(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, 0);
  for (let k = 0; k < blockElements / 8; k++) {
    const at = 2 + 8 * (k >> 2);
    const packed = readU32(block, at + 4);
    const scale = d * (0.5 + (packed >>> 28)) * 0.25;
    const signs = evenSigns((packed >>> (7 * (k & 3))) & 127);
    writeGroup(y, 8 * k, iq2_XXSBook, 8 * block[at + (k & 3)]!, 8, scale, signs);
  }
}

/** For each 8 values, 9 bits of pattern number and 7 of signs; for each 16, 4 bits of scale. */
function decodeIQ2_XS(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, 0);
  for (let k = 0; k < blockElements / 8; k++) {
    const packed = readU16(block, 2 + 2 * k);
    const scale = d * (0.5 + nibble(block, 66, k >> 1)) * 0.25;
    writeGroup(y, 8 * k, iq2_XSBook, 8 * (packed & 511), 8, scale, evenSigns(packed >> 9));
  }
}

/** Pattern numbers of 8 + 2 bits, whole bytes of signs; for each 16 values, 4 bits of scale. */
function decodeIQ2_S(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, 0);
  for (let k = 0; k < blockElements / 8; k++) {
    const high = (block[66 + (k >> 2)]! >> (2 * (k & 3))) & 3;
    const pattern = block[2 + k]! | (high << 8);
    const scale = d * (0.5 + nibble(block, 74, k >> 1)) * 0.25;
    writeGroup(y, 8 * k, iq2_SBook, 8 * pattern, 8, scale, block[34 + k]!);
  }
}

/** As IQ2_XXS with patterns of 4 values: their 64 numbers first, then signs and scales. */
function decodeIQ3_XXS(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, 0);
  for (let k = 0; k < blockElements / 8; k++) {
    const packed = readU32(block, 66 + 4 * (k >> 2));
    const scale = d * (0.5 + (packed >>> 28)) * 0.5;
    const signs = evenSigns((packed >>> (7 * (k & 3))) & 127);
    for (let part = 0; part < 2; part++) {
      const pattern = block[2 + 2 * k + part]!;
      writeGroup(y, 8 * k + 4 * part, iq3_XXSBook, 4 * pattern, 4, scale, signs >> (4 * part));
    }
  }
}

/** Pattern numbers of 8 + 1 bits, whole bytes of signs; for each 32 values, 4 bits of scale. */
function decodeIQ3_S(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, 0);
  for (let k = 0; k < blockElements / 4; k++) {
    const high = (block[66 + (k >> 3)]! >> (k & 7)) & 1;
    const pattern = block[2 + k]! | (high << 8);
    const scale = d * (1 + 2 * nibble(block, 106, k >> 3));
    const signs = block[74 + (k >> 1)]! >> (4 * (k & 1));
    writeGroup(y, 4 * k, iq3_SBook, 4 * pattern, 4, scale, signs);
  }
}

/** For each 32 values a u16: four times 3 high bits of pattern number, 3 bits of scale, the shift. */
function decodeIQ1_S(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, 0);
  for (let k = 0; k < blockElements / 8; k++) {
    const packed = readU16(block, 34 + 2 * (k >> 2));
    const pattern = block[2 + k]! | (((packed >> (3 * (k & 3))) & 7) << 8);
    const scale = d * (2 * ((packed >> 12) & 7) + 1);
    writeShifted(y, 8 * k, 8 * pattern, scale, (packed & 0x8000) !== 0);
  }
}

/** Half a byte of high bits and shift for each 8 values; d's bits sit above the four u16 of scales. */
function decodeIQ1_M(block: Uint8Array, y: Float32Array): void {
  const scalesAt = 48;
  let bits = 0;
  for (let i = 0; i < 4; i++) bits |= (readU16(block, scalesAt + 2 * i) >> 12) << (4 * i);
  const d = f16ToF32(bits);
  for (let k = 0; k < blockElements / 8; k++) {
    const high = nibble(block, 32, k);
    const pattern = block[k]! | ((high & 7) << 8);
    const packed = readU16(block, scalesAt + 2 * (k >> 3));
    const scale = d * (2 * ((packed >> (3 * ((k >> 1) & 3))) & 7) + 1);
    writeShifted(y, 8 * k, 8 * pattern, scale, (high & 8) !== 0);
  }
}

function writeGroup(
  y: Float32Array,
  to: number,
  book: Int8Array,
  from: number,
  length: number,
  scale: number,
  signs: number,
): void {
  for (let i = 0; i < length; i++) {
    const value = scale * book[from + i]!;
    y[to + i] = (signs >> i) & 1 ? -value : value;
  }
}

function writeShifted(
  y: Float32Array,
  to: number,
  from: number,
  scale: number,
  down: boolean,
): void {
  const move = down ? -shift : shift;
  for (let i = 0; i < 8; i++) y[to + i] = scale * (iq1Book[from + i]! + move);
}

/** Half byte `index` of those from byte `at` on, low halves first. */
function nibble(block: Uint8Array, at: number, index: number): number {
  return (block[at + (index >> 1)]! >> (4 * (index & 1))) & 15;
}

/** Eight signs from seven: the eighth makes the number of minus signs even. */
function evenSigns(bits: number): number {
  let parity = bits ^ (bits >> 4);
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return bits | ((parity & 1) << 7);
}

/** The values of all patterns that a bitmap names, one pattern after the other. */
function codebook(bitmap: string, values: readonly number[], length: number): Int8Array {
  const book: number[] = [];
  for (let i = 0; i < values.length ** length; i++) {
    if (((parseInt(bitmap[i >> 2]!, 16) >> (i & 3)) & 1) === 0) continue;
    for (let k = 0, rest = i; k < length; k++, rest = Math.floor(rest / values.length)) {
      book.push(values[rest % values.length]!);
    }
  }
  return Int8Array.from(book);
}
