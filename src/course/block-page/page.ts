/**
 * The blocks of a serving engine over time as one page that needs nothing else: every block with those
 * that use it, what happened in a step, where each sequence lies, and a slider.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BlockFilm, BlockFrame } from "../../runtime/block-film.ts";
import { eventText, stepText } from "../../runtime/block-log.ts";
import { escapeHtml } from "../slides/safe-html.ts";

/** The memory that is shown. */
export interface ShownMemory {
  readonly numBlocks: number;
  readonly blockSize: number;
}

/** A block in a frame, as the player draws it. */
interface Cell {
  /** Who uses it, such as 1 or 2a+2b; "" where nobody does. */
  readonly users: string;
  /** The first user's request; 0 where it is free. */
  readonly colour: number;
  /** What has just happened to it, or what it is. */
  readonly state: "new" | "shared" | "copied" | "used" | "freed" | "cached" | "free";
}

const contentPolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

const legend = {
  new: "just assigned",
  shared: "just shared",
  copied: "just copied before a write",
  freed: "just given back",
  cached: "free, and what it holds can be found",
} as const;

/** The page. `title` is plain text. */
export function blockPage(title: string, memory: ShownMemory, film: BlockFilm): string {
  const file = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");
  const frames = film.frames.map((frame) => shown(frame, memory, film));
  const data = JSON.stringify(frames).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy}">
<title>${escapeHtml(title)}: the blocks over time</title>
<style>
${file("page.css")}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}: the blocks over time</h1>
<p>${memory.numBlocks} blocks of ${memory.blockSize} tokens. Each cell is a block with its number and the requests that use it; a colour is a request.</p>
<ul class="legend">${Object.entries(legend)
    .map(([state, label]) => `<li><span class="swatch ${state}"></span>${label}</li>`)
    .join("")}</ul>
</header>
<div class="controls"><button type="button" id="play" aria-label="Play">▶</button>
<input type="range" id="step" min="0" max="${Math.max(0, frames.length - 1)}" value="0" aria-label="Step">
<output id="now" for="step"></output></div>
<p id="summary"></p>
<ol id="blocks" start="0" aria-label="Blocks"></ol>
<div class="columns">
<section><h2>In this step</h2><ul id="events"></ul></section>
<section><h2>Block tables</h2><ul id="tables"></ul></section>
</div>
<script type="application/json" id="film">${data}</script>
<script>
${file("player.js")}</script>
</body>
</html>
`;
}

function shown(
  frame: BlockFrame,
  { numBlocks }: ShownMemory,
  film: BlockFilm,
): {
  step: number;
  summary: string;
  events: string[];
  tables: string[];
  cells: Cell[];
} {
  const nameOf = (sequence: number): string => film.nameOf(sequence);
  return {
    step: frame.report.step,
    summary: stepText(frame.report),
    events: frame.events.map((event) => eventText(event, nameOf)),
    tables: frame.tables.map(
      ({ sequence, numTokens, blocks }) =>
        `${nameOf(sequence)}: ${numTokens} tokens in ${blocks.join(", ")}`,
    ),
    cells: Array.from({ length: numBlocks }, (_, block) => cellOf(block, frame, film)),
  };
}

function cellOf(block: number, frame: BlockFrame, film: BlockFilm): Cell {
  const users = frame.tables
    .filter(({ blocks }) => blocks.includes(block))
    .map(({ sequence }) => sequence);
  return {
    users: users.map((sequence) => film.nameOf(sequence)).join("+"),
    colour: users.length > 0 ? (film.requestOf(users[0]!) ?? 0) : 0,
    state: stateOf(block, frame, users.length > 0),
  };
}

/** The last thing that happened to it in this step. */
function stateOf(
  block: number,
  { events, cachedFree }: BlockFrame,
  isUsed: boolean,
): Cell["state"] {
  const states = events.flatMap((event): Cell["state"][] => {
    if (event.type === "copied" && event.to === block) return ["copied"];
    if (!("block" in event) || event.block !== block) return [];
    if (event.type === "assigned") return ["new"];
    return event.type === "shared" ? ["shared"] : ["freed"];
  });
  const last = states.at(-1);
  if (isUsed) return last === undefined || last === "freed" ? "used" : last;
  if (last === "freed") return "freed";
  return cachedFree.includes(block) ? "cached" : "free";
}
