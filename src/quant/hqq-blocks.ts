/**
 * HQQ in the block formats of GGUF that have a minimum: scale · (code − zero) is scale · code + minimum,
 * with both rounded to float16 as the block holds them and the codes chosen on what that leaves.
 */
import { dtypeLayouts } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { writeF16 } from "./blocks/block.ts";
import { blockCodec } from "./blocks/codecs.ts";
import { nearestWhole } from "./column-quantizer.ts";
import { quantizeHqq, type HqqOptions } from "./hqq.ts";

/** A format that holds HQQ's grids. */
export type HqqDtype = "Q4_1" | "Q5_1";

/** The bits of a code. */
export const hqqBits: Readonly<Record<HqqDtype, number>> = { Q4_1: 4, Q5_1: 5 };

/**
 * The stored bytes of `W [rows, cols]`. Throws InputError where rows do not divide into blocks, a value
 * is not finite or a scale exceeds float16, UsageError for a norm or steps out of range.
 */
export function quantizeHqqBlocks(
  dtype: HqqDtype,
  W: Float32Array,
  cols: number,
  options: Pick<HqqOptions, "norm" | "steps"> = {},
): Uint8Array<ArrayBuffer> {
  const { blockElements, blockBytes } = dtypeLayouts[dtype];
  if (cols % blockElements !== 0) {
    throw new InputError(
      `A row of ${cols} values does not divide into ${dtype} blocks of ${blockElements}.`,
    );
  }
  const grid = blockCodec(dtype).grid!;
  const bits = hqqBits[dtype];
  const found = quantizeHqq(W, cols, { ...options, bits, groupSize: blockElements });
  const bytes = new Uint8Array(found.scales.length * blockBytes);
  const codes = new Uint8Array(blockElements);
  for (let index = 0; index < found.scales.length; index++) {
    const block = bytes.subarray(index * blockBytes, (index + 1) * blockBytes);
    const scale = writeF16(block, 0, found.scales[index]!);
    const minimum = writeF16(block, 2, -found.scales[index]! * found.zeros[index]!);
    for (let i = 0; i < blockElements; i++) {
      const weight = W[index * blockElements + i]!;
      const nearest = scale === 0 ? 0 : nearestWhole((weight - minimum) / scale);
      codes[i] = Math.max(0, Math.min(grid.maxCode, nearest));
    }
    grid.writeCodes(block, codes);
  }
  return bytes;
}
