/** All numbers that a model learns, in one array: how they begin, and how tfjs gets to see them. */
import type { Tensor } from "@tensorflow/tfjs";
import { normal, type Rng } from "../core/rng.ts";
import type { Tfjs } from "../tensor/backend.ts";
import {
  numParameters,
  parameterSpecs,
  type ParameterSpec,
  type TransformerShape,
} from "./transformer-shape.ts";

/** Standard deviation of new weights, as GPT-2 and many after it. */
const initialDeviation = 0.02;

/**
 * Untrained parameters: norms are 1, weights normal; those that add to the residual stream are smaller
 * by √(2 · layers), so that its size does not grow with depth (Radford et al., 2019, section 2.3).
 */
export function initialParameters(shape: TransformerShape, rng: Rng): Float32Array<ArrayBuffer> {
  const parameters = new Float32Array(numParameters(shape));
  const deviations: Readonly<Record<Exclude<ParameterSpec["kind"], "norm">, number>> = {
    embedding: initialDeviation,
    matrix: initialDeviation,
    residualMatrix: initialDeviation / Math.sqrt(2 * shape.numLayers),
  };
  for (const spec of parameterSpecs(shape)) {
    const values = valuesOf(parameters, spec);
    if (spec.kind === "norm") values.fill(1);
    else for (let i = 0; i < values.length; i++) values[i] = deviations[spec.kind] * normal(rng);
  }
  return parameters;
}

/** The part of `all` that belongs to one tensor, sharing its memory. */
export function valuesOf<B extends ArrayBufferLike>(
  all: Float32Array<B>,
  { offset, numValues }: ParameterSpec,
): Float32Array<B> {
  return all.subarray(offset, offset + numValues);
}

/**
 * All parameters as tensors, in the order of `specs`; some backends share their memory, so it must not
 * change before the tensors are disposed of.
 */
export function parameterTensors(
  tf: Tfjs,
  specs: readonly ParameterSpec[],
  parameters: Float32Array,
): Tensor[] {
  return specs.map((spec) => tf.tensor(valuesOf(parameters, spec), [...spec.shape]));
}
