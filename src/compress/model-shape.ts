/** What working through a model layer by layer starts from, and the kernels that it borrows. */
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { llamaConfigFromGguf, type LlamaConfig } from "../model/config.ts";
import { ropeFrequencies, type RopeFrequencies } from "../model/rope.ts";
import { llamaTensors, type LlamaTensors } from "../model/weights.ts";

/** Kernels that are opened for a layer and closed after it, because some give memory back only so. */
export interface KernelLease {
  readonly kernels: ForwardKernels;
  close(): Promise<void>;
}

/** A model's sizes, where its tensors are, and how fast RoPE turns. */
export interface ModelShape {
  readonly config: LlamaConfig;
  readonly tensors: LlamaTensors;
  readonly frequencies: RopeFrequencies;
}

/** Throws InputError for a model that is not supported or damaged. */
export async function modelShape(file: GgufFile): Promise<ModelShape> {
  const config = llamaConfigFromGguf(file);
  const tensors = llamaTensors(file, config);
  const { ropeFactors } = tensors;
  const factors = ropeFactors && (await file.readFloat32(ropeFactors.name));
  return { config, tensors, frequencies: ropeFrequencies(config.rope, factors) };
}
