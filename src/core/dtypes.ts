/**
 * The number formats that tensors are stored in: plain ones, one value at a time, and ggml's block
 * formats, which share a scale among the values of a block. Sizes and names only; how a block is
 * read and written is in `quant`.
 */
import { InputError } from "./errors.ts";

/** Formats that store each value by itself. */
export type PlainDtype =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL";

/** Formats of ggml that store a block of values together. */
export type BlockDtype =
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "IQ2_XXS"
  | "IQ2_XS"
  | "IQ3_XXS"
  | "IQ1_S"
  | "IQ4_NL"
  | "IQ3_S"
  | "IQ2_S"
  | "IQ4_XS"
  | "IQ1_M"
  | "TQ1_0"
  | "TQ2_0"
  | "MXFP4"
  | "NVFP4"
  | "Q1_0";

export type Dtype = PlainDtype | BlockDtype;

/** How a format is stored: `blockElements` consecutive values of a row take `blockBytes` bytes. */
export interface DtypeLayout {
  readonly blockElements: number;
  readonly blockBytes: number;
  /** ggml's number for the format in GGUF files; undefined where ggml has none. */
  readonly ggmlId: number | undefined;
}

/**
 * The layout of every format. Ids from `enum ggml_type` and sizes from ggml-common.h. Q8_1 and Q8_K
 * are absent on purpose: ggml makes them while it computes and never stores them.
 */
export const dtypeLayouts: Readonly<Record<Dtype, DtypeLayout>> = {
  F64: layout(1, 8, 28),
  F32: layout(1, 4, 0),
  F16: layout(1, 2, 1),
  BF16: layout(1, 2, 30),
  I64: layout(1, 8, 27),
  I32: layout(1, 4, 26),
  I16: layout(1, 2, 25),
  I8: layout(1, 1, 24),
  U64: layout(1, 8),
  U32: layout(1, 4),
  U16: layout(1, 2),
  U8: layout(1, 1),
  BOOL: layout(1, 1),
  Q4_0: layout(32, 18, 2),
  Q4_1: layout(32, 20, 3),
  Q5_0: layout(32, 22, 6),
  Q5_1: layout(32, 24, 7),
  Q8_0: layout(32, 34, 8),
  Q2_K: layout(256, 84, 10),
  Q3_K: layout(256, 110, 11),
  Q4_K: layout(256, 144, 12),
  Q5_K: layout(256, 176, 13),
  Q6_K: layout(256, 210, 14),
  IQ2_XXS: layout(256, 66, 16),
  IQ2_XS: layout(256, 74, 17),
  IQ3_XXS: layout(256, 98, 18),
  IQ1_S: layout(256, 50, 19),
  IQ4_NL: layout(32, 18, 20),
  IQ3_S: layout(256, 110, 21),
  IQ2_S: layout(256, 82, 22),
  IQ4_XS: layout(256, 136, 23),
  IQ1_M: layout(256, 56, 29),
  TQ1_0: layout(256, 54, 34),
  TQ2_0: layout(256, 66, 35),
  MXFP4: layout(32, 17, 39),
  NVFP4: layout(64, 36, 40),
  Q1_0: layout(128, 18, 41),
};

const byGgmlId: ReadonlyMap<number | undefined, Dtype> = new Map(
  (Object.keys(dtypeLayouts) as Dtype[]).map((dtype) => [dtypeLayouts[dtype].ggmlId, dtype]),
);

/** The format that GGUF files number `id`; undefined where there is none. */
export function dtypeOfGgmlId(id: number): Dtype | undefined {
  return byGgmlId.get(id);
}

/** True for formats that store each value by itself. */
export function isPlain(dtype: Dtype): dtype is PlainDtype {
  return dtypeLayouts[dtype].blockElements === 1;
}

/** The number of values in a tensor of this shape; 1 for the empty shape, a scalar. */
export function numElements(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/**
 * The bytes of a tensor `shape` (outermost dimension first) in `dtype`. Throws InputError where a
 * dimension is no whole number, the total is not exact in a double, or a row is not made of whole
 * blocks.
 */
export function bytesOfShape(shape: readonly number[], dtype: Dtype): number {
  const { blockElements, blockBytes } = dtypeLayouts[dtype];
  if (!shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0)) {
    throw noShape(shape, dtype, "a dimension is no whole number");
  }
  const row = shape.at(-1) ?? 1;
  if (row % blockElements !== 0) {
    const reason = `a row of ${row} values does not divide into blocks of ${blockElements}`;
    throw noShape(shape, dtype, reason);
  }
  // A zero makes the product zero whatever the others are, so each partial product is checked.
  const factors = [...shape.slice(0, -1), row / blockElements, blockBytes];
  let product = 1;
  for (const factor of factors) {
    product *= factor;
    if (product > Number.MAX_SAFE_INTEGER)
      throw noShape(shape, dtype, "it is too large to address");
  }
  return product;
}

function noShape(shape: readonly number[], dtype: Dtype, reason: string): InputError {
  return new InputError(`[${shape.join(", ")}] is no shape for ${dtype}: ${reason}.`);
}

function layout(blockElements: number, blockBytes: number, ggmlId?: number): DtypeLayout {
  return { blockElements, blockBytes, ggmlId };
}
