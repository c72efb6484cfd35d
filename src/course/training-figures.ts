/** The figure of a training, whole or under way. */
import type { Baselines } from "../training/baselines.ts";
import type { Validation } from "../training/trainer.ts";
import type { Figure } from "./figures.ts";

/** More points than this say nothing more in a figure, and make a notebook large. */
const mostPoints = 200;

/** What a figure of losses is drawn from; losses are in nats per token. */
export interface LossHistory {
  /** One a step. */
  readonly losses: readonly number[];
  readonly validations: readonly Validation[];
}

/**
 * The loss of every step, or the mean of a few where there are many, the losses on text that nothing
 * is learned from, and what is reached without a past, as lines to fall below. In a notebook it is
 * live when it is shown again and again in one display:
 *
 *     onStep: ({ step }) =>
 *       show(lossFigure(trainer.state, baselines), { id: "loss", update: step > 1 })
 */
export function lossFigure(
  { losses, validations }: LossHistory,
  baselines?: Baselines,
  title = "Loss while training",
): Figure {
  const span = Math.max(1, Math.ceil(losses.length / mostPoints));
  const means = Array.from({ length: Math.ceil(losses.length / span) }, (_, i) =>
    mean(losses.slice(i * span, (i + 1) * span)),
  );
  const lastStep = Math.max(1, losses.length);
  const levels = Object.entries(baselines ?? {}).map(([name, loss]) => ({
    type: "scatter",
    mode: "lines",
    name: levelNames[name as keyof Baselines],
    x: [1, lastStep],
    y: [loss, loss].map(rounded),
    line: { dash: "dot", width: 1 },
  }));
  return {
    data: [
      {
        type: "scatter",
        mode: "lines",
        name: span > 1 ? `training, mean of ${span} steps` : "training",
        x: means.map((_, i) => Math.min(losses.length, (i + 1) * span)),
        y: means.map(rounded),
      },
      {
        type: "scatter",
        mode: "lines+markers",
        name: "validation",
        x: validations.map(({ step }) => step),
        y: validations.map(({ loss }) => rounded(loss)),
      },
      ...levels,
    ],
    layout: {
      title: { text: title },
      height: 380,
      xaxis: { title: { text: "step" } },
      yaxis: { title: { text: "nats per token" }, rangemode: "tozero" },
      legend: { orientation: "h", y: -0.25 },
    },
  };
}

const levelNames: Readonly<Record<keyof Baselines, string>> = {
  uniform: "every token equally likely",
  unigram: "from its frequency",
  bigram: "from the token before",
};

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
