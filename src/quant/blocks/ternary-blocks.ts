/**
 * TQ1_0 and TQ2_0: 256 values of −1, 0 or 1 and one float16, which is the largest magnitude: weights
 * that are not ternary yet have to be made so first (BitNet takes the mean magnitude).
 */
import { roundHalfAway } from "../../core/rounding.ts";
import { inverse, readF16, signedPeak, writeF16, type BlockCodecs } from "./block.ts";
import { readPairs, writePairs } from "./code-planes.ts";

const blockElements = 256;
const q1ScaleAt = 52;
const q2ScaleAt = 64;
/** TQ1_0's runs of bytes: where they start, how many values they begin with, and trits in a byte. */
const tritRuns = [
  { at: 0, first: 0, numBytes: 32, numTrits: 5 },
  { at: 32, first: 160, numBytes: 16, numTrits: 5 },
  { at: 48, first: 240, numBytes: 4, numTrits: 4 },
] as const;
const powersOf3 = [1, 3, 9, 27, 81] as const;

/** Codecs of the ternary formats. */
export const ternaryCodecs: BlockCodecs<"TQ1_0" | "TQ2_0"> = {
  TQ1_0: { decode: decodeTQ1_0, encode: encodeTQ1_0, wideFields: [[q1ScaleAt, 2]] },
  TQ2_0: { decode: decodeTQ2_0, encode: encodeTQ2_0, wideFields: [[q2ScaleAt, 2]] },
};

/** A byte is a fraction of 256: times 3, the whole part is the next trit. */
function decodeTQ1_0(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, q1ScaleAt);
  for (const { at, first, numBytes, numTrits } of tritRuns) {
    for (let n = 0; n < numTrits; n++) {
      for (let m = 0; m < numBytes; m++) {
        const fraction = (block[at + m]! * powersOf3[n]!) & 255;
        y[first + n * numBytes + m] = d * (((fraction * 3) >> 8) - 1);
      }
    }
  }
}

function encodeTQ1_0(x: Float32Array, block: Uint8Array): void {
  const trits = toTrits(x, block, q1ScaleAt);
  for (const { at, first, numBytes, numTrits } of tritRuns) {
    for (let m = 0; m < numBytes; m++) {
      let digits = 0;
      for (let n = 0; n < numTrits; n++) {
        digits += trits[first + n * numBytes + m]! * powersOf3[4 - n]!;
      }
      block[at + m] = Math.ceil((digits * 256) / 243);
    }
  }
}

/** Two bits each: values m, m + 32, m + 64 and m + 96 of each half share a byte. */
function decodeTQ2_0(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, q2ScaleAt);
  const codes = new Uint8Array(blockElements);
  readPairs(block, 0, codes);
  for (let i = 0; i < blockElements; i++) y[i] = d * (codes[i]! - 1);
}

function encodeTQ2_0(x: Float32Array, block: Uint8Array): void {
  writePairs(block, 0, toTrits(x, block, q2ScaleAt));
}

/** Writes the scale; 0, 1 or 2 for each value. */
function toTrits(x: Float32Array, block: Uint8Array, scaleAt: number): Uint8Array {
  const d = Math.abs(signedPeak(x));
  const inverted = inverse(d);
  writeF16(block, scaleAt, d);
  return Uint8Array.from(x, (value) => roundHalfAway(Math.fround(value * inverted)) + 1);
}
