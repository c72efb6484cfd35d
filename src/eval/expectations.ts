/**
 * What one model expects in windows that several others are compared in: computed when it is asked for,
 * and kept as far as there is room, because most of a comparison's time would go there.
 */
import { rowOf, scoredRows, type ScoredRows, type Scorer } from "./scored-rows.ts";
import type { TextWindow } from "./windows.ts";

/** Half a gigabyte of logits: 64,000 tokens of a vocabulary of 2,000, 4,000 of one of 32,000. */
const defaultMostBytes = 2 ** 29;

/** The expectations of a model for one text. */
export class Expectations {
  readonly #scorer: Scorer;
  readonly #tokens: Int32Array;
  readonly #mostBytes: number;
  readonly #pause: () => Promise<void> | void;
  readonly #kept = new Map<TextWindow, readonly ScoredRows[]>();
  #numBytes = 0;

  /** Keeps at most `mostBytes` of logits; `pause` is awaited before each forward pass. */
  constructor(
    scorer: Scorer,
    tokens: Int32Array,
    {
      mostBytes = defaultMostBytes,
      pause = () => undefined,
    }: { readonly mostBytes?: number; readonly pause?: () => Promise<void> | void } = {},
  ) {
    this.#scorer = scorer;
    this.#tokens = tokens;
    this.#mostBytes = mostBytes;
    this.#pause = pause;
  }

  /** Logits [vocabSize] for each scored token of `window`, in order. Throws as `scoredRows` does. */
  async *rows(window: TextWindow): AsyncGenerator<Float32Array, undefined> {
    const kept = this.#kept.get(window);
    const found: ScoredRows[] = [];
    let numMissing = window.end - window.scoreFrom;
    const bytes = Float32Array.BYTES_PER_ELEMENT * numMissing * this.#scorer.model.vocabSize;
    const keeps = !kept && this.#numBytes + bytes <= this.#mostBytes;
    if (keeps) this.#numBytes += bytes;
    for await (const some of kept ?? scoredRows(this.#scorer, this.#tokens, window, this.#pause)) {
      if (keeps) found.push(some);
      numMissing -= some.targets.length;
      // Nobody may ask for more after the last row.
      if (keeps && numMissing === 0) this.#kept.set(window, found);
      for (const row of some.targets.keys()) yield rowOf(some, row);
    }
    return undefined;
  }
}
