/**
 * Frames behind a slider, as HTML that needs nothing else. A reader without scripts sees the first
 * frame and how many there are.
 */
import { UsageError } from "../../src/core/errors.ts";
import { escapeHtml, htmlOf, type MimeBundle } from "./mime.ts";

/** How an animation is shown. */
export interface AnimationOptions {
  /** What each frame is called beside the slider; its number where there is none. */
  readonly labels?: readonly string[];
  /** Time from frame to frame while it plays. Milliseconds. */
  readonly intervalMs?: number;
}

const maxFrames = 500;
/** Half of what a whole notebook may have. */
const maxUnits = 2 ** 19;

/** An animation of displayed values. Throws UsageError for none, or for more than a notebook holds. */
export function animation(
  frames: readonly MimeBundle[],
  { labels = [], intervalMs = 200 }: AnimationOptions,
): MimeBundle {
  if (frames.length === 0 || frames.length > maxFrames) {
    throw new UsageError(`An animation has 1 to ${maxFrames} frames; these are ${frames.length}.`);
  }
  const names = frames.map((_, i) => labels[i] ?? `${i + 1} of ${frames.length}`);
  const panes = frames.map(htmlOf);
  const numUnits = panes.reduce((sum, pane) => sum + pane.length, 0);
  if (numUnits > maxUnits) {
    throw new UsageError(
      `The frames take ${numUnits} characters of HTML and may take ${maxUnits}: show fewer, or smaller ones.`,
    );
  }
  return {
    "text/html": page(panes, names, intervalMs),
    "text/plain": `Animation of ${frames.length} frames, from ${names[0]!} to ${names.at(-1)!}.`,
  };
}

/**
 * Handlers stand in attributes: a page may put the HTML together before it is part of the document,
 * where a script would not find it.
 */
const draw = `const frames = this.closest("[data-animation]").lastElementChild.children;
for (let i = 0; i < frames.length; i++) frames[i].hidden = i !== Number(this.value);
this.nextElementSibling.textContent = frames[this.value].dataset.label;`;

const play = (intervalMs: number): string => `const button = this;
const slider = button.nextElementSibling;
const stop = () => { clearInterval(button.timer); button.timer = 0; button.textContent = "▶"; };
if (button.timer) stop();
else {
  button.textContent = "⏸";
  button.timer = setInterval(() => {
    if (!button.isConnected) { stop(); return; }
    slider.value = (Number(slider.value) + 1) % (Number(slider.max) + 1);
    slider.dispatchEvent(new Event("input"));
  }, ${intervalMs});
}`;

function page(panes: readonly string[], names: readonly string[], intervalMs: number): string {
  const frames = panes.map(
    (pane, i) =>
      `<div data-label="${escapeHtml(names[i]!)}"${i === 0 ? "" : " hidden"}>${pane}</div>`,
  );
  // JupyterLab would take the arrow keys for its own.
  return `<div data-animation>
<div onkeydown="event.stopPropagation()"><button type="button" aria-label="Play" onclick="${escapeHtml(play(intervalMs))}">▶</button>
<input type="range" min="0" max="${panes.length - 1}" value="0" aria-label="Frame" style="width: 20em" oninput="${escapeHtml(draw)}">
<output>${escapeHtml(names[0]!)}</output></div>
<div>${frames.join("")}</div>
</div>`;
}
