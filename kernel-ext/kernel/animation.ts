/**
 * Frames behind a slider, as HTML that needs nothing else. A reader without scripts sees the first
 * frame and how many there are.
 */
import { randomUUID } from "node:crypto";
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
  const panes = frames.map((frame, i) => `<div${i === 0 ? "" : " hidden"}>${htmlOf(frame)}</div>`);
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

function page(panes: readonly string[], names: readonly string[], intervalMs: number): string {
  const id = `animation-${randomUUID()}`;
  // `<` could end the script.
  const data = JSON.stringify(names).replace(/</g, "\\u003c");
  return `<div id="${id}">
<div><button type="button" aria-label="Play">▶</button>
<input type="range" min="0" max="${panes.length - 1}" value="0" aria-label="Frame" style="width: 20em">
<output>${escapeHtml(names[0]!)}</output></div>
<div>${panes.join("")}</div>
</div>
<script>
(() => {
  const box = document.getElementById("${id}");
  const [button, slider, label] = ["button", "input", "output"].map((tag) => box.querySelector(tag));
  const frames = [...box.lastElementChild.children];
  const names = ${data};
  let timer;
  const draw = () => {
    frames.forEach((frame, i) => { frame.hidden = i !== Number(slider.value); });
    label.textContent = names[slider.value];
  };
  const stop = () => { clearInterval(timer); timer = undefined; button.textContent = "▶"; };
  slider.addEventListener("input", draw);
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "⏸";
    timer = setInterval(() => {
      if (!box.isConnected) return stop();
      slider.value = (Number(slider.value) + 1) % frames.length;
      draw();
    }, ${intervalMs});
  });
})();
</script>`;
}
