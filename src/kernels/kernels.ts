/**
 * The one interface to the arithmetic that takes the time. Kernels know arrays and shapes; what is
 * computed when, and what input is refused in which words, is the caller's. Whoever needs kernels is
 * given them: no other folder names an implementation but the one that puts the parts together.
 *
 * Arrays may lie anywhere. Those that `allocateFloat32` and `allocateBytes` give lie where the
 * kernels compute, the others are copied there and back piece by piece.
 */
import type { LinearLoops } from "../quant/linear.ts";
import type { PackNibbles } from "../quant/pack.ts";

export interface Kernels extends LinearLoops {
  readonly name: "reference" | "wasm";
  /** Zeros that kernels read and write in place. Throws InputError where memory is used up. */
  allocateFloat32(length: number): Float32Array;
  /** As `allocateFloat32`, for codes. */
  allocateBytes(length: number): Uint8Array;
  readonly packNibbles: PackNibbles;
}
