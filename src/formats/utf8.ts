/**
 * UTF-8 where there is a lot of short text, as in a vocabulary: calling the platform's decoder costs
 * more than a token does, and a check alone, no string.
 */

/** Longer texts are the platform's decoder's. */
const maxShortBytes = 24;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Whether the bytes from `start` to `end` are UTF-8, as the Unicode Standard's table 3-7 has it. */
export function isUtf8(bytes: DataView, start: number, end: number): boolean {
  let at = start;
  while (at <= end - 4) {
    // Four bytes with the first one highest, so that the word is negative where that is no ASCII.
    const word = bytes.getInt32(at);
    const marks = word & 0x80808080;
    if (marks === 0) at += 4;
    else if (marks > 0) at += Math.clz32(marks) >> 3;
    else if (isTwoByteLetter(word)) at += 2;
    else if (isThreeByteLetter(word)) at += 3;
    else if ((at = endOfLetter(bytes, at, end)) < 0) return false;
  }
  while (at < end) if ((at = endOfLetter(bytes, at, end)) < 0) return false;
  return true;
}

/** 110xxxxx 10xxxxxx and anything; below U+0080 the upper four x are 0. */
function isTwoByteLetter(word: number): boolean {
  return (word & 0xe0c00000) === (0xc0800000 | 0) && (word & 0x1e000000) !== 0;
}

/**
 * 1110xxxx 10xxxxxx 10xxxxxx and anything; the upper five x are 0 below U+0800, and 11011 in the
 * halves of surrogate pairs.
 */
function isThreeByteLetter(word: number): boolean {
  const upper = word & 0x0f200000;
  return (word & 0xf0c0c000) === (0xe0808000 | 0) && upper !== 0 && upper !== 0x0d200000;
}

/** Where the letter at `at` ends; -1 where there is none. */
function endOfLetter(bytes: DataView, at: number, end: number): number {
  const lead = bytes.getUint8(at);
  if (lead < 0x80) return at + 1;
  if (lead < 0xc2 || lead > 0xf4) return -1;
  const next = at + 1 + numTrailing(lead);
  if (next > end) return -1;
  // No letter twice: not longer than it takes, no half of a surrogate pair, none above U+10FFFF.
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  const second = bytes.getUint8(at + 1);
  if (second < lowest || second > highest) return -1;
  for (let i = at + 2; i < next; i++) if ((bytes.getUint8(i) & 0xc0) !== 0x80) return -1;
  return next;
}

/** The text of the bytes from `start` to `end`, which are UTF-8. */
export function textOfUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > maxShortBytes) return decoder.decode(bytes.subarray(start, end));
  let text = "";
  let at = start;
  while (at < end) {
    const lead = bytes[at++]!;
    if (lead < 0x80) {
      text += String.fromCharCode(lead);
      continue;
    }
    const next = at + numTrailing(lead);
    // A lead has one bit of its letter less for each byte that follows it.
    let letter = lead & (0x3f >> (next - at));
    while (at < next) letter = (letter << 6) | (bytes[at++]! & 0x3f);
    text += String.fromCodePoint(letter);
  }
  return text;
}

/** How many bytes follow a lead of at least 0x80. */
function numTrailing(lead: number): number {
  return lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
}
