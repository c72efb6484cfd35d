/** The values of a GGUF file's tensor, piece by piece, so that a tensor larger than memory is fine. */
import { dtypeLayouts, isPlain, numElements, type Dtype } from "../../core/dtypes.ts";
import type { GgufFile } from "../../formats/gguf/gguf-file.ts";
import { plainToFloat32 } from "../../formats/plain-values.ts";
import type { StoredTensor } from "../../formats/stored-tensors.ts";
import { dequantizeBlocks } from "./dequantize.ts";

/** Values in a piece; a multiple of every format's block. */
const pieceElements = 2 ** 18;

/**
 * The values in C order, in pieces that end at block boundaries of any format. Throws InputError
 * where the file is damaged or a format cannot be decoded.
 */
export async function* tensorValues(
  file: Pick<GgufFile, "readBytes" | "littleEndian">,
  { name, shape, dtype }: StoredTensor,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { blockElements, blockBytes } = dtypeLayouts[dtype];
  const total = numElements(shape);
  for (let start = 0; start < total; start += pieceElements) {
    const end = Math.min(total, start + pieceElements);
    const at = (element: number): number => (element / blockElements) * blockBytes;
    const bytes = await file.readBytes(name, at(start), at(end));
    yield toFloat32(dtype, bytes, end - start, file.littleEndian);
  }
}

/**
 * The values of stored bytes in any format; the caller gives the bytes away. Throws InputError where a
 * format cannot be decoded.
 */
export function toFloat32(
  dtype: Dtype,
  bytes: Uint8Array<ArrayBuffer>,
  count: number,
  littleEndian = true,
): Float32Array<ArrayBuffer> {
  return isPlain(dtype)
    ? plainToFloat32(bytes, dtype, littleEndian)
    : dequantizeBlocks(dtype, bytes, count, littleEndian);
}
