/** Keys and values of the reference kernels: rows of bytes, as a GGUF file would have them. */
import { plainToFloat32 } from "../formats/plain-values.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import { kvBytes, type KvDtype, type KvRows } from "./kv-rows.ts";

/** Rows in a format, or float32 numbers themselves. */
export interface HostKvRows extends KvRows {
  readonly values?: Float32Array<ArrayBuffer>;
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/** Zeros. Throws InputError where a row is not of whole blocks. */
export function allocateHostKv(numRows: number, numCols: number, dtype: KvDtype): HostKvRows {
  const numBytes = kvBytes(dtype, numRows, numCols);
  if (dtype !== "F32") return { numRows, numCols, dtype, bytes: new Uint8Array(numBytes) };
  return { numRows, numCols, dtype, values: new Float32Array(numRows * numCols) };
}

/** Rounds and stores one row. */
export function setKvRow(pool: HostKvRows, row: number, x: Float32Array): void {
  const { dtype, numCols, values } = pool;
  if (values) values.set(x, row * numCols);
  else bytesOfRow(pool, row).set(quantizeBlocks(dtype as Exclude<KvDtype, "F32">, x));
}

/** The values that a row stands for [numCols]. */
export function kvRow(pool: HostKvRows, row: number): Float32Array {
  const { dtype, numCols, values } = pool;
  if (values) return values.subarray(row * numCols, (row + 1) * numCols);
  const bytes = bytesOfRow(pool, row);
  return dtype === "F16"
    ? plainToFloat32(bytes, dtype)
    : dequantizeBlocks(dtype as "Q8_0" | "Q4_0", bytes, numCols);
}

/** The memory of a row. */
export function bytesOfRow(
  { numRows, values, bytes }: HostKvRows,
  row: number,
): Uint8Array<ArrayBuffer> {
  const all = bytes ?? new Uint8Array(values!.buffer, values!.byteOffset, values!.byteLength);
  const rowBytes = all.length / numRows;
  return all.subarray(row * rowBytes, (row + 1) * rowBytes);
}
