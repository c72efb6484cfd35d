/**
 * The first block formats: 32 values, one float16 scale, for the `_1` types also a minimum. Codes of
 * 4 bits lie two to a byte, value j low and value j + 16 high; a fifth bit lies apart.
 */
import { roundHalfAway, truncPlus } from "../../core/rounding.ts";
import {
  inverse,
  rangeOf,
  readF16,
  readI8,
  readU32,
  signedPeak,
  writeF16,
  type BlockCodec,
  type BlockCodecs,
  type BlockGrid,
  type WideField,
} from "./block.ts";
import {
  importanceWeights,
  searchScale,
  searchScaleAndMin,
  weightedSearch,
} from "./scale-search.ts";

const blockElements = 32;
const half = 16;

/** Where the codes lie, in bytes from the start of the block. */
interface CodeLayout {
  readonly maxCode: 15 | 31;
  readonly codesAt: number;
  /** The fifth bits, one u32; undefined for 4-bit codes. */
  readonly highBitsAt: number | undefined;
}

/** Codecs of the formats with one scale for 32 values. */
export const simpleCodecs: BlockCodecs<"Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0"> = {
  Q4_0: aroundZero({ maxCode: 15, codesAt: 2, highBitsAt: undefined }),
  Q4_1: fromMin({ maxCode: 15, codesAt: 4, highBitsAt: undefined }),
  Q5_0: aroundZero({ maxCode: 31, codesAt: 6, highBitsAt: 2 }),
  Q5_1: fromMin({ maxCode: 31, codesAt: 8, highBitsAt: 4 }),
  Q8_0: { decode: decodeQ8_0, encode: encodeQ8_0, grid: gridOfQ8_0(), wideFields: [[0, 2]] },
};

/**
 * y = d·(q − 8), or 16 with five bits. The value of largest magnitude becomes the lowest code, which
 * reaches one step further than the highest; so d has that value's sign, turned round.
 */
function aroundZero(layout: CodeLayout): BlockCodec {
  const middle = (layout.maxCode + 1) / 2;
  return {
    wideFields: wideFields(1, layout),
    grid: gridOf(layout, (block, d) => d * middle),
    decode: (block, y) => {
      const d = readF16(block, 0);
      readCodes(block, layout, y);
      for (let j = 0; j < blockElements; j++) y[j] = d * (y[j]! - middle);
    },
    encode: (x, block, importance) => {
      const codes = new Uint8Array(blockElements);
      if (importance) {
        const weights = importanceWeights(x, importance.perColumn, importance.rowMeanSquare);
        writeF16(block, 0, searchScale(x, weights, middle, codes));
      } else {
        const d = Math.fround(signedPeak(x) / -middle);
        const inverted = inverse(d);
        writeF16(block, 0, d);
        for (let j = 0; j < blockElements; j++) {
          const code = truncPlus(Math.fround(x[j]! * inverted), middle + 0.5);
          codes[j] = Math.min(layout.maxCode, code);
        }
      }
      writeCodes(block, layout, codes);
    },
  };
}

/** y = d·q + m, m the least value. */
function fromMin(layout: CodeLayout): BlockCodec {
  const { maxCode } = layout;
  return {
    wideFields: wideFields(2, layout),
    grid: gridOf(layout, (block) => -readF16(block, 2)),
    decode: (block, y) => {
      const d = readF16(block, 0);
      const m = readF16(block, 2);
      readCodes(block, layout, y);
      for (let j = 0; j < blockElements; j++) y[j] = d * y[j]! + m;
    },
    encode: (x, block, importance) => {
      const codes = new Uint8Array(blockElements);
      if (importance) {
        const weights = importanceWeights(x, importance.perColumn, importance.rowMeanSquare);
        const found = searchScaleAndMin(x, weights, { ...weightedSearch, maxCode }, codes);
        writeF16(block, 0, found.scale);
        writeF16(block, 2, -found.offset);
      } else {
        const { min, max } = rangeOf(x);
        const d = Math.fround(Math.fround(max - min) / maxCode);
        const inverted = inverse(d);
        writeF16(block, 0, d);
        writeF16(block, 2, min);
        for (let j = 0; j < blockElements; j++) {
          const steps = Math.fround(Math.fround(x[j]! - min) * inverted);
          codes[j] = Math.min(maxCode, truncPlus(steps, 0.5));
        }
      }
      writeCodes(block, layout, codes);
    },
  };
}

function decodeQ8_0(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, 0);
  for (let j = 0; j < blockElements; j++) y[j] = d * readI8(block, 2 + j);
}

/** d = max|x|/127; halves go away from zero. ggml gives importance no say here. */
function encodeQ8_0(x: Float32Array, block: Uint8Array): void {
  const d = Math.fround(Math.abs(signedPeak(x)) / 127);
  const inverted = inverse(d);
  writeF16(block, 0, d);
  for (let j = 0; j < blockElements; j++) {
    block[2 + j] = roundHalfAway(Math.fround(x[j]! * inverted));
  }
}

function gridOf(layout: CodeLayout, offsetOf: (block: Uint8Array, d: number) => number): BlockGrid {
  const codesEnd = layout.codesAt + half;
  return {
    elements: blockElements,
    maxCode: layout.maxCode,
    codeBytes: [layout.highBitsAt ?? layout.codesAt, codesEnd],
    readScales: (block, scales, offsets) => {
      const d = readF16(block, 0);
      scales[0] = d;
      offsets[0] = offsetOf(block, d);
    },
    writeCodes: (block, codes) => {
      writeCodes(block, layout, codes);
    },
  };
}

/** Code 0 stands for −127, which is as far as the scale's own rule goes. */
function gridOfQ8_0(): BlockGrid {
  return {
    elements: blockElements,
    maxCode: 254,
    codeBytes: [2, 34],
    readScales: (block, scales, offsets) => {
      const d = readF16(block, 0);
      scales[0] = d;
      offsets[0] = d * 127;
    },
    writeCodes: (block, codes) => {
      for (let j = 0; j < blockElements; j++) block[2 + j] = codes[j]! - 127;
    },
  };
}

function wideFields(numScales: 1 | 2, { highBitsAt }: CodeLayout): readonly WideField[] {
  const scales: readonly WideField[] = [
    [0, 2],
    [2, 2],
  ];
  const fields = scales.slice(0, numScales);
  return highBitsAt === undefined ? fields : [...fields, [highBitsAt, 4]];
}

function readCodes(block: Uint8Array, layout: CodeLayout, codes: Float32Array): void {
  const high = layout.highBitsAt === undefined ? 0 : readU32(block, layout.highBitsAt);
  for (let j = 0; j < half; j++) {
    const pair = block[layout.codesAt + j]!;
    codes[j] = (pair & 15) | (((high >>> j) & 1) << 4);
    codes[j + half] = (pair >> 4) | (((high >>> (j + half)) & 1) << 4);
  }
}

function writeCodes(block: Uint8Array, layout: CodeLayout, codes: Uint8Array): void {
  for (let j = 0; j < half; j++) {
    block[layout.codesAt + j] = (codes[j]! & 15) | ((codes[j + half]! & 15) << 4);
  }
  if (layout.highBitsAt === undefined) return;
  for (let j = 0; j < blockElements; j++) {
    block[layout.highBitsAt + (j >> 3)]! |= (codes[j]! >> 4) << (j & 7);
  }
}
