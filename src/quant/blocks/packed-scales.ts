/** The small integers of the K types: scales of 6 bits, spread over 12 bytes in two ways. */

/**
 * Q4_K and Q5_K: eight scales and eight minima after the two float16. The first four of each lie
 * whole in the low bits of bytes 0–3 and 4–7; of the last four, the low halves share bytes 8–11 and
 * the high two bits sit above the first four.
 */
export function readScales6(block: Uint8Array, s: Uint8Array, m: Uint8Array): void {
  for (let j = 0; j < 4; j++) {
    const [first, second, shared] = [block[4 + j]!, block[8 + j]!, block[12 + j]!];
    s[j] = first & 63;
    m[j] = second & 63;
    s[j + 4] = (shared & 15) | ((first >> 6) << 4);
    m[j + 4] = (shared >> 4) | ((second >> 6) << 4);
  }
}

/** The reverse of `readScales6`. */
export function writeScales6(block: Uint8Array, s: Uint8Array, m: Uint8Array): void {
  for (let j = 0; j < 4; j++) {
    block[4 + j] = s[j]! | ((s[j + 4]! >> 4) << 6);
    block[8 + j] = m[j]! | ((m[j + 4]! >> 4) << 6);
    block[12 + j] = (s[j + 4]! & 15) | ((m[j + 4]! & 15) << 4);
  }
}

/**
 * Q3_K: sixteen scales from byte `at` on. Low halves lie in bytes 0–7, the first eight low; the high
 * two bits of scales j, j + 4, j + 8 and j + 12 share byte 8 + j.
 */
export function readScales3K(block: Uint8Array, at: number, s: Uint8Array): void {
  for (let j = 0; j < 16; j++) {
    const low = (block[at + (j & 7)]! >> (4 * (j >> 3))) & 15;
    const high = (block[at + 8 + (j & 3)]! >> (2 * (j >> 2))) & 3;
    s[j] = low | (high << 4);
  }
}

/** The reverse of `readScales3K`. */
export function writeScales3K(block: Uint8Array, at: number, s: Uint8Array): void {
  for (let j = 0; j < 16; j++) {
    block[at + (j & 7)]! |= (s[j]! & 15) << (4 * (j >> 3));
    block[at + 8 + (j & 3)]! |= (s[j]! >> 4) << (2 * (j >> 2));
  }
}
