/** Everything that decides what training results in, but for the text, and the recipes that we use. */
import { InputError } from "../core/errors.ts";
import type { OptimizerSettings } from "./optimizer.ts";
import { checkShape, type TransformerShape } from "./transformer-shape.ts";

/** How a model is trained. */
export interface TrainingRecipe {
  readonly shape: TransformerShape;
  readonly optimizer: OptimizerSettings;
  readonly numSteps: number;
  /** Windows of `shape.contextLength` tokens that one step learns from. */
  readonly windowsPerStep: number;
  /** Windows whose gradient is computed at once. */
  readonly windowsPerShard: number;
  /** Of the first weights and of the order of the windows; below 2³². */
  readonly seed: number;
}

/** The names of the recipes that we use. */
export const presetNames = ["smoke", "draft", "target"] as const;

export type PresetName = (typeof presetNames)[number];

const optimizer: OptimizerSettings = {
  peakLearningRate: 2e-3,
  finalLearningRate: 2e-4,
  warmupSteps: 100,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  maxGradientNorm: 1,
};

/**
 * The table of presets. The draft's widths are multiples of 32, the block of the simple formats, the
 * target's of 256, that of the K-quants; both share a vocabulary. Smoke shows in under a minute on
 * one core that training works, and is no model to use.
 */
export const presets: Readonly<Record<PresetName, Omit<TrainingRecipe, "seed">>> = {
  smoke: {
    shape: shape(128, 64, 192, 2, 4, 2),
    optimizer: { ...optimizer, peakLearningRate: 3e-3, finalLearningRate: 3e-4, warmupSteps: 10 },
    numSteps: 120,
    windowsPerStep: 8,
    windowsPerShard: 4,
  },
  draft: {
    shape: shape(512, 128, 384, 3, 4, 2),
    optimizer,
    numSteps: 1600,
    windowsPerStep: 8,
    windowsPerShard: 1,
  },
  target: {
    shape: shape(512, 256, 768, 6, 8, 4),
    optimizer: { ...optimizer, peakLearningRate: 1.5e-3, finalLearningRate: 1.5e-4 },
    numSteps: 1500,
    windowsPerStep: 8,
    windowsPerShard: 1,
  },
};

/** Throws InputError where a number of the recipe is out of its range. */
export function checkRecipe(recipe: TrainingRecipe): void {
  checkShape(recipe.shape);
  const { numSteps, windowsPerStep, windowsPerShard, seed } = recipe;
  const counts = { numSteps, windowsPerStep, windowsPerShard };
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isInteger(value) && value >= 1 && value <= mostSteps) continue;
    throw new InputError(`${name} is ${value}; a whole number from 1 to ${mostSteps} is needed.`);
  }
  if (windowsPerStep % windowsPerShard !== 0) {
    throw new InputError(
      `${windowsPerStep} windows a step cannot be cut into shards of ${windowsPerShard}.`,
    );
  }
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new InputError(`The seed is ${seed}; a whole number below 2^32 is needed.`);
  }
}

const mostSteps = 10_000_000;

function shape(
  contextLength: number,
  hiddenSize: number,
  intermediateSize: number,
  numLayers: number,
  numHeads: number,
  numKvHeads: number,
): TransformerShape {
  return {
    vocabSize: 2048,
    contextLength,
    hiddenSize,
    intermediateSize,
    numLayers,
    numHeads,
    numKvHeads,
  };
}
