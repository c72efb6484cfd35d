/**
 * Float32 weights to the formats of GGUF files, byte for byte as the scalar reference of llama.cpp
 * does it: float32 at every step, no fused multiply-add.
 */
import { dtypeLayouts, type BlockDtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { f32ArrayToBf16, f32ArrayToF16 } from "../../core/half.ts";
import { littleEndianBytes } from "../../formats/plain-values.ts";
import { checkFinite } from "../linear.ts";
import { blockCodec } from "./codecs.ts";
import { sumOfSquares } from "./scale-search.ts";

/** A format that is written. */
export type QuantizableDtype =
  | "F16"
  | "BF16"
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
  | "IQ4_NL"
  | "TQ1_0"
  | "TQ2_0";

export interface QuantizeOptions {
  /**
   * Mean squared activation of each column, as an importance matrix holds it; its length is the row's.
   * F16, BF16, Q8_0, TQ1_0 and TQ2_0 take no notice of it, as in llama.cpp.
   */
  readonly importance?: Float32Array;
}

/**
 * The stored bytes of `values`. Throws InputError where they do not fill whole blocks or rows, where
 * a value or an importance is not finite or an importance is negative, and where a value or a scale
 * exceeds 16 bits.
 */
export function quantizeBlocks(
  dtype: QuantizableDtype,
  values: Float32Array,
  options: QuantizeOptions = {},
): Uint8Array {
  checkFinite(values);
  if (dtype === "BF16") return halfBytes(values, f32ArrayToBf16(values), 0x7f80);
  if (dtype === "F16") return halfBytes(values, f32ArrayToF16(values), 0x7c00);
  const { importance } = options;
  if (importance) checkImportance(importance, values.length);
  return encodeRows(dtype, values, importance);
}

function encodeRows(
  dtype: BlockDtype,
  values: Float32Array,
  importance: Float32Array | undefined,
): Uint8Array {
  const { blockElements, blockBytes } = dtypeLayouts[dtype];
  const { encode } = blockCodec(dtype);
  if (!encode) throw new InputError(`${dtype} blocks are read here and not written.`);
  const cols = importance?.length ?? values.length;
  if (cols % blockElements !== 0) {
    throw new InputError(
      `A row of ${cols} values does not divide into blocks of ${blockElements}.`,
    );
  }
  const bytes = new Uint8Array((values.length / blockElements) * blockBytes);
  for (let row = 0; row < values.length; row += cols) {
    const x = values.subarray(row, row + cols);
    const rowMeanSquare = importance ? Math.fround(sumOfSquares(x) / cols) : 0;
    for (let column = 0; column < cols; column += blockElements) {
      const end = column + blockElements;
      const at = ((row + column) / blockElements) * blockBytes;
      encode(
        x.subarray(column, end),
        bytes.subarray(at, at + blockBytes),
        importance && { perColumn: importance.subarray(column, end), rowMeanSquare },
      );
    }
  }
  return bytes;
}

/** `exponent` masks the bits that are all set in an infinity. */
function halfBytes(values: Float32Array, bits: Uint16Array, exponent: number): Uint8Array {
  const overflow = bits.findIndex((half) => (half & exponent) === exponent);
  if (overflow >= 0) {
    throw new InputError(
      `Value ${overflow} is ${values[overflow]!}, which 16 bits turn into infinity; choose F32.`,
    );
  }
  return littleEndianBytes(bits, 2);
}

/**
 * Throws InputError where an importance is negative or not finite, or where `numValues` are no whole
 * rows of as many.
 */
export function checkImportance(importance: Float32Array, numValues: number): void {
  const wrong = importance.findIndex((value) => !(value >= 0 && value < Infinity));
  if (wrong >= 0) {
    throw new InputError(
      `Importance ${wrong} is ${importance[wrong]!}; a finite value of at least 0 is needed.`,
    );
  }
  if (importance.length === 0 || numValues % importance.length !== 0) {
    throw new InputError(
      `${numValues} values are no whole rows of ${importance.length}, the number of importances.`,
    );
  }
}
