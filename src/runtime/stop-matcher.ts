/** Ends a streamed text before a string that is not to appear in it. */

/** What is certain of a text. */
export interface MatchedText {
  readonly text: string;
  /** Whether a stop string has come; the text ends before it. */
  readonly hasStopped: boolean;
}

/** Holds back what may be the beginning of a stop string. */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = "";

  /** Empty strings stop nothing. */
  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== "");
  }

  /** Adds text, and returns what is certain now. */
  push(text: string): MatchedText {
    const all = this.#held + text;
    const ends = this.#stops.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
    if (ends.length > 0) {
      this.#held = "";
      return { text: all.slice(0, Math.min(...ends)), hasStopped: true };
    }
    const numHeld = Math.max(0, ...this.#stops.map((stop) => overlapOf(all, stop)));
    this.#held = all.slice(all.length - numHeld);
    return { text: all.slice(0, all.length - numHeld), hasStopped: false };
  }

  /** What was held back, at the end of the text. */
  flush(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }
}

/** The length of the longest end of `text` that `stop` begins with. */
function overlapOf(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
