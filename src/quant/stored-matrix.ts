/** A quantised matrix as it lies in a file: packed codes, scales and zero points, byte for byte. */
import { f32ArrayToF16 } from "../core/half.ts";
import type { QuantizedMatrix, ScaleType } from "./linear.ts";
import { packCodes, packNibbles, type PackNibbles } from "./pack.ts";

export interface StoredMatrix {
  /** `bits` bits a code, lowest bit first. */
  readonly codes: Uint8Array;
  /** One a group: float32 values, or the bit patterns of float16 values. */
  readonly scales: Float32Array | Uint16Array;
  /** `bits` bits a zero point; null where all are 0. */
  readonly zeroPoints: Uint8Array | null;
  /** Of the three together. */
  readonly numBytes: number;
}

/** Packs a matrix; `scaleType` must be the one that its scales were rounded to. */
export function storeMatrix(
  quantized: QuantizedMatrix,
  scaleType: ScaleType,
  pack: PackNibbles = packNibbles,
): StoredMatrix {
  const codes = packCodes(quantized.codes, quantized.bits, pack);
  const scales = scaleType === "F16" ? f32ArrayToF16(quantized.scales) : quantized.scales;
  const zeroPoints = quantized.zeroPoints ? packCodes(quantized.zeroPoints, quantized.bits) : null;
  const numBytes = codes.byteLength + scales.byteLength + (zeroPoints?.byteLength ?? 0);
  return { codes, scales, zeroPoints, numBytes };
}
