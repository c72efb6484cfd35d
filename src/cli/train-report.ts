/** What `infinity train` reports about a training, whole or stopped. */
import type { Baselines } from "../training/baselines.ts";
import { baselinesOfSession, type TrainingSession } from "../training/session.ts";
import type { Validation } from "../training/trainer.ts";
import { numParameters } from "../training/transformer-shape.ts";
import type { PresetName } from "../training/recipe.ts";
import { textTable } from "./text-table.ts";

/** What was done in this run of the command. */
interface Effort {
  readonly steps: number;
  readonly seconds: number;
}

/** What `--json` prints; losses are in nats per token. */
export interface TrainingReport {
  readonly preset: PresetName;
  readonly backend: string;
  readonly parameters: number;
  readonly steps: number;
  readonly trainedTokens: number;
  readonly textTokens: number;
  /** Of this run of the command, validation and checkpoints included. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
  readonly firstLoss: number | null;
  /** The mean of the last tenth of the steps. */
  readonly lastLoss: number | null;
  readonly validationLoss: number | null;
  /** Null where nothing was held out to judge them by. */
  readonly baselines: Baselines | null;
  readonly losses: readonly number[];
  readonly validations: readonly Validation[];
}

/** Sums a training up. */
export function reportOf(session: TrainingSession, { steps, seconds }: Effort): TrainingReport {
  const { preset, backend, text } = session;
  const { recipe, state, step } = session.trainer;
  const { shape, windowsPerStep } = recipe;
  const tokensPerStep = windowsPerStep * shape.contextLength;
  const ending = state.losses.slice(-Math.ceil(state.losses.length / 10));
  const sum = ending.reduce((total, loss) => total + loss, 0);
  return {
    preset,
    backend,
    parameters: numParameters(shape),
    steps: step,
    trainedTokens: step * tokensPerStep,
    textTokens: text.train.length,
    seconds,
    tokensPerSecond: (steps * tokensPerStep) / seconds,
    firstLoss: state.losses[0] ?? null,
    lastLoss: ending.length > 0 ? sum / ending.length : null,
    validationLoss: state.validations.at(-1)?.loss ?? null,
    baselines: baselinesOfSession(session) ?? null,
    losses: state.losses,
    validations: state.validations,
  };
}

/** The report for people. */
export function describeTraining(report: TrainingReport): string {
  const nats = (loss?: number | null): string => (loss == null ? "–" : `${loss.toFixed(3)} nats`);
  const { baselines } = report;
  return textTable(
    [
      ["model", `${report.preset}, ${report.parameters} parameters`],
      ["backend", report.backend],
      ["steps", `${report.steps}, ${report.trainedTokens} tokens`],
      [
        "this run",
        `${report.seconds.toFixed(1)} s, ${Math.round(report.tokensPerSecond)} tokens/s`,
      ],
      ["loss, first step", nats(report.firstLoss)],
      ["loss, last tenth", nats(report.lastLoss)],
      ["validation", nats(report.validationLoss)],
      ["every token equally likely", nats(baselines?.uniform)],
      ["from its frequency", nats(baselines?.unigram)],
      ["from the token before", nats(baselines?.bigram)],
    ],
    [],
  );
}
