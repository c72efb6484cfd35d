/**
 * Prints the table of README.md beside this file, from the models and from what `infinity train --json`
 * said when they were trained: `node --import tsx datasets/models/figures.ts`.
 */
import { readFileSync, statSync } from "node:fs";
import { shippedModel, shippedModelNames } from "../../src/corpus/shipped-models.ts";
import type { TrainingReport } from "../../src/cli/train-report.ts";
import { presets } from "../../src/training/recipe.ts";

const columns = shippedModelNames.map((name) => {
  const file = shippedModel(name);
  const text = readFileSync(file.replace(/gguf$/, "training.json"), "utf8");
  return { name, file, report: JSON.parse(text) as TrainingReport };
});

const nats = (loss?: number | null): string => (loss == null ? "" : loss.toFixed(3));
const whole = (count: number): string => count.toLocaleString("en-GB");

const rows: readonly (readonly [string, (column: (typeof columns)[number]) => string])[] = [
  ["parameters", ({ report }) => whole(report.parameters)],
  ["bytes of the F16 file", ({ file }) => whole(statSync(file).size)],
  ["layers, width, width of the feed-forward part", ({ name }) => shapeOf(name)],
  ["heads, heads of keys and values", ({ name }) => headsOf(name)],
  ["context in tokens", ({ name }) => whole(presets[name].shape.contextLength)],
  ["steps, of 8 windows of 512 tokens", ({ report }) => whole(report.steps)],
  ["tokens learned from, each once", ({ report }) => whole(report.trainedTokens)],
  [
    "minutes on two cores with other work",
    ({ report }) => (report.trainedTokens / report.tokensPerSecond / 60).toFixed(0),
  ],
  ["validation loss in nats per token", ({ report }) => nats(report.validationLoss)],
  ["every token equally likely", ({ report }) => nats(report.baselines?.uniform)],
  ["from its frequency", ({ report }) => nats(report.baselines?.unigram)],
  ["from the token before", ({ report }) => nats(report.baselines?.bigram)],
];

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
console.log(line(["", ...columns.map(({ name }) => name)]));
console.log(line(["---", ...columns.map(() => "---")]));
for (const [title, cell] of rows) console.log(line([title, ...columns.map(cell)]));

function shapeOf(name: (typeof shippedModelNames)[number]): string {
  const { numLayers, hiddenSize, intermediateSize } = presets[name].shape;
  return `${numLayers}, ${hiddenSize}, ${intermediateSize}`;
}

function headsOf(name: (typeof shippedModelNames)[number]): string {
  const { numHeads, numKvHeads } = presets[name].shape;
  return `${numHeads}, ${numKvHeads}`;
}
