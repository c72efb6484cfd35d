/**
 * The kernel's own troubles, for the log of the server that started it. A cell's output goes to
 * clients, and `process.stderr` with it, so this writes to the descriptor.
 */
import { writeSync } from "node:fs";

/** Writes one line; `trouble` is an error, or a sentence. */
export function log(trouble: unknown): void {
  const text = trouble instanceof Error ? (trouble.stack ?? trouble.message) : String(trouble);
  try {
    writeSync(2, `infinity kernel: ${text}\n`);
  } catch {
    // Nobody reads: the server is gone, and there is nowhere else to say so.
  }
}
