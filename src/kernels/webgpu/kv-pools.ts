/**
 * Rows of keys and values on the GPU. A row lies as the weights of its format do (`weight-planes.ts`), for
 * itself: the scales of all its blocks, filled up to four words, and behind them their codes. So every
 * word is written by one invocation, which blocks of 34 or 18 bytes would not allow. Outside the GPU rows
 * are as every other implementation has them, block after block.
 */
import { dtypeLayouts, isPlain } from "../../core/dtypes.ts";
import { kvBytes, type KvDtype, type KvRows } from "../kv-rows.ts";
import { planeLayout, weightFormats, writePlanes } from "./weight-planes.ts";

/** Rows of a buffer: of keys or values, or activations, which are rows in float32. */
export interface GpuRows extends KvRows {
  readonly buffer: GPUBuffer;
  /** Words from one row to the next. */
  readonly stride: number;
  /** The buffer's row that is the first. */
  readonly begin: number;
}

/** Where the parts of a row are, in words. */
export interface KvRowLayout {
  readonly stride: number;
  /** Where codes begin, behind the scales. */
  readonly codes: number;
}

/** The layout of rows of `numCols` columns. */
export function kvRowLayout(dtype: KvDtype, numCols: number): KvRowLayout {
  const { planes, numBytes } = planeLayout(weightFormats[dtype]!, 1, numCols);
  return { stride: numBytes / 4, codes: planes[1]! };
}

/** Rows as the GPU has them, from those that were saved. */
export function toGpuRows(
  { dtype = "F32", numCols }: KvRows,
  saved: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer>[] {
  const rowBytes = kvBytes(dtype, 1, numCols);
  const { numBytes } = planeLayout(weightFormats[dtype]!, 1, numCols);
  return Array.from({ length: saved.length / rowBytes }, (_, i) => {
    const row = new ArrayBuffer(numBytes);
    const stored = saved.subarray(i * rowBytes, (i + 1) * rowBytes);
    writePlanes(dtype, weightFormats[dtype]!, numCols, stored, row);
    return new Uint8Array(row);
  });
}

/** Rows to save, from those that the GPU has. */
export function fromGpuRows(
  { dtype = "F32", numCols }: KvRows,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const rowBytes = kvBytes(dtype, 1, numCols);
  const { numBytes } = planeLayout(weightFormats[dtype]!, 1, numCols);
  const numRows = bytes.length / numBytes;
  const saved = new Uint8Array(numRows * rowBytes);
  for (let i = 0; i < numRows; i++) {
    const row = bytes.subarray(i * numBytes, (i + 1) * numBytes);
    readRow(dtype, numCols, row, saved.subarray(i * rowBytes, (i + 1) * rowBytes));
  }
  return saved;
}

function readRow(dtype: KvDtype, numCols: number, row: Uint8Array, out: Uint8Array): void {
  if (isPlain(dtype)) {
    out.set(row.subarray(0, out.length));
    return;
  }
  const format = weightFormats[dtype]!;
  const { planes } = planeLayout(format, 1, numCols);
  const { blockBytes } = dtypeLayouts[dtype];
  format.fields.forEach(({ at, numBytes }, plane) => {
    let from = 4 * planes[plane]!;
    for (let to = at; to < out.length; to += blockBytes, from += numBytes) {
      out.set(row.subarray(from, from + numBytes), to);
    }
  });
}
