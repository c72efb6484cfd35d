/** Blocks of any format of ggml to float32, exactly as ggml and the gguf package decode them. */
import { dtypeLayouts, type BlockDtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import type { WideField } from "./block.ts";
import { blockCodec } from "./codecs.ts";

/**
 * The values of `numElements` in blocks of `dtype`. Throws InputError where `bytes` does not hold
 * exactly that many, for a format that is not known, and for a big-endian file's codebook blocks.
 */
export function dequantizeBlocks(
  dtype: BlockDtype,
  bytes: Uint8Array,
  numElements: number,
  littleEndian = true,
): Float32Array<ArrayBuffer> {
  const { blockElements, blockBytes } = dtypeLayouts[dtype];
  const numBlocks = numElements / blockElements;
  const { decode, wideFields } = blockCodec(dtype);
  if (bytes.length !== numBlocks * blockBytes) {
    throw new InputError(
      `${numElements} values in ${dtype} take ${numBlocks * blockBytes} bytes, not ${bytes.length}.`,
    );
  }
  if (!littleEndian && !wideFields) {
    throw new InputError(
      `${dtype} blocks of a big-endian file cannot be read; convert the file to little-endian first.`,
    );
  }
  const values = new Float32Array(numElements);
  for (let i = 0; i < numBlocks; i++) {
    const stored = bytes.subarray(i * blockBytes, (i + 1) * blockBytes);
    const block = littleEndian ? stored : withFieldsReversed(stored, wideFields!);
    decode(block, values.subarray(i * blockElements, (i + 1) * blockElements));
  }
  return values;
}

function withFieldsReversed(block: Uint8Array, fields: readonly WideField[]): Uint8Array {
  const copy = new Uint8Array(block);
  for (const [at, numBytes] of fields) copy.subarray(at, at + numBytes).reverse();
  return copy;
}
