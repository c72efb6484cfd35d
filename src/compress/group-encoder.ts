/**
 * One method of quantising, for the matrices that read the same inputs: what each becomes, in a block
 * format of GGUF or on a linear grid. The inputs' statistics are worked into what the method needs once
 * for all of them.
 */
import { isPlain, type Dtype } from "../core/dtypes.ts";
import { littleEndianBytes } from "../formats/plain-values.ts";
import { awqClip } from "../quant/awq.ts";
import { BlockColumns, isColumnDtype, type ColumnDtype } from "../quant/block-columns.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import type { RecipeDtype } from "../quant/blocks/recipe.ts";
import { toFloat32 } from "../quant/blocks/tensor-values.ts";
import { LinearColumns } from "../quant/column-quantizer.ts";
import { addProduct, type AddProduct } from "../quant/dense.ts";
import { gptq, type GptqOptions } from "../quant/gptq.ts";
import { inverseHessian, type InverseFactor } from "../quant/hessian.ts";
import { dequantizeHqq, quantizeHqq } from "../quant/hqq.ts";
import { quantizeHqqBlocks, type HqqDtype } from "../quant/hqq-blocks.ts";
import { dequantizeLinear, quantizeLinear, type QuantizedMatrix } from "../quant/linear.ts";
import type { FloatMatrix } from "./layer-matrices.ts";
import type { InputStatistics } from "./input-statistics.ts";

/** The methods: the first three look at calibration data for more than the importance of inputs. */
export const methods = ["gptq", "awq", "smoothquant", "k-quant", "hqq", "rtn"] as const;

export type Method = (typeof methods)[number];

/** A linear grid; groups divide a row, and scales are float16, as files hold them. */
export interface LinearGrid {
  readonly bits: number;
  readonly groupSize: number;
  readonly mode: "symmetric" | "asymmetric";
}

/** A symmetric grid uses all its codes, as GPTQ's own does. */
const linearOptions = { convention: "max7.5", scaleType: "F16" } as const;

export interface MethodOptions {
  /** GPTQ: a part of the mean curvature; 0.01 unless given. */
  readonly damp?: number;
  /** GPTQ: inputs with the largest curvature first. Block formats then get static groups. */
  readonly actOrder?: boolean;
  readonly product?: AddProduct;
}

/** What a matrix became. */
export interface EncodedMatrix {
  readonly dtype: Dtype;
  /** As a GGUF file holds it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What those bytes stand for [rows, cols]. */
  readonly values: Float32Array;
  /** Codes and scales, where the grid is linear. */
  readonly linear?: LinearMatrix;
}

/** Codes on a linear grid, with the group of each column where groups do not hold neighbours. */
export interface LinearMatrix {
  readonly quantized: QuantizedMatrix;
  /** [cols] */
  readonly groupOfColumn: Uint32Array;
}

/** What a matrix's inputs are known by. */
export interface EncoderInputs {
  /** Undefined for methods that look at no data. */
  readonly statistics?: InputStatistics;
  /** AWQ: inputs [tokens, cols], already divided by the scales that the weights are multiplied by. */
  readonly sample?: Float32Array;
}

/** Columns that share a scale in AWQ's search for clipping, whatever the block format shares. */
const clipGroup = 32;

/** Whether the format holds HQQ's grids. */
export function isHqqDtype(dtype: Dtype): dtype is HqqDtype {
  return dtype === "Q4_1" || dtype === "Q5_1";
}

/** A matrix in float32, to a plain format or to blocks by the format's own search. */
export function plainRounding(
  { values }: Pick<FloatMatrix, "values">,
  dtype: RecipeDtype,
  importance?: Float32Array,
): EncodedMatrix {
  if (dtype === "F32") return { dtype, bytes: littleEndianBytes(values, 4).slice(), values };
  const bytes = quantizeBlocks(dtype, values, importance ? { importance } : {}).slice();
  return { dtype, bytes, values: toFloat32(dtype, bytes.slice(), values.length) };
}

export class GroupEncoder {
  readonly #method: Method;
  readonly #inputs: EncoderInputs;
  readonly #options: MethodOptions;
  #factor: InverseFactor | undefined;

  constructor(method: Method, inputs: EncoderInputs, options: MethodOptions = {}) {
    this.#method = method;
    this.#inputs = inputs;
    this.#options = options;
  }

  /** What the Hessian's factorisation had to say, once a matrix was quantised. */
  get note(): string | undefined {
    return this.#factor?.note;
  }

  /** A matrix in a GGUF format. Throws InputError where weights or inputs cannot be quantised. */
  toBlocks(matrix: FloatMatrix, dtype: RecipeDtype): EncodedMatrix {
    if (isPlain(dtype)) return plainRounding(matrix, dtype);
    if (this.#method === "gptq" && isColumnDtype(dtype)) return this.#gptqBlocks(matrix, dtype);
    if (this.#method === "hqq" && isHqqDtype(dtype)) {
      const bytes = quantizeHqqBlocks(dtype, matrix.values, matrix.cols);
      return { dtype, bytes, values: toFloat32(dtype, bytes.slice(), matrix.values.length) };
    }
    const importance =
      this.#method === "k-quant" ? this.#inputs.statistics!.meanSquares : undefined;
    const roundTrip = (W: Float32Array): Float32Array =>
      toFloat32(dtype, quantizeBlocks(dtype, W).slice(), W.length);
    const clipped = this.#clipped(
      matrix,
      { bits: 4, groupSize: clipGroup, mode: "symmetric" },
      roundTrip,
    );
    return plainRounding({ ...matrix, values: clipped }, dtype, importance);
  }

  /** A matrix on a linear grid, its decoded values in float32. Throws as `toBlocks` does. */
  toLinear(matrix: FloatMatrix, grid: LinearGrid): EncodedMatrix {
    const { bits, groupSize, mode } = grid;
    if (this.#method === "gptq") return this.#gptqLinear(matrix, grid);
    if (this.#method === "hqq") return hqqLinear(matrix, grid);
    const W = this.#clipped(matrix, grid);
    const granularity = { group: groupSize };
    const quantized = quantizeLinear(W, matrix.rows, matrix.cols, {
      ...{ bits, mode, granularity },
      ...linearOptions,
    });
    return linearMatrix(quantized, dequantizeLinear(quantized));
  }

  #gptqBlocks(matrix: FloatMatrix, dtype: ColumnDtype): EncodedMatrix {
    const columns = new BlockColumns(dtype, matrix.rows, matrix.cols);
    const { actOrder = false } = this.#options;
    const { values } = this.#sweep(matrix, columns, { staticGroups: actOrder });
    return { dtype, bytes: columns.bytes().slice(), values };
  }

  #gptqLinear(matrix: FloatMatrix, grid: LinearGrid): EncodedMatrix {
    const columns = new LinearColumns(matrix.rows, matrix.cols, {
      ...grid,
      ...linearOptions,
    });
    const { values, groupOfColumn } = this.#sweep(matrix, columns, {});
    return {
      ...linearMatrix(columns.matrix(), values),
      linear: { quantized: columns.matrix(), groupOfColumn },
    };
  }

  #sweep(
    matrix: FloatMatrix,
    columns: BlockColumns | LinearColumns,
    options: GptqOptions,
  ): ReturnType<typeof gptq> {
    const { damp = 0.01, actOrder = false, product = addProduct } = this.#options;
    const { hessian, cols } = this.#inputs.statistics!;
    this.#factor ??= inverseHessian(hessian, cols, { damp, actOrder, product });
    return gptq(matrix.values, this.#factor, columns, { ...options, product });
  }

  /** AWQ's clipping, which its authors leave out for queries and keys. */
  #clipped(
    { name, values, cols }: FloatMatrix,
    { bits, groupSize, mode }: LinearGrid,
    roundTrip?: (W: Float32Array) => Float32Array,
  ): Float32Array<ArrayBuffer> {
    const { sample } = this.#inputs;
    if (this.#method !== "awq" || !sample || /attn_[qk]\./.test(name)) return values;
    const { product = addProduct } = this.#options;
    const search = { bits, groupSize, mode, product };
    return awqClip(values, sample, cols, roundTrip ? { ...search, roundTrip } : search);
  }
}

function hqqLinear({ values, cols }: FloatMatrix, { bits, groupSize }: LinearGrid): EncodedMatrix {
  const found = quantizeHqq(values, cols, { bits, groupSize });
  const decodedValues = dequantizeHqq(found);
  return {
    dtype: "F32",
    bytes: littleEndianBytes(decodedValues, 4).slice(),
    values: decodedValues,
  };
}

function linearMatrix(quantized: QuantizedMatrix, values: Float32Array): EncodedMatrix {
  const { cols, groupSize } = quantized;
  const groupOfColumn = Uint32Array.from({ length: cols }, (_, j) => Math.floor(j / groupSize));
  const bytes = littleEndianBytes(values, 4).slice();
  return { dtype: "F32", bytes, values, linear: { quantized, groupOfColumn } };
}
