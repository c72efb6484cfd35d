/**
 * Codes, scales and zero points of a linear grid as GPTQ's and AWQ's files hold them, in words of 32
 * bits: the layouts that vLLM and transformers read. Both store the weights [inputs, outputs], turned
 * round from the matrix. Sources: AutoGPTQ 0.7 (qlinear_cuda_old.py, `pack`), AutoAWQ 0.2 (gemm.py,
 * `from_linear`, and packing_utils.py).
 */
import { InputError } from "../core/errors.ts";
import { f32ArrayToF16 } from "../core/half.ts";
import type { QuantizedMatrix } from "../quant/linear.ts";
import type { LinearMatrix } from "./group-encoder.ts";

/** A packed matrix of `rows` outputs and `cols` inputs. */
export interface PackedMatrix {
  /** GPTQ [cols · bits / 32, rows], AWQ [cols, rows · bits / 32]. */
  readonly qweight: Int32Array<ArrayBuffer>;
  /** [groups, rows · bits / 32] */
  readonly qzeros: Int32Array<ArrayBuffer>;
  /** Float16 [groups, rows]. */
  readonly scales: Uint16Array<ArrayBuffer>;
  /** GPTQ only: the group of each input [cols]. */
  readonly groupIndex: Int32Array<ArrayBuffer> | undefined;
}

const wordBits = 32;

/** Which of eight neighbouring outputs each nibble of AWQ's words holds, from the lowest on. */
const awqOrder = [0, 2, 4, 6, 1, 3, 5, 7] as const;

/**
 * GPTQ's layout, version 1: codes follow each other along the inputs, lowest bits first, and a zero
 * point is stored as one less than it is. Throws InputError where sizes leave a word unfilled, and for
 * a zero point of 0, which this version cannot hold.
 */
export function packGptq({ quantized, groupOfColumn }: LinearMatrix): PackedMatrix {
  const { rows, cols, bits, scales, groupSize } = quantized;
  checkWords(rows, cols, bits);
  const codeOf = unsignedCodes(quantized);
  const numGroups = cols / groupSize;
  const qweight = new Int32Array((cols * bits * rows) / wordBits);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < cols; j++) {
      putBits(qweight, rows, row, j * bits, codeOf(row * cols + j), bits);
    }
  }
  const zeroOf = zeroPoints(quantized);
  const zeroWords = (rows * bits) / wordBits;
  const qzeros = new Int32Array(numGroups * zeroWords);
  for (let group = 0; group < numGroups; group++) {
    const words = qzeros.subarray(group * zeroWords, (group + 1) * zeroWords);
    for (let row = 0; row < rows; row++) {
      const zero = zeroOf(row * numGroups + group);
      if (zero === 0) {
        throw new InputError(
          `The zero point of row ${row}, group ${group} is 0, which version 1 of GPTQ's layout cannot hold; choose --mode symmetric.`,
        );
      }
      putBits(words, 1, 0, row * bits, zero - 1, bits);
    }
  }
  const groupIndex = Int32Array.from(groupOfColumn);
  return { qweight, qzeros, scales: scalesByGroup(scales, rows, numGroups), groupIndex };
}

/**
 * AWQ's layout "gemm": words hold eight neighbouring outputs of one input, interleaved. Throws
 * InputError where outputs leave a word unfilled or codes have not 4 bits.
 */
export function packAwq({ quantized }: LinearMatrix): PackedMatrix {
  const { rows, cols, bits, scales, groupSize } = quantized;
  if (bits !== 4) throw new InputError(`AWQ's layout holds codes of 4 bits, not ${bits}.`);
  checkWords(rows, wordBits, bits);
  const codeOf = unsignedCodes(quantized);
  const numGroups = cols / groupSize;
  const qweight = interleaved(cols, rows, (input, row) => codeOf(row * cols + input));
  const zeroOf = zeroPoints(quantized);
  const qzeros = interleaved(numGroups, rows, (group, row) => zeroOf(row * numGroups + group));
  return {
    ...{ qweight, qzeros, scales: scalesByGroup(scales, rows, numGroups) },
    groupIndex: undefined,
  };
}

/** [count, rows / 8] words of nibbles. */
function interleaved(
  count: number,
  rows: number,
  valueAt: (i: number, row: number) => number,
): Int32Array<ArrayBuffer> {
  const perWord = awqOrder.length;
  const words = new Int32Array((count * rows) / perWord);
  for (let i = 0, at = 0; i < count; i++) {
    for (let row = 0; row < rows; row += perWord, at++) {
      for (let nibble = 0; nibble < perWord; nibble++) {
        words[at]! |= valueAt(i, row + awqOrder[nibble]!) << (4 * nibble);
      }
    }
  }
  return words;
}

/** Puts `value` at a bit of column `column` of words [any, stride]; it may reach into the next row. */
function putBits(
  words: Int32Array,
  stride: number,
  column: number,
  bit: number,
  value: number,
  bits: number,
): void {
  const at = Math.floor(bit / wordBits) * stride + column;
  const shift = bit % wordBits;
  words[at]! |= value << shift;
  if (shift + bits > wordBits) words[at + stride]! |= value >>> (wordBits - shift);
}

/** Codes from 0 on: signed ones are moved by half their range, and so is their zero point. */
function unsignedCodes({ codes, bits, zeroPoints }: QuantizedMatrix): (at: number) => number {
  const offset = zeroPoints ? 0 : 2 ** (bits - 1);
  return (at) => codes[at]! + offset;
}

function zeroPoints({ zeroPoints, bits }: QuantizedMatrix): (at: number) => number {
  return (at) => zeroPoints?.[at] ?? 2 ** (bits - 1);
}

/** Float16 [groups, rows] from [rows, groups]. */
function scalesByGroup(
  scales: Float32Array,
  rows: number,
  numGroups: number,
): Uint16Array<ArrayBuffer> {
  const turned = new Float32Array(scales.length);
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < numGroups; group++) {
      turned[group * rows + row] = scales[row * numGroups + group]!;
    }
  }
  return f32ArrayToF16(turned);
}

function checkWords(rows: number, cols: number, bits: number): void {
  if ((rows * bits) % wordBits === 0 && (cols * bits) % wordBits === 0) return;
  throw new InputError(
    `A matrix of ${rows} × ${cols} codes of ${bits} bits does not fill words of ${wordBits}; this layout needs sizes that do.`,
  );
}
