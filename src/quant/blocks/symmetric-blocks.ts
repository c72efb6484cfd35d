/**
 * Q3_K and Q6_K: 256 values in sub-blocks of 16, each x ≈ (d·s)·(q − middle), with a small integer s
 * for the sub-block and one float16 for the block.
 */
import {
  clamp,
  readF16,
  readI8,
  signedPeak,
  writeF16,
  type BlockCodecs,
  type BlockGrid,
} from "./block.ts";
import {
  readHighBit,
  readNibbles,
  readPairs,
  writeHighBit,
  writeNibbles,
  writePairs,
} from "./code-planes.ts";
import { readScales3K, writeScales3K } from "./packed-scales.ts";
import {
  groupEpsilon,
  importanceWeights,
  nearest,
  refineScale,
  searchScale,
  sumOf,
  sumOfSquares,
} from "./scale-search.ts";

const blockElements = 256;
const size = 16;
const numSubBlocks = blockElements / size;
const f = Math.fround;

/** Q3_K: high bits, low bits, scales, d. A high bit of 0 stands for 4 less. */
const q3 = { middle: 4, scaleMiddle: 32, highAt: 0, lowAt: 32, scalesAt: 96, dAt: 108 } as const;
/** Q6_K: low bits, high bits, int8 scales, d. */
const q6 = { middle: 32, highAt: 128, lowAt: 0, scalesAt: 192, dAt: 208 } as const;

/** Codecs of the K types around zero. */
export const symmetricCodecs: BlockCodecs<"Q3_K" | "Q6_K"> = {
  Q3_K: { decode: decodeQ3_K, encode: encodeQ3_K, grid: gridOfQ3_K(), wideFields: [[q3.dAt, 2]] },
  Q6_K: { decode: decodeQ6_K, encode: encodeQ6_K, grid: gridOfQ6_K(), wideFields: [[q6.dAt, 2]] },
};

function decodeQ3_K(block: Uint8Array, y: Float32Array): void {
  const codes = new Uint8Array(blockElements);
  const s = new Uint8Array(numSubBlocks);
  readPairs(block, q3.lowAt, codes);
  readHighBit(block, q3.highAt, codes, 2);
  readScales3K(block, q3.scalesAt, s);
  const d = readF16(block, q3.dAt);
  for (let i = 0; i < blockElements; i++) {
    y[i] = d * (s[i >> 4]! - q3.scaleMiddle) * (codes[i]! - q3.middle);
  }
}

function decodeQ6_K(block: Uint8Array, y: Float32Array): void {
  const codes = new Uint8Array(blockElements);
  const high = new Uint8Array(blockElements);
  readNibbles(block, q6.lowAt, codes, 64);
  readPairs(block, q6.highAt, high);
  const d = readF16(block, q6.dAt);
  for (let i = 0; i < blockElements; i++) {
    const code = codes[i]! | (high[i]! << 4);
    y[i] = d * readI8(block, q6.scalesAt + (i >> 4)) * (code - q6.middle);
  }
}

function encodeQ3_K(
  x: Float32Array,
  block: Uint8Array,
  importance: { readonly perColumn: Float32Array } | undefined,
): void {
  const codes = new Uint8Array(blockElements);
  const s = new Uint8Array(numSubBlocks);
  const scale = importance
    ? scaleQ3WithImportance(x, importance.perColumn, codes, s)
    : scaleQ3ByPeak(x, codes, s);
  const d = writeF16(block, q3.dAt, scale);
  writeScales3K(block, q3.scalesAt, s);
  roundCodes(x, codes, q3.middle, (j) => f(d * (s[j]! - q3.scaleMiddle)));
  writeCodesQ3(block, codes);
}

function writeCodesQ3(block: Uint8Array, codes: Uint8Array): void {
  writePairs(block, q3.lowAt, codes);
  writeHighBit(block, q3.highAt, codes, 2);
}

function encodeQ6_K(
  x: Float32Array,
  block: Uint8Array,
  importance: { readonly perColumn: Float32Array } | undefined,
): void {
  const codes = new Uint8Array(blockElements);
  const scales = new Float32Array(numSubBlocks);
  const weights = importance?.perColumn ?? x.map((value) => value * value);
  for (let j = 0; j < numSubBlocks; j++) {
    const [start, end] = [j * size, (j + 1) * size];
    const part = codes.subarray(start, end);
    scales[j] = searchScale(x.subarray(start, end), weights.subarray(start, end), q6.middle, part);
  }
  const peak = signedPeak(scales);
  if (Math.abs(peak) < groupEpsilon) return;
  const inverted = f(-128 / peak);
  const d = writeF16(block, q6.dAt, f(1 / inverted));
  for (let j = 0; j < numSubBlocks; j++) {
    block[q6.scalesAt + j] = Math.min(127, nearest(f(inverted * scales[j]!)));
  }
  roundCodes(x, codes, q6.middle, (j) => f(d * readI8(block, q6.scalesAt + j)));
  writeCodesQ6(block, codes);
}

function writeCodesQ6(block: Uint8Array, codes: Uint8Array): void {
  writeNibbles(block, q6.lowAt, codes, 64);
  writePairs(
    block,
    q6.highAt,
    codes.map((code) => code >> 4),
  );
}

function gridOfQ3_K(): BlockGrid {
  return {
    elements: size,
    maxCode: 7,
    codeBytes: [0, q3.scalesAt],
    readScales: (block, scales, offsets) => {
      const s = new Uint8Array(numSubBlocks);
      readScales3K(block, q3.scalesAt, s);
      const d = readF16(block, q3.dAt);
      for (let j = 0; j < numSubBlocks; j++) {
        scales[j] = d * (s[j]! - q3.scaleMiddle);
        offsets[j] = scales[j]! * q3.middle;
      }
    },
    writeCodes: writeCodesQ3,
  };
}

function gridOfQ6_K(): BlockGrid {
  return {
    elements: size,
    maxCode: 63,
    codeBytes: [0, q6.scalesAt],
    readScales: (block, scales, offsets) => {
      const d = readF16(block, q6.dAt);
      for (let j = 0; j < numSubBlocks; j++) {
        scales[j] = d * readI8(block, q6.scalesAt + j);
        offsets[j] = scales[j]! * q6.middle;
      }
    },
    writeCodes: writeCodesQ6,
  };
}

/** The sub-block of largest scale takes the lowest small integer. */
function scaleQ3ByPeak(x: Float32Array, codes: Uint8Array, s: Uint8Array): number {
  const scales = Float32Array.from(s, (_, j) =>
    refineScale(
      x.subarray(j * size, (j + 1) * size),
      q3.middle,
      codes.subarray(j * size, (j + 1) * size),
    ),
  );
  const peak = signedPeak(scales);
  if (peak === 0) return 0;
  const inverted = f(-q3.scaleMiddle / peak);
  scales.forEach((scale, j) => {
    s[j] = clamp(nearest(f(inverted * scale)), -32, 31) + q3.scaleMiddle;
  });
  return f(1 / inverted);
}

function scaleQ3WithImportance(
  x: Float32Array,
  importance: Float32Array,
  codes: Uint8Array,
  s: Uint8Array,
): number {
  const meanSquare = f(f(2 * sumOfSquares(x)) / blockElements);
  const [scales, subWeights] = [new Float32Array(numSubBlocks), new Float32Array(numSubBlocks)];
  for (let j = 0; j < numSubBlocks; j++) {
    const [start, end] = [j * size, (j + 1) * size];
    const part = x.subarray(start, end);
    const weights = importanceWeights(part, importance.subarray(start, end), meanSquare);
    subWeights[j] = sumOf(weights);
    scales[j] = searchScale(part, weights, q3.middle, codes.subarray(start, end));
  }
  return searchScale(scales, subWeights, q3.scaleMiddle, s);
}

/** Rounds again to the scales as they are stored; where a scale is 0 the search's codes stay. */
function roundCodes(
  x: Float32Array,
  codes: Uint8Array,
  middle: number,
  scaleOf: (subBlock: number) => number,
): void {
  for (let j = 0; j < numSubBlocks; j++) {
    const scale = scaleOf(j);
    if (scale === 0) continue;
    for (let i = j * size; i < (j + 1) * size; i++) {
      codes[i] = clamp(nearest(f(x[i]! / scale)), -middle, middle - 1) + middle;
    }
  }
}
