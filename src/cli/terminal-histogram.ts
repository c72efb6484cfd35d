/** A histogram for the terminal, in block characters. */
import { histogram } from "../quant/error.ts";

const blocks = " ▁▂▃▄▅▆▇█";
const width = 64;
const height = 5;

/** The counts of `values` over [low, high]: five lines of bars and an axis, 64 columns wide. */
export function terminalHistogram(values: Float32Array, low: number, high: number): string {
  const { counts } = histogram(values, width, low, high);
  const most = Math.max(...counts);
  const lines = Array.from({ length: height }, (_, line) =>
    Array.from(counts, (count) => block(count / most, height - 1 - line))
      .join("")
      .trimEnd(),
  );
  const left = low.toPrecision(3);
  const axis = left + high.toPrecision(3).padStart(width - left.length);
  return [...lines, "‾".repeat(width), axis].join("\n");
}

/** The part of a bar of height `share` that shows in `row`, counted from the bottom. */
function block(share: number, row: number): string {
  const eighths = Math.round((share * height - row) * 8);
  // The least count still shows, so that an outlier is not lost.
  if (row === 0 && share > 0) return blocks[Math.max(1, Math.min(8, eighths))]!;
  return blocks[Math.max(0, Math.min(8, eighths))]!;
}
