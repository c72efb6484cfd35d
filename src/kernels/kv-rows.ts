/** In what keys and values can be stored, and what that takes. */
import { bytesOfShape, dtypeLayouts } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";

/** Float32, or rounded to what halves, quarters or nearly eighths their memory. */
export type KvDtype = "F32" | "F16" | "Q8_0" | "Q4_0";

/** All of them, the most exact first. */
export const kvDtypes: readonly KvDtype[] = ["F32", "F16", "Q8_0", "Q4_0"];

/** Keys or values [numRows, numCols] of tokens. */
export interface KvRows {
  readonly numRows: number;
  readonly numCols: number;
  /** What they are rounded to when they are stored; float32, and so not at all, where it is absent. */
  readonly dtype?: KvDtype;
}

/** Bytes of `numRows` rows. Throws InputError where a row is not of whole blocks. */
export function kvBytes(dtype: KvDtype, numRows: number, numCols: number): number {
  const { blockElements } = dtypeLayouts[dtype];
  if (numCols % blockElements === 0) return numRows * bytesOfShape([1, numCols], dtype);
  throw new InputError(
    `Keys and values of ${numCols} columns cannot be stored in ${dtype}, which has blocks of ${blockElements}; use F16 or F32.`,
  );
}
