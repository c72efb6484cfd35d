/**
 * Weights for kernels that do not compute with every format: the same values in a format that they do
 * compute with. Not a conversion that loses anything; what has no equal among the block formats
 * becomes float32.
 */
import { dtypeLayouts, isPlain, type BlockDtype, type Dtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { quoted } from "../formats/byte-source.ts";
import { littleEndianBytes, plainToFloat32 } from "../formats/plain-values.ts";
import { readHighBit, readPairs, writeNibbles, writePairs } from "../quant/blocks/code-planes.ts";
import { blockCodec } from "../quant/blocks/codecs.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { readScales3K } from "../quant/blocks/packed-scales.ts";
import type { Matrix, StoredRows } from "./forward-kernels.ts";

const plainWeights: readonly Dtype[] = ["F32", "F16", "BF16"];

/** A wider format with the same scales, and how a block goes into its blocks. */
interface Widening {
  readonly dtype: BlockDtype;
  readonly widen: (block: Uint8Array, wider: Uint8Array) => void;
}

const widenings: Readonly<Partial<Record<Dtype, Widening>>> = {
  IQ4_NL: { dtype: "Q8_0", widen: widenIQ4_NL },
  TQ1_0: { dtype: "TQ2_0", widen: widenTQ1_0 },
  Q3_K: { dtype: "Q6_K", widen: widenQ3_K },
};

/** Whether weights in this format are single values. */
export function isPlainWeight(dtype: Dtype): dtype is "F32" | "F16" | "BF16" {
  return plainWeights.includes(dtype);
}

/** Throws InputError, with the tensor's name, for a format that no weights are computed with. */
export function checkWeightFormat({ name, dtype }: Matrix): void {
  try {
    if (!isPlain(dtype)) blockCodec(dtype);
    else if (!isPlainWeight(dtype)) {
      throw new InputError(
        `Weights in ${dtype} are not computed with; those in ${plainWeights.join(", ")} and in blocks are.`,
      );
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`Tensor ${quoted(name)} cannot be used: ${error.message}`);
  }
}

/** The format that `reexpress` gives. */
export function reexpressedDtype(dtype: Dtype, computed: readonly Dtype[]): Dtype {
  if (computed.includes(dtype)) return dtype;
  const widening = widenings[dtype];
  return widening && computed.includes(widening.dtype) ? widening.dtype : "F32";
}

/**
 * `stored` in one of the formats in `computed`, F32 among them, with exactly its values. Whole rows of
 * a matrix may be given one after the other, so that only some are in memory twice. Throws as
 * `checkWeightFormat`.
 */
export function reexpress(stored: StoredRows, computed: readonly Dtype[]): StoredRows {
  checkWeightFormat(stored);
  const dtype = reexpressedDtype(stored.dtype, computed);
  if (dtype === stored.dtype) return stored;
  const bytes = dtype === "F32" ? float32Bytes(stored) : widenedBytes(stored);
  return { ...stored, dtype, bytes };
}

function float32Bytes({ dtype, numRows, numCols, bytes }: StoredRows): Uint8Array<ArrayBuffer> {
  const values = isPlain(dtype)
    ? plainToFloat32(bytes, dtype)
    : dequantizeBlocks(dtype, bytes, numRows * numCols);
  return new Uint8Array(littleEndianBytes(values, 4));
}

function widenedBytes({ dtype, bytes }: StoredRows): Uint8Array<ArrayBuffer> {
  const widening = widenings[dtype]!;
  const [size, widerSize] = [dtypeLayouts[dtype].blockBytes, blockBytes(widening)];
  const out = new Uint8Array((bytes.length / size) * widerSize);
  for (let at = 0, to = 0; at < bytes.length; at += size, to += widerSize) {
    widening.widen(bytes.subarray(at, at + size), out.subarray(to, to + widerSize));
  }
  return out;
}

function blockBytes({ dtype }: Widening): number {
  return dtypeLayouts[dtype].blockBytes;
}

/** Q8_0's codes are the table's entries. */
function widenIQ4_NL(block: Uint8Array, wider: Uint8Array): void {
  wider.set(block.subarray(0, 2));
  new Int8Array(wider.buffer, wider.byteOffset + 2, 32).set(multiplesOfScale("IQ4_NL", block, 0));
}

function widenTQ1_0(block: Uint8Array, wider: Uint8Array): void {
  const scaleAt = 52;
  writePairs(
    wider,
    0,
    Uint8Array.from(multiplesOfScale("TQ1_0", block, scaleAt), (trit) => trit + 1),
  );
  wider.set(block.subarray(scaleAt), 64);
}

/** Codes of 3 bits around 4 become codes of 6 around 32, scales of 6 bits around 32 become bytes. */
function widenQ3_K(block: Uint8Array, wider: Uint8Array): void {
  const [codes, scales] = [new Uint8Array(256), new Uint8Array(16)];
  readPairs(block, 32, codes);
  readHighBit(block, 0, codes, 2);
  readScales3K(block, 96, scales);
  const widerCodes = codes.map((code) => code + 28);
  writeNibbles(wider, 0, widerCodes, 64);
  writePairs(
    wider,
    128,
    widerCodes.map((code) => code >> 4),
  );
  wider.set(
    scales.map((scale) => scale - 32),
    192,
  );
  wider.set(block.subarray(108, 110), 208);
}

/** What the float16 at `scaleAt` is multiplied by: the block's values where it is 1. */
function multiplesOfScale(dtype: BlockDtype, block: Uint8Array, scaleAt: number): Float32Array {
  const unit = new Uint8Array(block);
  unit.set([0x00, 0x3c], scaleAt);
  return dequantizeBlocks(dtype, unit, dtypeLayouts[dtype].blockElements);
}
