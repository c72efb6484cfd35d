/** A small drawing of two lists of numbers, one over the other, as SVG without scripts or fonts. */
import { close } from "./compare.ts";

const width = 360;
const height = 96;
const margin = 4;

type Values = readonly (number | null)[];

/** Expected as steps, got as dots: where they agree the dots lie on the steps. Null leaves a gap. */
export function listPicture(expected: Values, got: Values): string {
  const numbers = [...expected, ...got].filter((value) => value !== null);
  if (numbers.length === 0) return "";
  const low = Math.min(...numbers, 0);
  const high = Math.max(...numbers, 0);
  const count = Math.max(expected.length, got.length);
  const x = (i: number): number => margin + (i * (width - 2 * margin)) / count;
  // Halves, because the distance of two large numbers may not be a number.
  const y = (value: number): number =>
    margin +
    (height - 2 * margin) * (high === low ? 0.5 : (high / 2 - value / 2) / (high / 2 - low / 2));
  const label = `${differing(expected, got)} of ${count} elements differ`;
  return `<svg viewBox="0 0 ${width} ${height + 18}" role="img" aria-label="Expected and got, drawn: ${label}."><line x1="${margin}" x2="${width - margin}" y1="${fixed(y(0))}" y2="${fixed(y(0))}" stroke="currentColor" stroke-opacity=".3"/><path d="${steps(expected, x, y)}" fill="none" stroke="#0072b2" stroke-width="2"/>${dots(got, x, y)}<g font-size="11" fill="currentColor"><rect x="4" y="${height + 7}" width="14" height="3" fill="#0072b2"/><text x="22" y="${height + 13}">expected</text><circle cx="88" cy="${height + 9}" r="3" fill="#d55e00"/><text x="96" y="${height + 13}">got</text><text x="${width - margin}" y="${height + 13}" text-anchor="end">${label}</text></g></svg>`;
}

type Scale = (value: number) => number;

function steps(values: Values, x: Scale, y: Scale): string {
  return values
    .map((value, i) => {
      if (value === null) return "";
      const move = i === 0 || values[i - 1] === null ? "M" : "L";
      return `${move}${fixed(x(i))} ${fixed(y(value))}H${fixed(x(i + 1))}`;
    })
    .join("");
}

function dots(values: Values, x: Scale, y: Scale): string {
  const radius = values.length > 128 ? 1.2 : values.length > 32 ? 2 : 3;
  return values
    .map((value, i) =>
      value === null
        ? ""
        : `<circle cx="${fixed(x(i + 0.5))}" cy="${fixed(y(value))}" r="${radius}" fill="#d55e00"/>`,
    )
    .join("");
}

/** How many elements differ by more than the graded tests' default tolerance. */
function differing(expected: Values, got: Values): number {
  const agree = close(1e-6);
  const longest = expected.length > got.length ? expected : got;
  return longest.filter((_, i) => !agree(got[i], expected[i])).length;
}

function fixed(value: number): string {
  return String(Math.round(value * 10) / 10);
}
