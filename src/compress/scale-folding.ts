/**
 * Scales of input channels, folded into the weights before them: the columns of a matrix are multiplied
 * and what makes its inputs is divided, so that the model computes what it did and its file needs no
 * scales. Which scales are good is the methods' business.
 */
import { scaleColumns } from "../quant/smoothquant.ts";
import type { FloatHalf, FloatMatrix } from "./layer-matrices.ts";

/** Multiplies the columns of the first matrices by `scales`, and divides the norm's gain by them. */
export function foldIntoNorm(half: FloatHalf, scales: Float32Array): FloatHalf {
  const { norm, first } = half;
  return {
    ...half,
    norm: { ...norm, values: scaleColumns(norm.values, scales, -1) },
    first: first.map((matrix) => withColumnsScaled(matrix, scales)),
  };
}

/**
 * Whether what enters the second matrix is, channel by channel, a multiple of what one first matrix
 * makes: always up's for down, and value's for the attention's output unless heads share values.
 */
export function foldsIntoFirst({ kind, first, second }: FloatHalf): boolean {
  return kind === "feedForward" || first.at(-1)!.rows === second.cols;
}

/**
 * Multiplies the columns of the second matrix by `scales`, and divides the rows of up or value. Only
 * for a half that `foldsIntoFirst`.
 */
export function foldIntoFirst(half: FloatHalf, scales: Float32Array): FloatHalf {
  const maker = half.first.at(-1)!;
  return {
    ...half,
    first: [...half.first.slice(0, -1), withRowsDivided(maker, scales)],
    second: withColumnsScaled(half.second, scales),
  };
}

function withColumnsScaled(matrix: FloatMatrix, scales: Float32Array): FloatMatrix {
  return { ...matrix, values: scaleColumns(matrix.values, scales) };
}

function withRowsDivided(matrix: FloatMatrix, scales: Float32Array): FloatMatrix {
  const { cols, bias } = matrix;
  const values = matrix.values.map((value, at) => value / scales[Math.floor(at / cols)]!);
  return {
    ...matrix,
    values,
    bias: bias && { ...bias, values: scaleColumns(bias.values, scales, -1) },
  };
}
