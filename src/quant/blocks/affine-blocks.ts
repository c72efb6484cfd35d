/**
 * Q2_K, Q4_K and Q5_K: 256 values in sub-blocks, each x ≈ (d·s)·q − (dmin·m), with small integers s
 * and m for the sub-block and two float16 for the block.
 */
import {
  clamp,
  readF16,
  writeF16,
  type BlockCodec,
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
import { readScales6, writeScales6 } from "./packed-scales.ts";
import {
  importanceWeights,
  nearest,
  searchPositiveScale,
  searchScaleAndMin,
  sumOf,
  sumOfSquares,
  weightedSearch,
  type AffineSearch,
} from "./scale-search.ts";

const blockElements = 256;
const f = Math.fround;

/** What differs between the three formats. */
interface AffineFormat {
  readonly subBlockElements: 16 | 32;
  /** Largest value of s and m. */
  readonly maxScale: 15 | 63;
  /** d, followed by dmin. */
  readonly scaleAt: number;
  readonly search: AffineSearch;
  /** Σx²/n is multiplied by this before it joins the importance weights. */
  readonly meanSquareFactor: 1 | 2;
  /** Weights of the errors in a sub-block where no importance is given. */
  weightsOf(x: Float32Array): Float32Array;
  readScales(block: Uint8Array, s: Uint8Array, m: Uint8Array): void;
  writeScales(block: Uint8Array, s: Uint8Array, m: Uint8Array): void;
  readCodes(block: Uint8Array, codes: Uint8Array): void;
  writeCodes(block: Uint8Array, codes: Uint8Array): void;
  readonly codeBytes: readonly [from: number, to: number];
}

const q2_K: AffineFormat = {
  subBlockElements: 16,
  maxScale: 15,
  scaleAt: 80,
  search: { maxCode: 3, firstStep: -0.5, step: 0.1, numSteps: 15, absoluteError: true },
  meanSquareFactor: 1,
  weightsOf: (x) => x.map(Math.abs),
  readScales: (block, s, m) => {
    for (let j = 0; j < s.length; j++) {
      s[j] = block[j]! & 15;
      m[j] = block[j]! >> 4;
    }
  },
  writeScales: (block, s, m) => {
    for (let j = 0; j < s.length; j++) block[j] = s[j]! | (m[j]! << 4);
  },
  readCodes: (block, codes) => {
    readPairs(block, 16, codes);
  },
  writeCodes: (block, codes) => {
    writePairs(block, 16, codes);
  },
  codeBytes: [16, 80],
};

const q4_K: AffineFormat = {
  subBlockElements: 32,
  maxScale: 63,
  scaleAt: 0,
  search: { maxCode: 15, firstStep: -1, step: 0.1, numSteps: 20, absoluteError: false },
  meanSquareFactor: 2,
  weightsOf: rmsPlusMagnitude,
  readScales: readScales6,
  writeScales: writeScales6,
  readCodes: (block, codes) => {
    readNibbles(block, 16, codes, 32);
  },
  writeCodes: (block, codes) => {
    writeNibbles(block, 16, codes, 32);
  },
  codeBytes: [16, 144],
};

const q5_K: AffineFormat = {
  ...q4_K,
  search: { maxCode: 31, firstStep: -0.5, step: 0.1, numSteps: 15, absoluteError: false },
  readCodes: (block, codes) => {
    readNibbles(block, 48, codes, 32);
    readHighBit(block, 16, codes, 4);
  },
  writeCodes: (block, codes) => {
    writeNibbles(block, 48, codes, 32);
    writeHighBit(block, 16, codes, 4);
  },
  codeBytes: [16, 176],
};

/** Codecs of the K types with a minimum for each sub-block. */
export const affineCodecs: BlockCodecs<"Q2_K" | "Q4_K" | "Q5_K"> = {
  Q2_K: affineCodec(q2_K),
  Q4_K: affineCodec(q4_K),
  Q5_K: affineCodec(q5_K),
};

function affineCodec(format: AffineFormat): BlockCodec {
  const { subBlockElements: size, scaleAt } = format;
  const numSubBlocks = blockElements / size;
  return {
    wideFields: [
      [scaleAt, 2],
      [scaleAt + 2, 2],
    ],
    grid: gridOf(format),
    decode: (block, y) => {
      const [s, m] = [new Uint8Array(numSubBlocks), new Uint8Array(numSubBlocks)];
      const codes = new Uint8Array(blockElements);
      format.readScales(block, s, m);
      format.readCodes(block, codes);
      const [d, dmin] = [readF16(block, scaleAt), readF16(block, scaleAt + 2)];
      for (let j = 0; j < numSubBlocks; j++) {
        const [scale, offset] = [d * s[j]!, dmin * m[j]!];
        for (let i = j * size; i < (j + 1) * size; i++) y[i] = scale * codes[i]! - offset;
      }
    },
    encode: (x, block, importance) => {
      const [s, m] = [new Uint8Array(numSubBlocks), new Uint8Array(numSubBlocks)];
      const codes = new Uint8Array(blockElements);
      const found = importance
        ? scaleWithImportance(format, x, importance.perColumn, codes, s, m)
        : scaleByPeak(format, x, codes, s, m);
      const d = writeF16(block, scaleAt, found.d);
      const dmin = writeF16(block, scaleAt + 2, found.dmin);
      format.writeScales(block, s, m);
      for (let j = 0; j < numSubBlocks; j++) {
        const scale = f(d * s[j]!);
        // Without a scale the codes of the search stay: the reference stores them as well.
        if (scale === 0) continue;
        const offset = f(dmin * m[j]!);
        for (let i = j * size; i < (j + 1) * size; i++) {
          codes[i] = clamp(nearest(f(f(x[i]! + offset) / scale)), 0, format.search.maxCode);
        }
      }
      format.writeCodes(block, codes);
    },
  };
}

function gridOf(format: AffineFormat): BlockGrid {
  const { subBlockElements: elements, scaleAt } = format;
  const numSubBlocks = blockElements / elements;
  return {
    elements,
    maxCode: format.search.maxCode,
    codeBytes: format.codeBytes,
    readScales: (block, scales, offsets) => {
      const [s, m] = [new Uint8Array(numSubBlocks), new Uint8Array(numSubBlocks)];
      format.readScales(block, s, m);
      const [d, dmin] = [readF16(block, scaleAt), readF16(block, scaleAt + 2)];
      for (let j = 0; j < s.length; j++) {
        scales[j] = d * s[j]!;
        offsets[j] = dmin * m[j]!;
      }
    },
    writeCodes: (block, codes) => {
      format.writeCodes(block, codes);
    },
  };
}

/** The largest scale and the largest minimum take the highest small integer. */
function scaleByPeak(
  format: AffineFormat,
  x: Float32Array,
  codes: Uint8Array,
  s: Uint8Array,
  m: Uint8Array,
): { d: number; dmin: number } {
  const [scales, offsets] = [new Float32Array(s.length), new Float32Array(s.length)];
  forEachSubBlock(format, x, codes, (part, partCodes, j) => {
    const found = searchScaleAndMin(part, format.weightsOf(part), format.search, partCodes);
    scales[j] = found.scale;
    offsets[j] = found.offset;
  });
  const store = (values: Float32Array, small: Uint8Array): number => {
    const max = values.reduce((most, value) => (value > most ? value : most), 0);
    const inverted = max > 0 ? f(format.maxScale / max) : 0;
    values.forEach((value, j) => {
      small[j] = clamp(nearest(f(inverted * value)), 0, format.maxScale);
    });
    return f(max / format.maxScale);
  };
  return { d: store(scales, s), dmin: store(offsets, m) };
}

/** Scales and minima are themselves put on their grids by a search, weighted by sub-block. */
function scaleWithImportance(
  format: AffineFormat,
  x: Float32Array,
  importance: Float32Array,
  codes: Uint8Array,
  s: Uint8Array,
  m: Uint8Array,
): { d: number; dmin: number } {
  const { subBlockElements: size, maxScale, meanSquareFactor } = format;
  const meanSquare = f(f(meanSquareFactor * sumOfSquares(x)) / blockElements);
  const [scales, offsets] = [new Float32Array(s.length), new Float32Array(s.length)];
  const subWeights = new Float32Array(s.length);
  const search = { ...weightedSearch, maxCode: format.search.maxCode };
  forEachSubBlock(format, x, codes, (part, partCodes, j) => {
    const columns = importance.subarray(j * size, (j + 1) * size);
    const weights = importanceWeights(part, columns, meanSquare);
    subWeights[j] = sumOf(weights);
    const found = searchScaleAndMin(part, weights, search, partCodes);
    scales[j] = found.scale;
    offsets[j] = found.offset;
  });
  return {
    d: searchPositiveScale(scales, subWeights, maxScale, s),
    dmin: searchPositiveScale(offsets, subWeights, maxScale, m),
  };
}

function forEachSubBlock(
  { subBlockElements: size }: AffineFormat,
  x: Float32Array,
  codes: Uint8Array,
  visit: (part: Float32Array, partCodes: Uint8Array, j: number) => void,
): void {
  for (let j = 0; j * size < blockElements; j++) {
    visit(x.subarray(j * size, (j + 1) * size), codes.subarray(j * size, (j + 1) * size), j);
  }
}

/** √(Σx²/n) + |x|, in float32. */
function rmsPlusMagnitude(x: Float32Array): Float32Array {
  const rms = f(Math.sqrt(f(sumOfSquares(x) / x.length)));
  return x.map((value) => rms + Math.abs(value));
}
