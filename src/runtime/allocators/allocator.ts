/**
 * What the memory managers of a serving engine have in common: requests get slots, one for the key
 * and value of each token, and give them back. Knows numbers of tokens only; what is computed, and
 * when, is decided in `simulate.ts`.
 */

/** A request as a memory manager sees it. Counts are tokens. */
export interface MemoryRequest {
  readonly id: number;
  /** What has to be stored before the first new token: the prompt, and what was generated before a preemption. */
  readonly numTokens: number;
  /** The longest that the request may become, as its client declared it. */
  readonly limit: number;
  /** The length it will have when it ends. Nobody knows it in advance; only the oracle may look. */
  readonly finalLength: number;
}

/** Neighbouring slots of one owner; the first `numLive` of them hold tokens. */
export interface Span {
  readonly start: number;
  readonly length: number;
  readonly owner: number;
  readonly numLive: number;
}

/** What one request holds, in slots. */
export interface Holding {
  readonly allocated: number;
  readonly live: number;
}

/** A manager of `numSlots` slots. */
export interface Allocator {
  readonly name: string;
  readonly numSlots: number;
  /** Slots that belong to nobody. */
  readonly numFree: number;
  /** The most slots that one request could still get. */
  readonly largestFree: number;
  /** Tokens that were copied to another slot so far. */
  readonly numMoved: number;
  /** Slots that `request` needs before it can start. */
  slotsToStart(request: MemoryRequest): number;
  /** Whether `request` could run to its limit if it had the memory to itself. */
  couldEverFit(request: MemoryRequest): boolean;
  /** Stores the request's tokens; false, and nothing changes, where there is no room. */
  start(request: MemoryRequest): boolean;
  /** Stores one token more; false, and nothing changes, where there is no room. */
  append(id: number): boolean;
  /** Takes all slots of a request back. */
  release(id: number): void;
  holding(id: number): Holding;
  /** What lies where, in order of slots; free slots are not listed. */
  spans(): readonly Span[];
}
