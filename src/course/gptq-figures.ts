/**
 * The figures of notebook 02: which inputs of a layer move together, and what the rounding of each
 * column does to the columns behind it. Blue is negative and orange positive, for the colour-blind too,
 * and 0 is nearly clear, on a light page as on a dark one. Colours end where most values do, so that the
 * diagonals, which are far greater, do not leave everything else pale; a pointer reads the values.
 */
import type { Figure } from "./figures.ts";

const colorscale = [
  [0, "rgb(31, 119, 200)"],
  [0.5, "rgba(128, 128, 128, 0.08)"],
  [1, "rgb(230, 120, 20)"],
] as const;

/** The correlation that has the strongest colour. */
const strongestCorrelation = 0.5;

/** The ripple that has the strongest colour, as a part of the greatest change of a rounded column itself. */
const strongestRipple = 0.2;

/**
 * H [cols, cols] as correlations around 0, H[i, j] / √(H[i, i] · H[j, j]), of its first `count` inputs.
 * Inputs that were always 0 correlate with nothing.
 */
export function correlationFigure(
  title: string,
  H: Float64Array,
  cols: number,
  count: number = cols,
): Figure {
  const correlation = (i: number, j: number): number => {
    const scale = Math.sqrt(H[i * cols + i]! * H[j * cols + j]!);
    return scale === 0 ? 0 : H[i * cols + j]! / scale;
  };
  return squareMap(title, count, correlation, {
    rows: "input",
    columns: "input",
    limit: strongestCorrelation,
  });
}

/**
 * What each step does to the weights of one row: −e · U[i, j] for the row's `errors` e [any] of as many
 * first columns i, and U `upper` [cols, cols]. On the diagonal is what rounding does to the column itself.
 */
export function ripplesFigure(
  title: string,
  errors: ArrayLike<number>,
  upper: Float64Array,
  cols: number,
): Figure {
  const change = (i: number, j: number): number | null =>
    j < i ? null : -errors[i]! * upper[i * cols + j]!;
  let greatest = 0;
  for (let i = 0; i < errors.length; i++)
    greatest = Math.max(greatest, Math.abs(change(i, i) ?? 0));
  return squareMap(title, errors.length, change, {
    ...{
      rows: "column that is rounded",
      columns: "column that is changed",
      limit: strongestRipple * greatest,
    },
  });
}

function squareMap(
  title: string,
  count: number,
  valueAt: (row: number, column: number) => number | null,
  {
    rows,
    columns,
    limit,
  }: { readonly rows: string; readonly columns: string; readonly limit: number },
): Figure {
  const z = Array.from({ length: count }, (_, i) =>
    Array.from({ length: count }, (_, j) => {
      const value = valueAt(i, j);
      return value === null ? null : rounded(value, limit);
    }),
  );
  const axis = { showgrid: false, zeroline: false, constrain: "domain" } as const;
  return {
    data: [
      {
        ...{ type: "heatmap", z, zmin: -limit, zmax: limit, colorscale },
        colorbar: { thickness: 12 },
        hovertemplate: `${rows} %{y}, ${columns} %{x}: %{z:.3f}<extra></extra>`,
      },
    ],
    layout: {
      title: { text: title },
      height: 520,
      xaxis: { ...axis, title: { text: columns } },
      yaxis: { ...axis, title: { text: rows }, autorange: "reversed", scaleanchor: "x" },
    },
  };
}

/** A hundredth of the greatest is more than a colour shows, and keeps the notebook small. */
function rounded(value: number, limit: number): number {
  return limit === 0
    ? 0
    : Number((Math.round((100 * value) / limit) * (limit / 100)).toPrecision(3));
}
