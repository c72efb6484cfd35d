/**
 * How many tokens to guess. Knows no clock: passes are recorded with what they took, so that the same
 * times give the same lengths.
 */
import { fastestLength } from "./speculative-speed.ts";

/** What a pass of the target, and the guessing before it, has taken and given. */
export interface PassFigures {
  /** Tokens that were guessed in a row; 0 for a plain pass. */
  readonly length: number;
  readonly numAccepted: number;
  /** Whether a guess was refused. */
  readonly wasRefused: boolean;
  readonly numTokens: number;
  readonly draftMs: number;
  readonly verifyMs: number;
}

/** Says how many tokens to guess next. */
export interface DraftLength {
  next(): number;
  record(pass: PassFigures): void;
}

/** Always the same. */
export function fixedLength(length: number): DraftLength {
  return { next: () => length, record: () => undefined };
}

export interface AdaptiveOptions {
  /** The most tokens to guess in a row. */
  readonly most?: number;
}

/** What a new measurement counts for beside the earlier ones. */
const weightOfNew = 0.2;
/** Passes after which an outcome counts for about a third. */
const memory = 1 - 1 / 32;
/** Plain passes before the first guess: the first of all warms up and is not counted. */
const plainPasses = 3;
const firstLength = 3;
/** Speculative passes between two that try another length. */
const triesEvery = 12;
/** Speculative passes between two plain ones, which cost more as the text grows. */
const plainEvery = 64;
/** Plain passes until guessing is tried again; doubles each time that it does not pay. */
const firstRest = 16;
const longestRest = 256;
/**
 * How much of plain decoding's time may be lost to guesses that did not pay, and how many plain passes
 * besides: over 128 tokens less than 5 %.
 */
const lossShare = 0.02;
const lossPasses = 2.5;

/**
 * Picks the length that measured acceptance and measured costs make fastest; 0, plain decoding, where
 * guessing does not pay. Guesses that were a loss are paid back by plain passes before the next.
 */
export class AdaptiveLength implements DraftLength {
  readonly #most: number;
  /** Milliseconds of the target's pass by length, smoothed. */
  readonly #verifyMs = new Map<number, number>();
  #draftMs: number | undefined;
  #numAccepted = 0;
  #numRefused = 0;
  /** Counted in milliseconds of plain passes for each token, less what was really spent. */
  #gainedMs = 0;
  #plainWorthMs = 0;
  #numPasses = 0;
  #sinceTry = 0;
  #sincePlain = 0;
  #rest = firstRest;

  constructor({ most = 8 }: AdaptiveOptions = {}) {
    this.#most = most;
  }

  next(): number {
    if (this.#numPasses < plainPasses || this.#sincePlain >= plainEvery) return 0;
    const first = Math.min(firstLength, this.#most);
    if (this.#draftMs === undefined) return first;
    if (this.#isLost(0)) return 0;
    const best = this.#fastest();
    if (best === 0) return this.#sinceTry >= this.#rest && this.#mayLose(first) ? this.#retry() : 0;
    this.#rest = firstRest;
    const other = this.#other(best);
    if (this.#sinceTry < triesEvery || !this.#mayLose(other)) return best;
    this.#sinceTry = 0;
    return other;
  }

  record({ length, numAccepted, wasRefused, numTokens, draftMs, verifyMs }: PassFigures): void {
    this.#numPasses += 1;
    this.#sinceTry += 1;
    if (this.#numPasses === 1) return;
    this.#verifyMs.set(length, smoothed(this.#verifyMs.get(length), verifyMs));
    this.#sincePlain = length === 0 ? 0 : this.#sincePlain + 1;
    const plainMs = this.#verifyMs.get(0)!;
    this.#plainWorthMs += numTokens * plainMs;
    if (length === 0) return;
    this.#gainedMs += numTokens * plainMs - draftMs - verifyMs;
    this.#draftMs = smoothed(this.#draftMs, draftMs / length);
    this.#numAccepted = this.#numAccepted * memory + numAccepted;
    this.#numRefused = this.#numRefused * memory + Number(wasRefused);
  }

  /** Whether so many milliseconds more would be more than may be lost. */
  #isLost(moreMs: number): boolean {
    const plainMs = this.#verifyMs.get(0)!;
    return moreMs - this.#gainedMs > lossShare * this.#plainWorthMs + lossPasses * plainMs;
  }

  /** Whether a guess of that length may fail altogether. */
  #mayLose(length: number): boolean {
    const plainMs = this.#verifyMs.get(0)!;
    const passMs = this.#estimate(length) + length * this.#draftMs!;
    return !this.#isLost(passMs - plainMs);
  }

  #fastest(): number {
    const plainMs = this.#verifyMs.get(0)!;
    // Half an accepted and half a refused token more: neither is ever certain.
    const acceptance = (this.#numAccepted + 0.5) / (this.#numAccepted + this.#numRefused + 1);
    const costs = {
      draft: this.#draftMs! / plainMs,
      verify: (length: number): number => this.#estimate(length) / plainMs,
    };
    return fastestLength(acceptance, costs, this.#most);
  }

  /** Milliseconds of a pass: measured, or on the line through the measured lengths around it. */
  #estimate(length: number): number {
    const measured = this.#verifyMs.get(length);
    if (measured !== undefined) return measured;
    const lengths = [...this.#verifyMs.keys()].sort((a, b) => a - b);
    const above = lengths.findIndex((known) => known > length);
    const end = above < 0 ? lengths.length - 1 : above;
    const [low, high] = [lengths[end - 1]!, lengths[end]!];
    const [lowMs, highMs] = [this.#verifyMs.get(low)!, this.#verifyMs.get(high)!];
    return lowMs + ((highMs - lowMs) * (length - low)) / (high - low);
  }

  /** After a rest: acceptance may have changed. */
  #retry(): number {
    this.#sinceTry = 0;
    this.#rest = Math.min(2 * this.#rest, longestRest);
    // What was refused long ago says little.
    this.#numAccepted /= 4;
    this.#numRefused /= 4;
    return Math.min(firstLength, this.#most);
  }

  /** A longer one, and at the end of the range a shorter. */
  #other(best: number): number {
    return best < this.#most ? Math.min(2 * best + 1, this.#most) : Math.ceil(best / 2);
  }
}

/** A value more than twice the usual counts as twice: the machine was doing something else. */
function smoothed(before: number | undefined, value: number): number {
  if (before === undefined) return value;
  return before + weightOfNew * (Math.min(value, 2 * before) - before);
}
