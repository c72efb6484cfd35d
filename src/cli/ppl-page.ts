/** The figures of `infinity ppl` as one page that needs nothing else: table, curve, pareto figure. */
import type { DegradationRow } from "../compress/degradation.ts";
import { escapeHtml } from "../course/slides/safe-html.ts";
import { bestCompromises, tableCells, type PplReport } from "./ppl-report.ts";

const contentPolicy = "default-src 'none'; style-src 'unsafe-inline'";
const chart = { width: 640, height: 340, left: 70, right: 30, top: 20, bottom: 48 } as const;
const numTicks = 5;

interface Point {
  readonly label: string;
  readonly x: number;
  readonly y: number;
  /** Half the length of the bar through the point. */
  readonly error: number;
}

interface Chart {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly points: readonly Point[];
  /** Joined from left to right. */
  readonly line: readonly Point[];
}

/** The page. */
export function degradationPage(report: PplReport): string {
  const { model, text, method, context, rows } = report;
  const title = `What compression costs ${model}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy}">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>Measured on ${escapeHtml(text)}, method ${method}, context ${context}. Bars are one standard error.</p>
${tableHtml(rows)}
${chartSvg(curveChart(rows))}
${chartSvg(paretoChart(rows))}
</body>
</html>
`;
}

const style = `
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --faint: #8888; --mark: #0b62a8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #161616; --mark: #6cb6ff; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
td, th { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid var(--faint); white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
svg { width: 100%; max-width: 48rem; height: auto; display: block; margin: 2rem 0; }
svg text { fill: var(--ink); font-size: 12px; }
svg .axis, svg .grid { stroke: var(--faint); }
svg .line { stroke: var(--mark); fill: none; stroke-width: 2; }
svg .point { fill: var(--mark); }
svg .error { stroke: var(--mark); }
`;

function tableHtml(rows: readonly DegradationRow[]): string {
  const [head, ...lines] = tableCells(rows);
  const line = (tag: string, cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  return `<div class="wide"><table>
<thead>${line("th", head!)}</thead>
<tbody>${lines.map((cells) => line("td", cells)).join("\n")}</tbody>
</table></div>`;
}

function curveChart(rows: readonly DegradationRow[]): Chart {
  const points = rows.map((row) => pointOf(row, row.bitsPerWeight));
  return {
    title: "Degradation curve",
    xTitle: "bits per weight",
    yTitle: "perplexity",
    points,
    line: points,
  };
}

function paretoChart(rows: readonly DegradationRow[]): Chart {
  const megabytes = ({ fileBytes }: DegradationRow): number => fileBytes / 1e6;
  return {
    title: "Size against perplexity; the line joins what nothing beats in both",
    xTitle: "file size, MB",
    yTitle: "perplexity",
    points: rows.map((row) => pointOf(row, megabytes(row))),
    line: bestCompromises(rows).map((row) => pointOf(row, megabytes(row))),
  };
}

function pointOf({ quant, ppl, stderr }: DegradationRow, x: number): Point {
  return { label: quant, x, y: ppl, error: stderr ?? 0 };
}

function chartSvg({ title, xTitle, yTitle, points, line }: Chart): string {
  const { width, height, left, right, top, bottom } = chart;
  const xs = range(points.map(({ x }) => x));
  const ys = range(points.flatMap(({ y, error }) => [y - error, y + error]));
  const atX = (x: number): number =>
    left + ((x - xs.low) / (xs.high - xs.low)) * (width - left - right);
  const atY = (y: number): number =>
    height - bottom - ((y - ys.low) / (ys.high - ys.low)) * (height - top - bottom);
  const joined = [...line]
    .sort((a, b) => a.x - b.x)
    .map(({ x, y }) => `${atX(x).toFixed(1)},${atY(y).toFixed(1)}`)
    .join(" ");
  return `<figure><figcaption>${escapeHtml(title)}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${title}: ${yTitle} over ${xTitle}`)}">
${ticks(xs)
  .map((x) => tickX(atX(x), x))
  .join("\n")}
${ticks(ys)
  .map((y) => tickY(atY(y), y))
  .join("\n")}
<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${escapeHtml(xTitle)}</text>
<text transform="translate(14 ${height / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(yTitle)}</text>
<polyline class="line" points="${joined}"/>
${points.map((point) => pointSvg(point, atX(point.x), atY)).join("\n")}
</svg></figure>`;
}

function pointSvg({ label, y, error }: Point, x: number, atY: (y: number) => number): string {
  const at = x.toFixed(1);
  return `<line class="error" x1="${at}" x2="${at}" y1="${atY(y - error).toFixed(1)}" y2="${atY(y + error).toFixed(1)}"/>
<circle class="point" cx="${at}" cy="${atY(y).toFixed(1)}" r="4"/>
<text x="${(x + 7).toFixed(1)}" y="${(atY(y) - 7).toFixed(1)}">${escapeHtml(label)}</text>`;
}

function tickX(at: number, value: number): string {
  const bottom = chart.height - chart.bottom;
  return `<line class="grid" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${chart.top}" y2="${bottom}"/>
<text x="${at.toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${String(Number(value.toPrecision(3)))}</text>`;
}

function tickY(at: number, value: number): string {
  return `<line class="grid" x1="${chart.left}" x2="${chart.width - chart.right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}"/>
<text x="${chart.left - 6}" y="${(at + 4).toFixed(1)}" text-anchor="end">${String(Number(value.toPrecision(4)))}</text>`;
}

/** From the least to the greatest and a little beyond. */
function range(values: readonly number[]): { low: number; high: number } {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = (most - least || Math.abs(most) || 1) * 0.06;
  return { low: least - margin, high: most + margin };
}

/** Even steps inside the range. */
function ticks({ low, high }: { low: number; high: number }): number[] {
  return Array.from({ length: numTicks }, (_, i) => low + ((i + 0.5) / numTicks) * (high - low));
}
