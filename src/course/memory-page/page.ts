/**
 * The memory of a serving engine over time as one page that needs nothing else: for each allocator a
 * map of the memory, a chart of where its slots are, and one slider for all.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MapCell, MemoryFrame } from "../../runtime/allocators/memory-map.ts";
import type { Simulation } from "../../runtime/allocators/simulate.ts";
import { escapeHtml } from "../slides/safe-html.ts";

/** One allocator's simulation with at least one frame. */
export interface FilmedRun {
  readonly simulation: Simulation;
  readonly frames: readonly MemoryFrame[];
}

const contentPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** The parts of a memory from the bottom of the chart to its top, and what they are called. */
const parts = {
  live: "tokens",
  reserved: "reserved, used later",
  internal: "never used (internal)",
  external: "free, too scattered (external)",
} as const;

const chart = { width: 600, height: 120 } as const;

/** The page. `title` is plain text. */
export function memoryPage(title: string, runs: readonly FilmedRun[]): string {
  const lastStep = Math.max(0, ...runs.map(({ frames }) => frames.at(-1)?.census.step ?? 0));
  const file = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy}">
<title>${escapeHtml(title)}: the memory over time</title>
<style>
${file("page.css")}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}: the memory over time</h1>
<p>Each cell is a piece of the memory for keys and values. A colour is a request; pale cells belong to a request and hold no token. Below each map are the parts of the memory over time; the dashed line is where a request first found none.</p>
<ul class="legend">${Object.entries(parts)
    .map(([part, label]) => `<li><span class="swatch ${part}"></span>${label}</li>`)
    .join("")}</ul>
</header>
<div class="controls"><button type="button" id="play" aria-label="Play">▶</button>
<input type="range" id="step" min="0" max="${lastStep}" value="0" aria-label="Step">
<output id="now" for="step">step 0</output></div>
<main>
${runs.map((run) => section(run, lastStep)).join("\n")}
</main>
<script type="application/json" id="film">${filmJson(runs)}</script>
<script>
${file("player.js")}</script>
</body>
</html>
`;
}

function section({ simulation, frames }: FilmedRun, lastStep: number): string {
  const { name, firstFailure, requestsServed, tokensServed } = simulation;
  const failure = firstFailure
    ? `first without memory: request ${firstFailure.request} at step ${firstFailure.step}`
    : "every request got memory when it asked";
  return `<section>
<h2>${escapeHtml(name)}</h2>
<p>${requestsServed} requests served, ${tokensServed} tokens; ${failure}</p>
<canvas role="img" aria-label="Map of the memory"></canvas>
<p class="figures"></p>
${chartSvg(simulation, frames, lastStep)}
</section>`;
}

/** Areas on top of each other, in slots over steps. */
function chartSvg(
  { numSlots, firstFailure }: Simulation,
  frames: readonly MemoryFrame[],
  lastStep: number,
): string {
  const x = (step: number): string => ((chart.width * step) / Math.max(1, lastStep)).toFixed(1);
  const y = (slots: number): string => (chart.height * (1 - slots / numSlots)).toFixed(1);
  const below = frames.map(() => 0);
  const areas = (Object.keys(parts) as (keyof typeof parts)[]).map((part) => {
    const point = (i: number): string => `${x(frames[i]!.census.step)},${y(below[i]!)}`;
    const bottom = frames.map((_, i) => point(i)).reverse();
    frames.forEach(({ census }, i) => (below[i]! += census[part]));
    const top = frames.map((_, i) => point(i));
    return `<polygon class="${part}" points="${[...top, ...bottom].join(" ")}"/>`;
  });
  const line = (kind: string, step: number): string =>
    `<line class="${kind}" x1="${x(step)}" x2="${x(step)}" y1="0" y2="${chart.height}"/>`;
  return `<svg viewBox="0 0 ${chart.width} ${chart.height}" preserveAspectRatio="none" role="img" aria-label="Slots over steps">
${areas.join("\n")}
${firstFailure ? line("failure", firstFailure.step) : ""}${line("cursor", 0)}
</svg>`;
}

function filmJson(runs: readonly FilmedRun[]): string {
  const film = runs.map(({ frames }) =>
    frames.map(({ census, cells }) => ({ ...census, cells: runLengths(cells) })),
  );
  return JSON.stringify(film).replaceAll("<", "\\u003c");
}

/** Codes and how often each comes: 0 for free, else twice the owner, and one more where it is live. */
function runLengths(cells: readonly (MapCell | null)[]): number[] {
  const runs: number[] = [];
  for (const cell of cells) {
    const code = cell === null ? 0 : 2 * cell.owner + Number(cell.isLive);
    if (runs.length > 0 && runs.at(-2) === code) runs[runs.length - 1]!++;
    else runs.push(code, 1);
  }
  return runs;
}
