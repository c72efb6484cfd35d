/**
 * How weights lie in GPU buffers: the fields of a format's blocks apart, each a plane of its own, so that
 * neighbouring invocations read neighbouring words. Fields keep their bytes, but for the packed scales of
 * Q4_K and Q5_K, which are a byte each. The shaders in `shaders/formats` read them.
 */
import { dtypeLayouts, isPlain, type Dtype } from "../../core/dtypes.ts";
import { readScales6 } from "../../quant/blocks/packed-scales.ts";
import type { ShaderName } from "./shader-sources.ts";

/** Rows are whole multiples of so many columns; activations as well. */
export const columnStep = 32;

/** Planes begin where a vector of four words does. */
const planeAlignment = 16;

/** A field of a block: `numBytes` from byte `at` on; with `unpack`, what that writes instead. */
interface Field {
  readonly at: number;
  readonly numBytes: number;
  readonly unpack?: (block: Uint8Array, out: Uint8Array) => void;
}

export interface WeightFormat {
  /** The shader that decodes it; float32 needs none. */
  readonly shader?: ShaderName;
  /** Columns of a block; formats without blocks have blocks here too, and rows are filled up. */
  readonly blockColumns: number;
  readonly fields: readonly Field[];
}

const smallScales: Field = { at: 4, numBytes: 16, unpack: unpackScales6 };

/** The formats that are computed with as they are. */
export const weightFormats: Readonly<Partial<Record<Dtype, WeightFormat>>> = {
  F32: { blockColumns: 32, fields: [field(0, 128)] },
  F16: { shader: "formats/f16", blockColumns: 32, fields: [field(0, 64)] },
  BF16: { shader: "formats/bf16", blockColumns: 32, fields: [field(0, 64)] },
  Q8_0: { shader: "formats/q8_0", blockColumns: 32, fields: [field(0, 2), field(2, 32)] },
  Q4_0: { shader: "formats/q4_0", blockColumns: 32, fields: [field(0, 2), field(2, 16)] },
  Q4_1: { shader: "formats/q4_1", blockColumns: 32, fields: [field(0, 4), field(4, 16)] },
  Q5_0: {
    shader: "formats/q5_0",
    blockColumns: 32,
    fields: [field(0, 2), field(2, 4), field(6, 16)],
  },
  Q4_K: {
    shader: "formats/q4_k",
    blockColumns: 256,
    fields: [field(0, 4), smallScales, field(16, 128)],
  },
  Q5_K: {
    shader: "formats/q5_k",
    blockColumns: 256,
    fields: [field(0, 4), smallScales, field(48, 128), field(16, 32)],
  },
  Q6_K: {
    shader: "formats/q6_k",
    blockColumns: 256,
    fields: [field(208, 2), field(192, 16), field(0, 128), field(128, 64)],
  },
  TQ2_0: { shader: "formats/tq2_0", blockColumns: 256, fields: [field(64, 2), field(0, 64)] },
};

/** Where the planes of so many rows lie. */
export interface PlaneLayout {
  /** Where each plane begins, in words: four, as the shaders have it. */
  readonly planes: readonly number[];
  readonly numBytes: number;
}

/** The layout of `numRows` rows of `numCols` columns. */
export function planeLayout(format: WeightFormat, numRows: number, numCols: number): PlaneLayout {
  const numBlocks = numRows * Math.ceil(numCols / format.blockColumns);
  const planes = [0, 0, 0, 0];
  let numBytes = 0;
  format.fields.forEach((plane, i) => {
    planes[i] = numBytes / 4;
    numBytes += Math.ceil((numBlocks * plane.numBytes) / planeAlignment) * planeAlignment;
  });
  return { planes, numBytes };
}

/**
 * Writes rows that are stored in `dtype`, `bytes`, as planes to `out`, which is as long as the layout of
 * these rows and zero.
 */
export function writePlanes(
  dtype: Dtype,
  format: WeightFormat,
  numCols: number,
  bytes: Uint8Array<ArrayBuffer>,
  out: ArrayBuffer,
): void {
  if (isPlain(dtype)) writePlainRows(dtypeLayouts[dtype].blockBytes * numCols, bytes, format, out);
  else writeFields(dtypeLayouts[dtype].blockBytes, numCols, bytes, format, out);
}

function writePlainRows(
  rowBytes: number,
  bytes: Uint8Array,
  { fields: [values] }: WeightFormat,
  out: ArrayBuffer,
): void {
  const step = values!.numBytes;
  const filledBytes = Math.ceil(rowBytes / step) * step;
  const target = new Uint8Array(out);
  if (filledBytes === rowBytes) {
    target.set(bytes);
    return;
  }
  for (let at = 0, to = 0; at < bytes.length; at += rowBytes, to += filledBytes) {
    target.set(bytes.subarray(at, at + rowBytes), to);
  }
}

function writeFields(
  blockBytes: number,
  numCols: number,
  bytes: Uint8Array<ArrayBuffer>,
  format: WeightFormat,
  out: ArrayBuffer,
): void {
  const numRows = bytes.length / blockBytes / (numCols / format.blockColumns);
  const { planes } = planeLayout(format, numRows, numCols);
  const numBlocks = bytes.length / blockBytes;
  format.fields.forEach(({ at, numBytes, unpack }, i) => {
    const begin = planes[i]! * 4;
    if (unpack) {
      const plane = new Uint8Array(out, begin, numBlocks * numBytes);
      for (let b = 0; b < numBlocks; b++) {
        unpack(
          bytes.subarray(b * blockBytes, (b + 1) * blockBytes),
          plane.subarray(b * numBytes, (b + 1) * numBytes),
        );
      }
      return;
    }
    copyField(bytes, blockBytes, at, new Uint16Array(out, begin, (numBlocks * numBytes) / 2));
  });
}

/** Two bytes at a time: every field and every block has an even length. */
function copyField(
  bytes: Uint8Array<ArrayBuffer>,
  blockBytes: number,
  at: number,
  plane: Uint16Array,
): void {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  const source = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
  const [blockPairs, first] = [blockBytes / 2, at / 2];
  const fieldPairs = (plane.length / source.length) * blockPairs;
  for (let from = first, to = 0; to < plane.length; from += blockPairs) {
    for (let i = 0; i < fieldPairs; i++) plane[to++] = source[from + i]!;
  }
}

/** For two sub-blocks at a time: their two scales, their two minima. */
function unpackScales6(block: Uint8Array, out: Uint8Array): void {
  const [scales, minima] = [new Uint8Array(8), new Uint8Array(8)];
  readScales6(block, scales, minima);
  for (let j = 0; j < 8; j += 2) {
    out.set([scales[j]!, scales[j + 1]!, minima[j]!, minima[j + 1]!], 2 * j);
  }
}

function field(at: number, numBytes: number): Field {
  return { at, numBytes };
}
