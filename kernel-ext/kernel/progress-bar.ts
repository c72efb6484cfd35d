/** A bar below the cell that tells how far some work is; the engine's functions take it as it is. */
import type { Progress } from "../../src/core/progress.ts";
import { escapeHtml, type MimeBundle } from "./mime.ts";

/** Changes closer together than this are not worth a message. */
const minIntervalMs = 100;

/** Draws the bar anew: `update` is false for the first time. */
export type DrawBar = (bundle: MimeBundle, update: boolean) => void;

export class ProgressBar implements Progress {
  readonly #draw: DrawBar;
  readonly #now: () => number;
  #total: number;
  #done = 0;
  #label: string;
  #drawnMs = -Infinity;

  /** `total` is the amount of work; `now` a clock in ms. */
  constructor(total: number, label: string, draw: DrawBar, now: () => number) {
    this.#total = total;
    this.#label = label;
    this.#draw = draw;
    this.#now = now;
    draw(this.#bundle(), false);
  }

  /** Says that `done` of `total` is done. */
  update(done: number, total: number = this.#total, label: string = this.#label): void {
    this.#done = done;
    this.#total = total;
    this.#label = label;
    const nowMs = this.#now();
    if (nowMs - this.#drawnMs < minIntervalMs && done < total) return;
    this.#drawnMs = nowMs;
    this.#draw(this.#bundle(), true);
  }

  /** Says that one more unit is done. */
  step(): void {
    this.update(this.#done + 1);
  }

  /** Draws what came after the last drawing. */
  finish(): void {
    this.#draw(this.#bundle(), true);
  }

  #bundle(): MimeBundle {
    const [done, total] = [this.#done, this.#total];
    const percent = total > 0 ? Math.floor((100 * done) / total) : 100;
    const text = `${this.#label ? `${this.#label}: ` : ""}${done} of ${total} (${percent} %)`;
    const bar = `<progress value="${done}" max="${total}" style="width: 20em" aria-label="${escapeHtml(this.#label || "Progress")}"></progress>`;
    return { "text/html": `<div>${bar} ${escapeHtml(text)}</div>`, "text/plain": text };
  }
}
