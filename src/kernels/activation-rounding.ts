/**
 * What llama.cpp's CPU kernels multiply weights by: activations rounded to 16 bits before weights of
 * 16 bits, and to 8 before blocks (`vec_dot_type` in its ggml-cpu.c). Kernels that do the same multiply
 * whole numbers, which is faster, and agree with llama.cpp. Knows what a value becomes, not where its
 * code is stored.
 */
import { dtypeLayouts, type Dtype } from "../core/dtypes.ts";
import {
  bf16ArrayToF32,
  f16ArrayToF32,
  f16ToF32,
  f32ArrayToBf16,
  f32ArrayToF16,
  f32ToF16,
} from "../core/half.ts";
import { roundHalfEven } from "../core/rounding.ts";

/**
 * What activations are rounded to. Q8_0: codes of 8 bits and a float16 scale for every 32; Q8_K: codes
 * of 8 bits and a float32 scale for every 256.
 */
export type ActivationFormat = "F32" | "F16" | "BF16" | "Q8_0" | "Q8_K";

/** What activations are rounded to before they meet weights in `dtype`. */
export function activationFormat(dtype: Dtype): ActivationFormat {
  if (dtype === "F16" || dtype === "BF16") return dtype;
  const { blockElements } = dtypeLayouts[dtype];
  if (blockElements === 1) return "F32";
  return blockElements === 256 ? "Q8_K" : "Q8_0";
}

/** The values that are left of `x`, rows of whole blocks, after it was rounded to `format`. */
export function roundActivations(
  x: Float32Array<ArrayBuffer>,
  format: ActivationFormat,
): Float32Array<ArrayBuffer> {
  switch (format) {
    case "F32":
      return x;
    case "F16":
      return f16ArrayToF32(f32ArrayToF16(x));
    case "BF16":
      return bf16ArrayToF32(f32ArrayToBf16(x));
    case "Q8_0":
      return roundBlocks(x, 32, roundQ8_0);
    case "Q8_K":
      return roundBlocks(x, 256, roundQ8_K);
  }
}

function roundBlocks(
  x: Float32Array,
  size: number,
  round: (block: Float32Array) => void,
): Float32Array<ArrayBuffer> {
  const out = x.slice();
  for (let at = 0; at < out.length; at += size) round(out.subarray(at, at + size));
  return out;
}

/** Codes are rounded with the exact scale and then read with its float16. */
function roundQ8_0(block: Float32Array): void {
  const largest = Math.abs(outermost(block));
  const codesPerUnit = finiteOr0(Math.fround(127 / largest));
  const scale = f16ToF32(f32ToF16(Math.fround(largest / 127)));
  for (let i = 0; i < block.length; i++) {
    block[i] = scale * roundHalfEven(Math.fround(block[i]! * codesPerUnit));
  }
}

/** The outermost value becomes −127, whatever its sign. */
function roundQ8_K(block: Float32Array): void {
  const outer = outermost(block);
  const codesPerUnit = finiteOr0(Math.fround(-127 / outer));
  const scale = finiteOr0(Math.fround(1 / codesPerUnit));
  for (let i = 0; i < block.length; i++) {
    const code = Math.min(127, roundHalfEven(Math.fround(block[i]! * codesPerUnit)));
    block[i] = scale * code;
  }
}

/** The first of the values that are furthest from zero. */
function outermost(block: Float32Array): number {
  return block.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
}

/** Blocks of zeros, and of values so small that the reciprocal is no float32, become zeros. */
function finiteOr0(x: number): number {
  return Number.isFinite(x) ? x : 0;
}
