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
  /** A text begins. */
  begin(): void;
  next(): number;
  record(pass: PassFigures): void;
}

/** Always the same. */
export function fixedLength(length: number): DraftLength {
  return { begin: () => undefined, next: () => length, record: () => undefined };
}

export interface AdaptiveOptions {
  /** The most tokens to guess in a row. */
  readonly most?: number;
}

/** Times of which the shortest counts: other programs can only make a pass slower. */
const mostTimes = 12;
/** Passes after which an outcome counts for about a third. */
const memory = 1 - 1 / 32;
/** Plain passes before the first guess: the first of all warms up and is not counted. */
const plainPasses = 3;
const firstLength = 3;
/** Plain passes after which the fastest length is found anew: one changes little, and it costs time. */
const plainPassesAlike = 16;
/** Speculative passes until a length is tried that was not yet, and until one is tried again. */
const triesNewAfter = 12;
const triesAgainAfter = 96;
/** Speculative passes between two plain ones, which cost more as the text grows. */
const plainEvery = 64;
/** Plain passes until guessing is tried again; doubles each time that it does not pay. */
const firstRest = 8;
const longestRest = 256;
/** What a token costs a draft that reads it with others later, in guesses. */
const costOfMissed = 0.5;
/** Of which so many are reckoned with: in a long text it may be worth more. */
const mostMissed = 64;
/**
 * How much of plain decoding's time may be lost to guesses that did not pay, and how many plain passes
 * besides: over 128 tokens less than 5 %.
 */
const lossShare = 0.01;
const lossPasses = 4.5;

/**
 * Picks the length that measured acceptance and measured costs make fastest; 0, plain decoding, where
 * guessing does not pay. Guesses that were a loss are paid back by plain passes before the next.
 */
export class AdaptiveLength implements DraftLength {
  readonly #most: number;
  /** Of the target's pass, by length. */
  readonly #verifyTimes = new Map<number, Times>();
  /** Of a guess. */
  readonly #draftTimes = new Times();
  #numAccepted = 0;
  #numRefused = 0;
  /** Counted in milliseconds of plain passes for each token, less what was really spent. */
  #gainedMs = 0;
  #plainWorthMs = 0;
  #numPasses = 0;
  /** What is fastest by all that is known, until more is. */
  #best: number | undefined;
  /** Tokens of plain passes since the last guess, up to `mostMissed`. */
  #numMissed = 0;
  /** Whether a guess has been made: the first warms up, too, and its times are not counted. */
  #isWarm = false;
  #sinceTry = 0;
  #sincePlain = 0;
  #rest = firstRest;

  constructor({ most = 8 }: AdaptiveOptions = {}) {
    this.#most = most;
  }

  /** Each text may lose a little, and guesses that did not pay are tried again: nothing is missed yet. */
  begin(): void {
    this.#gainedMs = 0;
    this.#plainWorthMs = 0;
    this.#numMissed = 0;
    this.#sinceTry = firstRest;
    this.#rest = firstRest;
  }

  next(): number {
    if (this.#numPasses < plainPasses || this.#sincePlain >= plainEvery) return 0;
    const first = this.#firstLength;
    if (this.#draftTimes.isEmpty) return first;
    if (this.#isLost(0)) return 0;
    const best = (this.#best ??= this.#fastest());
    if (best === 0) return this.#sinceTry >= this.#rest && this.#mayLose(first) ? this.#retry() : 0;
    this.#rest = firstRest;
    const other = this.#other(best);
    const triesAfter = this.#verifyTimes.has(other) ? triesAgainAfter : triesNewAfter;
    if (this.#sinceTry < triesAfter || !this.#mayLose(other)) return best;
    this.#sinceTry = 0;
    return other;
  }

  record({ length, numAccepted, wasRefused, numTokens, draftMs, verifyMs }: PassFigures): void {
    this.#numPasses += 1;
    if (length > 0 || this.#numPasses % plainPassesAlike === 0) this.#best = undefined;
    this.#sinceTry += 1;
    if (this.#numPasses === 1) return;
    const hasCaughtUp = this.#numMissed === 0;
    this.#numMissed = length === 0 ? Math.min(this.#numMissed + numTokens, mostMissed) : 0;
    this.#sincePlain = length === 0 ? 0 : this.#sincePlain + 1;
    if (length > 0) {
      this.#numAccepted = this.#numAccepted * memory + numAccepted;
      this.#numRefused = this.#numRefused * memory + Number(wasRefused);
      if (!this.#isWarm) {
        this.#isWarm = true;
        return;
      }
    }
    const times = this.#verifyTimes.get(length) ?? new Times();
    this.#verifyTimes.set(length, times.add(verifyMs));
    this.#plainWorthMs += numTokens * this.#plainMs;
    if (length === 0) return;
    // After plain passes a draft reads what it has missed first.
    if (hasCaughtUp || this.#draftTimes.isEmpty) this.#draftTimes.add(draftMs / length);
    this.#gainedMs += numTokens * this.#plainMs - draftMs - Math.min(verifyMs, 2 * times.shortest);
  }

  get #firstLength(): number {
    return Math.min(firstLength, this.#most);
  }

  get #plainMs(): number {
    return this.#verifyTimes.get(0)!.shortest;
  }

  /** Whether so many milliseconds more would be more than may be lost. */
  #isLost(moreMs: number): boolean {
    return moreMs - this.#gainedMs > lossShare * this.#plainWorthMs + lossPasses * this.#plainMs;
  }

  /** Whether a guess of that length may fail altogether. */
  #mayLose(length: number): boolean {
    const guesses = length + this.#numMissed * costOfMissed;
    const passMs = this.#estimate(length) + guesses * this.#draftTimes.shortest;
    return !this.#isLost(passMs - this.#plainMs);
  }

  #fastest(): number {
    const plainMs = this.#plainMs;
    // Half an accepted and half a refused token more: neither is ever certain.
    const acceptance = (this.#numAccepted + 0.5) / (this.#numAccepted + this.#numRefused + 1);
    const costs = {
      draft: this.#draftTimes.shortest / plainMs,
      verify: (length: number): number => this.#estimate(length) / plainMs,
    };
    return fastestLength(acceptance, costs, this.#most);
  }

  /** Milliseconds of a pass: measured, or on the line through the measured lengths around it. */
  #estimate(length: number): number {
    const measured = this.#verifyTimes.get(length);
    if (measured) return measured.shortest;
    const lengths = [...this.#verifyTimes.keys()].sort((a, b) => a - b);
    const above = lengths.findIndex((known) => known > length);
    const end = above < 0 ? lengths.length - 1 : above;
    const [low, high] = [lengths[end - 1]!, lengths[end]!];
    const [lowMs, highMs] = [low, high].map((known) => this.#verifyTimes.get(known)!.shortest);
    return lowMs! + ((highMs! - lowMs!) * (length - low)) / (high - low);
  }

  /** After a rest: acceptance may have changed. */
  #retry(): number {
    this.#sinceTry = 0;
    this.#rest = Math.min(2 * this.#rest, longestRest);
    // What was refused long ago says little.
    this.#numAccepted /= 4;
    this.#numRefused /= 4;
    return this.#firstLength;
  }

  /** A longer one, and at the end of the range a shorter. */
  #other(best: number): number {
    return best < this.#most ? Math.min(2 * best + 1, this.#most) : Math.ceil(best / 2);
  }
}

/** The last few times of something. */
class Times {
  readonly #last: number[] = [];

  get isEmpty(): boolean {
    return this.#last.length === 0;
  }

  /** Infinity without any. */
  get shortest(): number {
    return Math.min(...this.#last);
  }

  add(ms: number): this {
    this.#last.push(ms);
    if (this.#last.length > mostTimes) this.#last.shift();
    return this;
  }
}
