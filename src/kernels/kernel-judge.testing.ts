/** What the suites of the forward pass's kernels share: inputs, and what is near enough. */
import { expect } from "chai";
import { seededRng, normal, type Rng } from "../core/rng.ts";
import { littleEndianBytes, plainToFloat32 } from "../formats/plain-values.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { quantizeBlocks, type QuantizableDtype } from "../quant/blocks/quantize.ts";
import type { Activations, ForwardKernels } from "./forward-kernels.ts";

/** Half a unit in the last place of a float32 in [1, 2): the relative error of one rounding. */
export const ulp: number = 2 ** -24;

/** How exact an implementation's functions are, as relative errors; its sums and products are rounded once. */
export interface FunctionPrecision {
  /** Of e^x, with the rounding of x. */
  readonly exp: (x: number) => number;
  readonly divide: number;
  readonly sqrt: number;
  /** Whether intermediate results below 2⁻¹²⁶ may become 0. */
  readonly flushesSubnormals: boolean;
}

/** What a mathematical library in float32 or float64 gives. */
export const libraryPrecision: FunctionPrecision = {
  exp: () => 2 * ulp,
  divide: ulp,
  sqrt: ulp,
  flushesSubnormals: false,
};

/** Kernels with seeded inputs; a new one begins the inputs anew. */
export class KernelJudge {
  readonly #kernels: ForwardKernels;
  readonly #rng: Rng = seededRng(5);

  constructor(kernels: ForwardKernels) {
    this.#kernels = kernels;
  }

  randomValues(length: number): Float32Array<ArrayBuffer> {
    return Float32Array.from({ length }, () => normal(this.#rng));
  }

  activations(numRows: number, numCols: number, values: Float32Array): Activations {
    const x = this.#kernels.allocate(numRows, numCols);
    this.#kernels.write(values, x);
    return x;
  }

  /** Every value within `tolerance(i)` of what is wanted; NaN fails. */
  async expectNear(
    found: Activations,
    wanted: readonly number[],
    tolerance: (i: number) => number,
  ): Promise<void> {
    const values = await this.#kernels.read(found);
    expect(values.length).to.equal(wanted.length);
    const wrong = wanted.findIndex((value, i) => !(Math.abs(values[i]! - value) <= tolerance(i)));
    expect(wrong, `value ${wrong}: ${values[wrong]!} for ${wanted[wrong]!}`).to.equal(-1);
  }
}

/** `weights` in `dtype`, and the values that these bytes stand for. */
export function stored(
  dtype: "F32" | QuantizableDtype,
  weights: Float32Array,
): { bytes: Uint8Array; values: Float32Array } {
  if (dtype === "F32") return { bytes: littleEndianBytes(weights, 4), values: weights };
  const bytes = quantizeBlocks(dtype, weights);
  const values =
    dtype === "F16" || dtype === "BF16"
      ? plainToFloat32(new Uint8Array(bytes), dtype)
      : dequantizeBlocks(dtype, bytes, weights.length);
  return { bytes, values };
}

/** Σ terms. */
export function sum(terms: readonly number[]): number {
  return terms.reduce((total, term) => total + term, 0);
}

/** e^x of each, divided by their sum. */
export function softmax(row: readonly number[]): number[] {
  const largest = Math.max(...row);
  const weights = row.map((value) => Math.exp(value - largest));
  return weights.map((weight) => weight / sum(weights));
}
