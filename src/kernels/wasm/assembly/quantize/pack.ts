/** Packing of 4-bit codes, in AssemblyScript; pointers and lengths as in `linear.ts`. */

/**
 * Two codes a byte, the first in the low nibble: `packed [⌈count / 2⌉]` from the low nibbles of
 * `codes [count]`. The high nibble of an odd last byte is 0.
 */
export function packNibbles(codes: usize, count: usize, packed: usize): void {
  const lowNibble = i16x8.splat(0x0f);
  const highNibble = i16x8.splat(0xf0);
  const aligned = codes + (count & ~31);
  const pairs = codes + (count & ~1);
  for (; codes < aligned; codes += 32, packed += 16) {
    const one = v128.load(codes);
    const other = v128.load(codes, 16);
    // A lane of 16 bits holds a pair: its first code in the low byte, its second in the high byte.
    const low = v128.or(v128.and(one, lowNibble), v128.and(i16x8.shr_u(one, 4), highNibble));
    const high = v128.or(v128.and(other, lowNibble), v128.and(i16x8.shr_u(other, 4), highNibble));
    v128.store(packed, i8x16.narrow_i16x8_u(low, high));
  }
  for (; codes < pairs; codes += 2, packed++) {
    store<u8>(packed, (load<u8>(codes) & 0x0f) | (load<u8>(codes, 1) << 4));
  }
  if (count & 1) store<u8>(packed, load<u8>(codes) & 0x0f);
}
