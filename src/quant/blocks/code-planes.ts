/**
 * How 256 codes lie in the bytes of a block: low bits in planes of 2 or 4 bits, higher bits in planes
 * of their own. Reading sets `codes` with the low bits and then adds the high ones.
 */

const blockElements = 256;

/** Two bits each: byte l of each half's 32 holds values l, l + 32, l + 64 and l + 96 of that half. */
export function readPairs(block: Uint8Array, at: number, codes: Uint8Array): void {
  for (let i = 0; i < blockElements; i++) {
    codes[i] = (block[at + pairByte(i)]! >> pairShift(i)) & 3;
  }
}

/** The reverse of `readPairs`; takes the lowest two bits of each code. */
export function writePairs(block: Uint8Array, at: number, codes: Uint8Array): void {
  for (let i = 0; i < blockElements; i++) {
    block[at + pairByte(i)]! |= (codes[i]! & 3) << pairShift(i);
  }
}

/** Four bits each: a byte holds value l of one group of `group` values low, of the next group high. */
export function readNibbles(
  block: Uint8Array,
  at: number,
  codes: Uint8Array,
  group: 32 | 64,
): void {
  for (let i = 0; i < blockElements; i++) {
    codes[i] = (block[at + nibbleByte(i, group)]! >> nibbleShift(i, group)) & 15;
  }
}

/** The reverse of `readNibbles`; takes the lowest four bits of each code. */
export function writeNibbles(
  block: Uint8Array,
  at: number,
  codes: Uint8Array,
  group: 32 | 64,
): void {
  for (let i = 0; i < blockElements; i++) {
    block[at + nibbleByte(i, group)]! |= (codes[i]! & 15) << nibbleShift(i, group);
  }
}

/** Adds one bit, worth 2^`bit`: byte l of 32 holds it for l, l + 32, … l + 224, lowest first. */
export function readHighBit(block: Uint8Array, at: number, codes: Uint8Array, bit: number): void {
  for (let i = 0; i < blockElements; i++) {
    codes[i]! |= ((block[at + (i & 31)]! >> (i >> 5)) & 1) << bit;
  }
}

/** The reverse of `readHighBit`. */
export function writeHighBit(block: Uint8Array, at: number, codes: Uint8Array, bit: number): void {
  for (let i = 0; i < blockElements; i++) {
    block[at + (i & 31)]! |= ((codes[i]! >> bit) & 1) << (i >> 5);
  }
}

function pairByte(i: number): number {
  return ((i >> 7) << 5) | (i & 31);
}

function pairShift(i: number): number {
  return ((i >> 5) & 3) * 2;
}

function nibbleByte(i: number, group: number): number {
  return Math.floor(i / (2 * group)) * group + (i % group);
}

function nibbleShift(i: number, group: number): number {
  return (Math.floor(i / group) & 1) * 4;
}
