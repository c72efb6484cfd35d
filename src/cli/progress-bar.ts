/** `Progress` as a bar on stderr; nothing where stderr is no terminal, such as in a log. */
import { Presets, SingleBar } from "cli-progress";
import type { Progress } from "../core/progress.ts";

/** A bar that says what it counts, such as `tensors`. */
export function progressBar(what: string): Progress {
  const bar = new SingleBar(
    {
      format: `{bar} {value}/{total} ${what}  {label}`,
      clearOnComplete: true,
      stream: process.stderr,
    },
    Presets.shades_classic,
  );
  let started = false;
  return {
    update: (done, total, label = "") => {
      if (!started) bar.start(total, done, { label });
      started = true;
      bar.setTotal(total);
      bar.update(done, { label });
    },
    finish: () => {
      bar.stop();
    },
  };
}
