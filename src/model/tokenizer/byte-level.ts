/**
 * The alphabet of byte-level BPE (GPT-2): each byte has one printable character, so that tokens of
 * any bytes can be written as text. Printable Latin-1 bytes stand for themselves; the other 68 take
 * the characters from U+0100 on, in order (a space is "Ġ").
 */

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);

/** The character of each byte. */
export const byteCharacters: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  String.fromCharCode(isPrintable(byte) ? byte : 0x100 + numUnprintableBefore(byte)),
);

const bytesByCharacter: ReadonlyMap<string, number> = new Map(
  byteCharacters.map((character, byte) => [character, byte]),
);

/** The bytes that a token's text stands for; undefined where it has characters of no byte. */
export function bytesOfCharacters(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const byte = bytesByCharacter.get(text[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

function numUnprintableBefore(byte: number): number {
  return Array.from({ length: byte }, (_, i) => i).filter((i) => !isPrintable(i)).length;
}
