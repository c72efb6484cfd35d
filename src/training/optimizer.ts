/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter, 2019, algorithm 2), the norm to which
 * gradients are clipped, and the learning rate's way up and down. Arithmetic on arrays, in place.
 */
import { valuesOf } from "./parameters.ts";
import type { ParameterSpec } from "./transformer-shape.ts";

/** How parameters follow their gradients. */
export interface OptimizerSettings {
  readonly peakLearningRate: number;
  /** Where the cosine ends. */
  readonly finalLearningRate: number;
  /** Steps in which the learning rate rises from 0 along a line. */
  readonly warmupSteps: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Matrices shrink by this, times the learning rate, at every step; norms do not. */
  readonly weightDecay: number;
  /** Gradients whose norm is larger are scaled down to it. */
  readonly maxGradientNorm: number;
}

/** Running means of the gradients and of their squares. */
export interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** The learning rate of step `step` of `numSteps`, counted from 0. */
export function learningRateAt(
  step: number,
  numSteps: number,
  { peakLearningRate, finalLearningRate, warmupSteps }: OptimizerSettings,
): number {
  if (step < warmupSteps) return (peakLearningRate * (step + 1)) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, numSteps - warmupSteps));
  const share = (1 + Math.cos(Math.PI * progress)) / 2;
  return finalLearningRate + share * (peakLearningRate - finalLearningRate);
}

/** Scales `gradient` so that its norm is `most` at most; returns the norm that it had. */
export function clipGradient(gradient: Float32Array, most: number): number {
  let sum = 0;
  for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * gradient[i]!;
  const norm = Math.sqrt(sum);
  if (norm > most) {
    const factor = most / norm;
    for (let i = 0; i < gradient.length; i++) gradient[i]! *= factor;
  }
  return norm;
}

/** Moves `parameters` against `gradient`; `step` counts from 0. */
export function adamwStep(
  specs: readonly ParameterSpec[],
  parameters: Float32Array,
  gradient: Float32Array,
  moments: Moments,
  step: number,
  learningRate: number,
  settings: OptimizerSettings,
): void {
  for (const spec of specs) {
    const weightDecay = spec.kind === "norm" ? 0 : settings.weightDecay;
    updateTensor(
      valuesOf(parameters, spec),
      valuesOf(gradient, spec),
      { first: valuesOf(moments.first, spec), second: valuesOf(moments.second, spec) },
      step,
      learningRate,
      { ...settings, weightDecay },
    );
  }
}

function updateTensor(
  parameters: Float32Array,
  gradient: Float32Array,
  { first, second }: Moments,
  step: number,
  learningRate: number,
  { beta1, beta2, epsilon, weightDecay }: OptimizerSettings,
): void {
  // Both means begin at 0; these take out how much of that is still in them.
  const rate = learningRate / (1 - beta1 ** (step + 1));
  const correction = 1 / Math.sqrt(1 - beta2 ** (step + 1));
  const keep = 1 - learningRate * weightDecay;
  for (let i = 0; i < parameters.length; i++) {
    const g = gradient[i]!;
    const m = beta1 * first[i]! + (1 - beta1) * g;
    const v = beta2 * second[i]! + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    parameters[i] = parameters[i]! * keep - (rate * m) / (Math.sqrt(v) * correction + epsilon);
  }
}
