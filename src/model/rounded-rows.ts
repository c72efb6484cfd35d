/** Weights in fewer bits than their file has, rounded while they are loaded: for models that only guess. */
import { dtypeLayouts, type Dtype } from "../core/dtypes.ts";
import { plainToFloat32 } from "../formats/plain-values.ts";
import type { MatrixRows } from "../kernels/forward-kernels.ts";
import { isPlainWeight } from "../kernels/reexpress.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";

/** Formats that weights are rounded to; `file` leaves them as they are stored. */
export const roundings = ["file", "Q8_0", "Q4_0"] as const;

export type Rounding = (typeof roundings)[number];

/** The format of rows of `numCols` once rounded; blocks, and rows that do not divide into them, stay. */
export function roundedDtype(dtype: Dtype, numCols: number, rounding: Rounding): Dtype {
  if (rounding === "file" || !isPlainWeight(dtype)) return dtype;
  return numCols % dtypeLayouts[rounding].blockElements === 0 ? rounding : dtype;
}

/** `stored` in its `roundedDtype`. Reading throws InputError as `quantizeBlocks`. */
export function roundedRows(stored: MatrixRows, rounding: Rounding): MatrixRows {
  const { dtype, numCols } = stored;
  if (rounding === "file" || !isPlainWeight(dtype)) return stored;
  if (roundedDtype(dtype, numCols, rounding) === dtype) return stored;
  return {
    ...stored,
    dtype: rounding,
    readRows: async (begin, end) => {
      const values = plainToFloat32(await stored.readRows(begin, end), dtype);
      return new Uint8Array(quantizeBlocks(rounding, values));
    },
  };
}
