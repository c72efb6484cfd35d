/**
 * Stored bytes of the plain formats to float32 and back to bytes. Each value is rounded once, halves
 * to even; integers that float32 cannot hold are rounded as well.
 */
import { dtypeLayouts, type PlainDtype } from "../core/dtypes.ts";
import { bf16ArrayToF32, f16ArrayToF32 } from "../core/half.ts";

const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * The values of `bytes`, which the caller gives away: the result may share their memory.
 */
export function plainToFloat32(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: PlainDtype,
  littleEndian = true,
): Float32Array<ArrayBuffer> {
  const itemBytes = dtypeLayouts[dtype].blockBytes;
  const items = inHostOrder(bytes, itemBytes, littleEndian);
  const view = [items.buffer, items.byteOffset, items.length / itemBytes] as const;
  switch (dtype) {
    case "F64":
      return new Float32Array(new Float64Array(...view));
    case "F32":
      return new Float32Array(...view);
    case "F16":
      return f16ArrayToF32(new Uint16Array(...view));
    case "BF16":
      return bf16ArrayToF32(new Uint16Array(...view));
    case "I64":
      return Float32Array.from(new BigInt64Array(...view), nearestFloat32);
    case "U64":
      return Float32Array.from(new BigUint64Array(...view), nearestFloat32);
    case "I32":
      return new Float32Array(new Int32Array(...view));
    case "U32":
      return new Float32Array(new Uint32Array(...view));
    case "I16":
      return new Float32Array(new Int16Array(...view));
    case "U16":
      return new Float32Array(new Uint16Array(...view));
    case "I8":
      return new Float32Array(new Int8Array(...view));
    case "U8":
      return new Float32Array(items);
    case "BOOL":
      return Float32Array.from(items, (byte) => Number(byte !== 0));
  }
  dtype satisfies never;
}

/** The bytes of `data` in little-endian order, for a file; shares `data`'s memory where it can. */
export function littleEndianBytes(data: ArrayBufferView, itemBytes: number): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return hostIsLittleEndian ? bytes : reversed(bytes, itemBytes);
}

/** `bytes` aligned to their items and in this machine's byte order. */
export function inHostOrder(
  bytes: Uint8Array<ArrayBuffer>,
  itemBytes: number,
  littleEndian: boolean,
): Uint8Array<ArrayBuffer> {
  if (itemBytes > 1 && littleEndian !== hostIsLittleEndian) return reversed(bytes, itemBytes);
  return bytes.byteOffset % itemBytes === 0 ? bytes : new Uint8Array(bytes);
}

/** A copy in which the bytes of every item are in the opposite order. */
function reversed(bytes: Uint8Array, itemBytes: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.length);
  for (let start = 0; start < bytes.length; start += itemBytes) {
    for (let i = 0; i < itemBytes; i++) copy[start + i] = bytes[start + itemBytes - 1 - i]!;
  }
  return copy;
}

/** Rounds once: a double would round a large integer before float32 rounds it again. */
function nearestFloat32(value: bigint): number {
  const magnitude = value < 0n ? -value : value;
  if (magnitude < 2n ** 53n) return Number(value);
  // 53 bits hold the upper part exactly; a lowest bit of 1 stands for whatever was cut off.
  const upper = magnitude >> 12n;
  const sticky = magnitude & 0xfffn ? upper | 1n : upper;
  return Math.fround(Number(sticky)) * 2 ** 12 * (value < 0n ? -1 : 1);
}
