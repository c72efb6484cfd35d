/**
 * The figures of notebook 07: how sure a model was of each token, and what formats cost beside what they
 * save. Colours are left to the notebook's theme.
 */
import type { DegradationRow } from "../compress/degradation.ts";
import { paretoFront } from "../eval/pareto.ts";
import type { Figure } from "./figures.ts";

/** A bar for each token of a text: its loss in nats. */
export function lossesFigure(
  title: string,
  pieces: readonly string[],
  losses: ArrayLike<number>,
): Figure {
  return {
    data: [
      {
        type: "bar",
        x: pieces.map((_, i) => i),
        y: Array.from(losses, rounded),
        hovertext: pieces,
        hovertemplate: "%{hovertext}: %{y} nats<extra></extra>",
      },
    ],
    layout: {
      title: { text: title },
      height: 360,
      showlegend: false,
      xaxis: {
        tickmode: "array",
        tickvals: pieces.map((_, i) => i),
        ticktext: pieces.map((piece) => JSON.stringify(piece).slice(1, -1)),
        tickangle: -90,
      },
      yaxis: { title: { text: "loss, nats" } },
    },
  };
}

/** Perplexity over bits per weight; bars are the paired standard error of the step from F16. */
export function degradationFigure(title: string, rows: readonly DegradationRow[]): Figure {
  return compromises(title, rows, "bits per weight", ({ bitsPerWeight }) => bitsPerWeight, rows);
}

/** Perplexity over file size; a line joins the rows that no other beats in both. */
export function paretoFigure(title: string, rows: readonly DegradationRow[]): Figure {
  const front = paretoFront(rows, ({ fileBytes, ppl }) => [fileBytes, ppl]);
  return compromises(title, rows, "file size, MB", ({ fileBytes }) => fileBytes / 1e6, front);
}

function compromises(
  title: string,
  rows: readonly DegradationRow[],
  xTitle: string,
  xOf: (row: DegradationRow) => number,
  joined: readonly DegradationRow[],
): Figure {
  const line = [...joined].sort((a, b) => xOf(a) - xOf(b));
  return {
    data: [
      {
        type: "scatter",
        mode: "lines",
        x: line.map((row) => rounded(xOf(row))),
        y: line.map(({ ppl }) => rounded(ppl)),
        hoverinfo: "skip",
      },
      {
        type: "scatter",
        mode: "markers+text",
        x: rows.map((row) => rounded(xOf(row))),
        y: rows.map(({ ppl }) => rounded(ppl)),
        text: rows.map(({ quant }) => quant),
        // Neighbours of nearly one size would write over each other.
        textposition: rows.map((_, i) => (i % 2 === 0 ? "top right" : "bottom left")),
        marker: { size: 9 },
        error_y: {
          type: "data",
          array: rows.map(({ ppl, lossIncreaseStderr }) =>
            rounded(ppl * (lossIncreaseStderr ?? 0)),
          ),
        },
      },
    ],
    layout: {
      title: { text: title },
      height: 400,
      showlegend: false,
      xaxis: { title: { text: xTitle } },
      yaxis: { title: { text: "perplexity" } },
    },
  };
}

/** Six digits are more than a figure shows and keep the notebook small. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
