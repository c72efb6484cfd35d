/**
 * The figures of notebook 05: what a draft and a target want, and what each pass of the target gave.
 * Colours are left to the notebook's theme; bars also differ by pattern.
 */
import type { PassFigures } from "../runtime/speculative-length.ts";
import type { Figure } from "./figures.ts";

const patterns = ["", "/", ".", "x"] as const;

/** Distributions over the same few tokens, side by side. */
export function distributionsFigure(
  title: string,
  tokens: readonly string[],
  distributions: Readonly<Record<string, ArrayLike<number>>>,
): Figure {
  return {
    data: Object.entries(distributions).map(([name, probabilities], i) => ({
      type: "bar",
      name,
      x: tokens,
      y: Array.from(probabilities, rounded),
      marker: patterned(i),
      hovertemplate: "%{x}: %{y}<extra>%{fullData.name}</extra>",
    })),
    layout: {
      title: { text: title },
      height: 340,
      barmode: "group",
      xaxis: { type: "category" },
      yaxis: { title: { text: "probability" }, rangemode: "tozero" },
      legend: { orientation: "h", y: -0.2 },
    },
  };
}

/**
 * A bar for each pass of the target: guesses that were accepted, the token of the target's own, and,
 * downwards, guesses that were made in vain.
 */
export function passesFigure(title: string, passes: readonly PassFigures[]): Figure {
  // A text may end among the accepted guesses.
  const written = ({ numAccepted, numTokens }: PassFigures): number =>
    Math.min(numAccepted, numTokens);
  const bars: readonly (readonly [string, (pass: PassFigures) => number])[] = [
    ["accepted guesses", written],
    ["the target's own token", (pass) => pass.numTokens - written(pass)],
    ["guesses in vain", (pass) => written(pass) - pass.length],
  ];
  return {
    data: bars.map(([name, height], i) => ({
      type: "bar",
      name,
      x: passes.map((_, pass) => pass + 1),
      y: passes.map(height),
      marker: patterned(i),
      hovertemplate: "pass %{x}: %{y}<extra>%{fullData.name}</extra>",
    })),
    layout: {
      title: { text: title },
      height: 350,
      barmode: "relative",
      xaxis: { title: { text: "pass of the target" } },
      yaxis: { title: { text: "tokens" }, dtick: 1 },
      legend: { orientation: "h", y: -0.45 },
    },
  };
}

function patterned(i: number): object {
  return {
    pattern: { shape: patterns[i % patterns.length]!, fillmode: "overlay", solidity: 0.25 },
  };
}

/** Six digits are more than a figure shows and keep the notebook small. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
