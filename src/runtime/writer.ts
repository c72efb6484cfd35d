/** What turns the model's expectations into the tokens of a request, and what it may do to sequences. */
import type { SequencePart } from "../model/sequence-part.ts";
import type { Sequence } from "./sequence.ts";
import type { Draft } from "./speculative.ts";

/** One for each request. */
export interface Writer {
  /** A guess at what comes after a sequence, before it is run; at most `length` tokens in a row. */
  propose?(sequence: Sequence, length: number): Promise<Draft | undefined>;
  /** What the model runs of a sequence with a draft: its last token and those of the draft. */
  part?(sequence: Sequence, draft: Draft): SequencePart;
  /**
   * Takes in the logits after the last token of a sequence, and after each of those of its draft that
   * were run [tokens · vocabSize]. Throws InputError where they are not finite.
   */
  take(sequence: Sequence, logits: Float32Array, draft: Draft | undefined): Promise<void> | void;
  /** Ends all texts that have not ended, and their sequences. */
  end(reason: "abort" | "error", error?: Error): void;
  /** Whether all texts have ended. */
  readonly hasEnded: boolean;
}

/** The sequences of an engine, as a writer sees them. */
export interface SequenceKeeper {
  /** Another sequence that runs beside `parent` and shares its blocks. */
  fork(parent: Sequence): Sequence;
  /** Gives a sequence's blocks back. */
  end(sequence: Sequence): void;
}
