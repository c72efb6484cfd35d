/** A deadline that stands still while it is not the other side's turn. */

/** Calls `expire` once `ms` of running time have passed; owns its timer until `stop`. */
export class Deadline {
  readonly #expire: () => void;
  #leftMs: number;
  #startedAt = 0;
  #holds = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, expire: () => void) {
    this.#leftMs = ms;
    this.#expire = expire;
    this.#start();
  }

  /** Stops the clock until as many calls of `resume`. */
  hold(): void {
    if (this.#holds++ > 0) return;
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#startedAt;
  }

  resume(): void {
    if (--this.#holds === 0) this.#start();
  }

  /** Ends it for good: neither `resume` nor time can make it expire. */
  stop(): void {
    this.#holds = Infinity;
    clearTimeout(this.#timer);
  }

  #start(): void {
    this.#startedAt = performance.now();
    this.#timer = setTimeout(this.#expire, Math.max(0, this.#leftMs));
  }
}
