/**
 * The kernels in plain TypeScript: what the others are judged by, and what runs where there is no
 * WebAssembly. Written to be read, not to be fast.
 */
import { plainLoops } from "../quant/linear.ts";
import { packNibbles } from "../quant/pack.ts";
import type { Kernels } from "./kernels.ts";

export const referenceKernels: Kernels = {
  name: "reference",
  ...plainLoops,
  allocateFloat32: (length) => new Float32Array(length),
  allocateBytes: (length) => new Uint8Array(length),
  packNibbles,
};
