/**
 * Windows of tokens to train on: documents packed one after the other, cut into windows that an epoch
 * shows once each, in a seeded order. Which windows a step sees follows from the seed and the step
 * alone, so training that is resumed needs no state of a random generator.
 */
import { InputError } from "../core/errors.ts";
import { randomInt, seededRng, shuffle } from "../core/rng.ts";

/** Tokens of a text, documents one after the other, each closed by its end token. */
export type Tokens = Int32Array;

/** The windows of one text; each has a token more than the context, the last one's target. */
export class WindowSampler {
  readonly #tokens: Tokens;
  readonly #contextLength: number;
  readonly #seed: number;
  readonly #windowsPerEpoch: number;
  /** Where the windows of one epoch begin, in the order in which they are seen. */
  #order: { readonly epoch: number; readonly begins: readonly number[] } | undefined;

  /** Throws InputError where the text is shorter than two windows, or has a token out of range. */
  constructor(tokens: Tokens, contextLength: number, vocabSize: number, seed: number) {
    // An epoch begins somewhere in the first window, so that cuts fall differently each time.
    const windowsPerEpoch = Math.floor((tokens.length - contextLength) / contextLength);
    if (windowsPerEpoch < 1) {
      throw new InputError(
        `The text has ${tokens.length} tokens, and training on windows of ${contextLength} needs ${2 * contextLength} or more.`,
      );
    }
    checkTokens(tokens, vocabSize);
    this.#tokens = tokens;
    this.#contextLength = contextLength;
    this.#seed = seed;
    this.#windowsPerEpoch = windowsPerEpoch;
  }

  /** Windows in the text. */
  get windowsPerEpoch(): number {
    return this.#windowsPerEpoch;
  }

  /** Step `step`'s windows [numWindows, contextLength + 1], in shards of `windowsPerShard`. */
  shards(step: number, numWindows: number, windowsPerShard: number): Int32Array[] {
    const shards: Int32Array[] = [];
    for (let i = 0; i < numWindows; i += windowsPerShard) {
      const count = Math.min(windowsPerShard, numWindows - i);
      shards.push(this.#windows(step * numWindows + i, count));
    }
    return shards;
  }

  #windows(first: number, count: number): Int32Array {
    const size = this.#contextLength + 1;
    const windows = new Int32Array(count * size);
    for (let i = 0; i < count; i++) {
      const begin = this.#begin(first + i);
      windows.set(this.#tokens.subarray(begin, begin + size), i * size);
    }
    return windows;
  }

  #begin(index: number): number {
    const epoch = Math.floor(index / this.#windowsPerEpoch);
    if (this.#order?.epoch !== epoch) this.#order = { epoch, begins: this.#beginsOf(epoch) };
    return this.#order.begins[index % this.#windowsPerEpoch]!;
  }

  #beginsOf(epoch: number): number[] {
    const rng = seededRng(this.#seed + (epoch + 1) * 2 ** 32);
    const offset = randomInt(rng, this.#contextLength);
    const begins = Array.from(
      { length: this.#windowsPerEpoch },
      (_, i) => offset + i * this.#contextLength,
    );
    return shuffle(begins, rng);
  }
}

/** The first windows of a text that nothing is learned from, in shards of one window. */
export function evaluationShards(
  tokens: Tokens,
  contextLength: number,
  vocabSize: number,
  mostWindows: number,
): Int32Array[] {
  checkTokens(tokens, vocabSize);
  const count = Math.min(mostWindows, Math.floor((tokens.length - 1) / contextLength));
  return Array.from({ length: count }, (_, i) =>
    tokens.slice(i * contextLength, (i + 1) * contextLength + 1),
  );
}

function checkTokens(tokens: Tokens, vocabSize: number): void {
  const stranger = tokens.find((token) => token < 0 || token >= vocabSize);
  if (stranger === undefined) return;
  throw new InputError(`${stranger} is no token: the model's vocabulary has ${vocabSize}.`);
}
