/**
 * How long work says how far it is. The work takes a `Progress`; the command line shows a bar, the
 * notebook a display that updates, a test nothing.
 */

/** Receives the state of one piece of work; `total` may grow while the work goes on. */
export interface Progress {
  update(done: number, total: number, label?: string): void;
  finish(): void;
}

/** Shows nothing. */
export const silent: Progress = {
  update: () => undefined,
  finish: () => undefined,
};
