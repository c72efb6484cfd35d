/**
 * Formats whose 4-bit codes point into a table of 16 values: ggml's non-linear IQ4_NL and IQ4_XS, and
 * the 4-bit floats MXFP4 (OCP microscaling formats 1.0) and NVFP4.
 */
import {
  readF16,
  readU16,
  signedPeak,
  writeF16,
  type BlockCodecs,
  type BlockImportance,
} from "./block.ts";
import { groupEpsilon, importanceWeights, sumOfSquares } from "./scale-search.ts";

/** ggml's kvalues_iq4nl: denser around 0, as weights are. */
const nonLinear = Int8Array.of(
  ...[-127, -104, -83, -65, -49, -35, -22, -10],
  ...[1, 13, 25, 38, 53, 69, 89, 113],
);
/** E2M1, times 2 so that all are whole. */
const doubledE2M1 = Int8Array.of(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
const f = Math.fround;
/** IQ4_NL: scales are tried that put the peak at −127 ± this many. */
const maxStep = 7;

/** Codecs of the formats with a table. */
export const tableCodecs: BlockCodecs<"IQ4_NL" | "IQ4_XS" | "MXFP4" | "NVFP4"> = {
  IQ4_NL: { decode: decodeIQ4_NL, encode: encodeIQ4_NL, wideFields: [[0, 2]] },
  IQ4_XS: {
    decode: decodeIQ4_XS,
    wideFields: [
      [0, 2],
      [2, 2],
    ],
  },
  MXFP4: { decode: decodeMXFP4, wideFields: [] },
  NVFP4: { decode: decodeNVFP4, wideFields: [] },
};

function decodeIQ4_NL(block: Uint8Array, y: Float32Array): void {
  lookUp(block, 2, nonLinear, readF16(block, 0), y);
}

/** Eight sub-blocks of 32 with scales of 6 bits: 4 low ones in bytes 4–7, 2 high ones in a u16. */
function decodeIQ4_XS(block: Uint8Array, y: Float32Array): void {
  const d = readF16(block, 0);
  const high = readU16(block, 2);
  for (let j = 0; j < 8; j++) {
    const low = (block[4 + (j >> 1)]! >> (4 * (j & 1))) & 15;
    const scale = (low | (((high >> (2 * j)) & 3) << 4)) - 32;
    lookUp(block, 8 + 16 * j, nonLinear, d * scale, y.subarray(32 * j, 32 * (j + 1)));
  }
}

/** The scale is a power of two, E8M0; half of it, because the table is doubled. */
function decodeMXFP4(block: Uint8Array, y: Float32Array): void {
  lookUp(block, 1, doubledE2M1, 2 ** (block[0]! - 128), y);
}

/** Four sub-blocks of 16, each with a scale in unsigned E4M3. */
function decodeNVFP4(block: Uint8Array, y: Float32Array): void {
  for (let j = 0; j < 4; j++) {
    const scale = unsignedE4M3(block[j]!) / 2;
    lookUp(block, 4 + 8 * j, doubledE2M1, scale, y.subarray(16 * j, 16 * (j + 1)));
  }
}

/** The value of largest magnitude goes near −127; d follows by weighted least squares. */
function encodeIQ4_NL(
  x: Float32Array,
  block: Uint8Array,
  importance: BlockImportance | undefined,
): void {
  const meanSquare = f(sumOfSquares(x) * f(2 / x.length));
  const weights = importance
    ? importanceWeights(x, importance.perColumn, meanSquare)
    : x.map((value) => value * value);
  const d = searchTableScale(x, weights);
  writeF16(block, 0, d);
  const inverted = d === 0 ? 0 : f(1 / d);
  const half = x.length / 2;
  for (let j = 0; j < half; j++) {
    const low = nearestCode(f(inverted * x[j]!));
    block[2 + j] = low | (nearestCode(f(inverted * x[j + half]!)) << 4);
  }
}

function searchTableScale(x: Float32Array, weights: Float32Array): number {
  const peak = signedPeak(x);
  if (Math.abs(peak) < groupEpsilon) return 0;
  const fit = (inverted: number): { xq: number; q2: number } => {
    let xq = 0;
    let q2 = 0;
    for (let i = 0; i < x.length; i++) {
      const q = nonLinear[nearestCode(f(inverted * x[i]!))]!;
      const wq = f(weights[i]! * q);
      xq = f(xq + f(wq * x[i]!));
      q2 = f(q2 + f(wq * q));
    }
    return { xq, q2 };
  };
  const first = fit(f(1 / f(-peak / nonLinear[0]!)));
  let d = first.q2 > 0 ? f(first.xq / first.q2) : 0;
  let best = f(d * first.xq);
  for (let step = -maxStep; step <= maxStep; step++) {
    const { xq, q2 } = fit(f((step + nonLinear[0]!) / peak));
    if (!(q2 > 0 && f(xq * xq) > f(best * q2))) continue;
    d = f(xq / q2);
    best = f(d * xq);
  }
  return d;
}

/** The code whose value is nearest to `x`; the higher of two that are equally near. */
function nearestCode(x: number): number {
  let low = 0;
  let high = nonLinear.length - 1;
  if (x <= nonLinear[low]!) return low;
  if (x >= nonLinear[high]!) return high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x < nonLinear[middle]!) high = middle;
    else low = middle;
  }
  return f(x - nonLinear[low]!) < f(nonLinear[high]! - x) ? low : high;
}

/** y = scale · table[code]: the low nibbles are the first half of `y`, the high ones the second. */
function lookUp(
  block: Uint8Array,
  at: number,
  table: Int8Array,
  scale: number,
  y: Float32Array,
): void {
  const half = y.length / 2;
  for (let j = 0; j < half; j++) {
    y[j] = scale * table[block[at + j]! & 15]!;
    y[j + half] = scale * table[block[at + j]! >> 4]!;
  }
}

/** Four exponent bits (bias 7), three of mantissa; 0x7f, and by ggml's rule only that, is no number. */
function unsignedE4M3(bits: number): number {
  if (bits === 0x7f) return 0;
  const exponent = (bits >> 3) & 15;
  const mantissa = bits & 7;
  return exponent === 0 ? mantissa / 512 : (1 + mantissa / 8) * 2 ** (exponent - 7);
}
