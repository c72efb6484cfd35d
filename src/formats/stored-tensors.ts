/** Tensors that lie in a file one after the other, and the `TensorFile` that reads them from there. */
import { bytesOfShape, isPlain, numElements, type BlockDtype, type Dtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { quoted, type ByteSource } from "./byte-source.ts";
import { plainToFloat32 } from "./plain-values.ts";
import type { TensorFile, TensorInfo } from "./tensor-file.ts";

/** Dimensions that any reader accepts; NumPy allows 64, PyTorch and ggml fewer. */
export const maxDimensions = 64;

/** A tensor whose bytes start `offset` bytes into the file. */
export interface StoredTensor extends TensorInfo {
  readonly offset: number;
}

/** What turns a tensor's blocks into values; `quant` has it, and this folder may not import that. */
export type DecodeBlocks = (
  dtype: BlockDtype,
  bytes: Uint8Array,
  numElements: number,
  littleEndian: boolean,
) => Float32Array<ArrayBuffer>;

/** The bytes that a tensor takes; `bytesOfShape` with the file and the tensor in the message. */
export function bytesOfTensor(
  source: ByteSource,
  name: string,
  shape: readonly number[],
  dtype: Dtype,
): number {
  try {
    return bytesOfShape(shape, dtype);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${source.name} is damaged: tensor ${quoted(name)}: ${error.message}`);
  }
}

/** The tensor called `name`. Throws InputError where there is none. */
export function storedTensor<T extends TensorInfo>(
  source: ByteSource,
  tensors: ReadonlyMap<string, T>,
  name: string,
): T {
  const tensor = tensors.get(name);
  if (!tensor) throw new InputError(`${source.name} holds no tensor ${quoted(name)}.`);
  return tensor;
}

/** The values of a tensor. Throws InputError for a block format where nothing decodes it. */
export async function readStored(
  source: ByteSource,
  tensor: StoredTensor,
  littleEndian: boolean,
  decodeBlocks?: DecodeBlocks,
): Promise<Float32Array<ArrayBuffer>> {
  const { name, shape, dtype, offset, numBytes } = tensor;
  if (isPlain(dtype)) {
    return plainToFloat32(await source.read(offset, numBytes), dtype, littleEndian);
  }
  if (!decodeBlocks) {
    throw new InputError(
      `Tensor ${quoted(name)} of ${source.name} is quantised to ${dtype}, and the file was opened without what decodes blocks.`,
    );
  }
  const bytes = await source.read(offset, numBytes);
  return decodeBlocks(dtype, bytes, numElements(shape), littleEndian);
}

/** A `TensorFile` over tensors that lie in `source` as they are; names must be unique. */
export function storedTensorFile(
  format: TensorFile["format"],
  source: ByteSource,
  tensors: readonly StoredTensor[],
  littleEndian: boolean,
  decodeBlocks?: DecodeBlocks,
): TensorFile {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return {
    format,
    name: source.name,
    tensors,
    readFloat32: async (name) =>
      readStored(source, storedTensor(source, byName, name), littleEndian, decodeBlocks),
  };
}
