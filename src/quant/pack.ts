/**
 * Codes of 2 to 8 bits in bytes. One layout for all widths: a stream of bits, lowest bit first, so
 * two 4-bit codes share a byte with the first in the low nibble. GGUF's blocks interleave
 * differently and have code of their own.
 */
import { InputError } from "../core/errors.ts";

/** Bytes that `count` codes of `bits` bits take. */
export function packedBytes(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** Packs 4-bit codes into `packed [⌈codes.length / 2⌉]`, the first of a pair in the low nibble. */
export type PackNibbles = (codes: Int8Array | Uint8Array, packed: Uint8Array) => void;

/**
 * Packs codes, signed or not, by their lowest `bits` bits; those of 4 bits with `pack`. Unused bits
 * of the last byte are 0.
 */
export function packCodes(
  codes: Int8Array | Uint8Array,
  bits: number,
  pack: PackNibbles = packNibbles,
): Uint8Array {
  if (bits === 8) return new Uint8Array(codes);
  const packed = new Uint8Array(packedBytes(codes.length, bits));
  if (bits === 4) {
    pack(codes, packed);
    return packed;
  }
  const mask = 2 ** bits - 1;
  for (let i = 0, at = 0; i < codes.length; i++, at += bits) {
    const code = (codes[i]! & mask) << (at & 7);
    packed[at >> 3]! |= code;
    if (code > 0xff) packed[(at >> 3) + 1]! |= code >> 8;
  }
  return packed;
}

/** As `PackNibbles`, in plain TypeScript. */
export function packNibbles(codes: Int8Array | Uint8Array, packed: Uint8Array): void {
  const bytes = new Uint8Array(codes.buffer, codes.byteOffset, codes.length);
  const pairs = bytes.length >> 1;
  for (let i = 0; i < pairs; i++) {
    packed[i] = (bytes[2 * i]! & 0x0f) | (bytes[2 * i + 1]! << 4);
  }
  if (bytes.length % 2 === 1) packed[pairs] = bytes[bytes.length - 1]! & 0x0f;
}

/** The `count` codes of a packed stream, with their sign (two's complement) where `signed`. */
export function unpackCodes(
  packed: Uint8Array,
  count: number,
  bits: number,
  signed: boolean,
): Int8Array | Uint8Array {
  if (packed.length !== packedBytes(count, bits)) {
    throw new InputError(
      `${count} codes of ${bits} bits take ${packedBytes(count, bits)} bytes, not ${packed.length}.`,
    );
  }
  const codes = signed ? new Int8Array(count) : new Uint8Array(count);
  const mask = 2 ** bits - 1;
  const signBit = signed ? 2 ** (bits - 1) : 0;
  for (let i = 0, at = 0; i < count; i++, at += bits) {
    const pair = packed[at >> 3]! | ((packed[(at >> 3) + 1] ?? 0) << 8);
    const code = (pair >> (at & 7)) & mask;
    // Flipping the sign bit and subtracting it again extends the sign.
    codes[i] = (code ^ signBit) - signBit;
  }
  return codes;
}
