/** The platform's decoder is the oracle. */
import { expect } from "chai";
import { randomInt, seededRng } from "../core/rng.ts";
import { isUtf8, textOfUtf8 } from "./utf8.ts";

const platform = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** First and last bytes of every row of the Unicode Standard's table 3-7, and their neighbours. */
const edges = [
  ...[0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1],
  ...[0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff],
];

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return platform.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Between other bytes, so that neither looks past its ends. */
function ours(bytes: Uint8Array): string | undefined {
  const within = Uint8Array.of(0xc3, ...bytes, 0xa4);
  const end = 1 + bytes.length;
  return isUtf8(new DataView(within.buffer), 1, end) ? textOfUtf8(within, 1, end) : undefined;
}

describe("utf8", () => {
  it("agrees with the platform on every one and two bytes, and on the edges of three and four", () => {
    let numValid = 0;
    const compare = (...bytes: number[]): void => {
      const expected = decoded(Uint8Array.from(bytes));
      if (expected !== undefined) numValid++;
      if (ours(Uint8Array.from(bytes)) !== expected) expect.fail(`differs on ${bytes.join(" ")}`);
    };
    for (let first = 0; first < 256; first++) {
      compare(first);
      for (let second = 0; second < 256; second++) compare(first, second);
    }
    for (const first of edges) {
      for (const second of edges) {
        for (const third of edges) {
          compare(first, second, third);
          for (const fourth of edges) compare(first, second, third, fourth);
        }
      }
    }
    expect(numValid).to.be.greaterThan(2 ** 14);
  });

  it("agrees with the platform on texts of any length and language, whole and damaged", () => {
    const rng = seededRng(8);
    const letters = ["a", "Ġ", "ß", "\ufeff", "世", "\uffff", "😀", "\u{10ffff}", "\0"];
    for (let i = 0; i < 5000; i++) {
      const text = Array.from({ length: randomInt(rng, 16) }, () => letters[randomInt(rng, 9)]!);
      const bytes = new TextEncoder().encode(text.join(""));
      expect(ours(bytes)).to.equal(text.join(""));
      if (bytes.length === 0) continue;
      bytes[randomInt(rng, bytes.length)] = randomInt(rng, 256);
      expect(ours(bytes)).to.equal(decoded(bytes));
    }
  });
});
