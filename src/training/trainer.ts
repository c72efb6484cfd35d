/** One training: its state, a step of it, and the loop around the steps. */
import { setImmediate } from "node:timers/promises";
import { InputError } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import { seededRng } from "../core/rng.ts";
import type { GradientSource, Shard } from "./gradients.ts";
import { adamwStep, clipGradient, learningRateAt, type Moments } from "./optimizer.ts";
import { initialParameters } from "./parameters.ts";
import { checkRecipe, type TrainingRecipe } from "./recipe.ts";
import { parameterSpecs } from "./transformer-shape.ts";
import type { WindowSampler } from "./windows.ts";

/** Everything that changes while a model is trained. */
export interface TrainingState {
  readonly parameters: Float32Array;
  readonly moments: Moments;
  /** The loss of every step done, in nats per token; their number says which step is next. */
  readonly losses: number[];
  readonly validations: Validation[];
}

/** The loss on text that nothing is learned from, after so many steps. */
export interface Validation {
  readonly step: number;
  readonly loss: number;
}

/** What one step did. */
export interface StepReport {
  /** Steps done, this one among them. */
  readonly step: number;
  readonly numSteps: number;
  /** Before the step, in nats per token. */
  readonly loss: number;
  /** Before it was clipped. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Where this step was followed by one. */
  readonly validationLoss: number | undefined;
  readonly tokensPerSecond: number;
  readonly secondsLeft: number;
}

/** What the loop does between steps, as often as is said. */
export interface TrainingOptions {
  /** Text that nothing is learned from. */
  readonly validation?: readonly Shard[];
  /** Steps between validations; one follows the last step. */
  readonly validateEvery?: number;
  /** Called after every so many steps, after the last one, and when `signal` stops the loop. */
  readonly save?: () => Promise<void>;
  readonly saveEvery?: number;
  readonly progress?: Progress;
  /** For live figures; awaited, so that they can be drawn. */
  readonly onStep?: (report: StepReport) => Promise<void> | void;
  /** Milliseconds, for speed only. */
  readonly now: () => number;
  /** Ends the loop after the step that is under way. */
  readonly signal?: AbortSignal;
}

/** The state before the first step. Throws InputError for a recipe that cannot be followed. */
export function initialState(recipe: TrainingRecipe): TrainingState {
  checkRecipe(recipe);
  const parameters = initialParameters(recipe.shape, seededRng(recipe.seed));
  const zeros = (): Float32Array => new Float32Array(parameters.length);
  return {
    parameters,
    moments: { first: zeros(), second: zeros() },
    losses: [],
    validations: [],
  };
}

/** Trains one model; owns what a step needs besides the state. */
export class Trainer {
  readonly recipe: TrainingRecipe;
  readonly state: TrainingState;
  readonly #windows: WindowSampler;
  readonly #gradients: GradientSource;
  readonly #gradient: Float32Array;

  constructor(
    recipe: TrainingRecipe,
    state: TrainingState,
    windows: WindowSampler,
    gradients: GradientSource,
  ) {
    this.recipe = recipe;
    this.state = state;
    this.#windows = windows;
    this.#gradients = gradients;
    this.#gradient = new Float32Array(state.parameters.length);
  }

  /** Steps done. */
  get step(): number {
    return this.state.losses.length;
  }

  /** Learns from the next windows. Throws InputError where the loss is no longer a finite number. */
  async next(): Promise<Pick<StepReport, "loss" | "gradientNorm" | "learningRate">> {
    const { recipe, state, step } = this;
    const { windowsPerStep, windowsPerShard, optimizer, numSteps, shape } = recipe;
    const shards = this.#windows.shards(step, windowsPerStep, windowsPerShard);
    const mean = await this.#gradients.gradients(state.parameters, shards, this.#gradient);
    // As a checkpoint keeps it.
    const loss = Math.fround(mean);
    const gradientNorm = clipGradient(this.#gradient, optimizer.maxGradientNorm);
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      throw new InputError(
        `Training has diverged: the loss of step ${step + 1} is ${loss}, and its gradient's norm ${gradientNorm}; lower the learning rate.`,
      );
    }
    const learningRate = learningRateAt(step, numSteps, optimizer);
    adamwStep(
      parameterSpecs(shape),
      state.parameters,
      this.#gradient,
      state.moments,
      step,
      learningRate,
      optimizer,
    );
    state.losses.push(loss);
    return { loss, gradientNorm, learningRate };
  }

  /** The loss on `shards`, which is also kept in the state. */
  async validate(shards: readonly Shard[]): Promise<number> {
    const loss = Math.fround(await this.#gradients.loss(this.state.parameters, shards));
    this.state.validations.push({ step: this.step, loss });
    return loss;
  }

  /** Runs the steps that are left. Throws as `next` does, and what the callbacks throw. */
  async run(options: TrainingOptions): Promise<void> {
    const { validation = [], validateEvery = Infinity, saveEvery = Infinity } = options;
    const { save, progress = silent, onStep, now, signal } = options;
    const { numSteps, windowsPerStep, shape } = this.recipe;
    const firstStep = this.step;
    const started = now();
    const isStopped = (): boolean => signal?.aborted === true;
    while (this.step < numSteps && !isStopped()) {
      const done = await this.next();
      const isLast = this.step === numSteps;
      const isDue = isLast || this.step % validateEvery === 0;
      const validationLoss =
        validation.length > 0 && isDue ? await this.validate(validation) : undefined;
      const secondsPerStep = (now() - started) / 1000 / (this.step - firstStep);
      const report: StepReport = {
        ...done,
        ...{ step: this.step, numSteps, validationLoss },
        tokensPerSecond: (windowsPerStep * shape.contextLength) / secondsPerStep,
        secondsLeft: secondsPerStep * (numSteps - this.step),
      };
      progress.update(this.step, numSteps, describeStep(report));
      await onStep?.(report);
      // Backends without a queue of their own never wait: let signals and displays have their turn.
      await setImmediate();
      if (isLast || isStopped() || this.step % saveEvery === 0) await save?.();
    }
    progress.finish();
  }
}

/** Loss, speed and time left, for a progress bar. */
function describeStep({ loss, tokensPerSecond, secondsLeft }: StepReport): string {
  const seconds = Math.round(secondsLeft);
  const left = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return `loss ${loss.toFixed(3)}  ${Math.round(tokensPerSecond)} tokens/s  ${left} left`;
}
