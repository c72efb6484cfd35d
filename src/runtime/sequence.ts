/** A sequence that an engine writes: its tokens, its place in memory, and what it waits for. */
import type { BlockManager } from "./block-manager.ts";
import { PagedSequence } from "./paged-sequence.ts";

/** How a sequence comes to be. */
export interface SequenceOptions {
  readonly id: number;
  /** The request that it belongs to; lower numbers came earlier. */
  readonly request: number;
  readonly tokens: ArrayLike<number>;
  /** Sequences share blocks only under the same salt. */
  readonly salt?: string | undefined;
  /** Sequences that it will become when its prompt has been read. */
  readonly numSeats?: number;
}

/** Only the scheduler changes where it stands. */
export class Sequence {
  readonly id: number;
  readonly request: number;
  readonly salt: string;
  /** The prompt and what was written since. */
  readonly tokens: number[];
  readonly paged: PagedSequence;
  numSeats: number;
  status: "waiting" | "running" | "finished" = "waiting";
  /** Tokens whose keys and values are saved outside the blocks. */
  numSaved = 0;
  /** Tokens to run behind the pending ones in the next step, if there is room: guesses that a caller verifies. */
  draft: readonly number[] = [];

  constructor(blocks: BlockManager, options: SequenceOptions, paged?: PagedSequence) {
    this.id = options.id;
    this.request = options.request;
    this.salt = options.salt ?? "";
    this.tokens = Array.from(options.tokens);
    this.numSeats = options.numSeats ?? 1;
    this.paged = paged ?? new PagedSequence(blocks, options.id);
  }

  /** Tokens that have to go through the model: the rest of a prompt, or the last one written. */
  get numPending(): number {
    return this.tokens.length - this.paged.numComputed;
  }

  /** Whether it comes after `other`: by request, and then by its own number. */
  isAfter(other: Sequence): boolean {
    return this.request === other.request ? this.id > other.id : this.request > other.request;
  }
}
