/**
 * Guesses without a model: what followed the last words the last time they occurred (Saxena, 2023).
 * Good where a text repeats itself or its prompt: code that is edited, documents that are quoted.
 */
import { chainDraft, type Draft } from "../speculative.ts";
import type { DraftSource } from "./draft-source.ts";

/** The longest run of last tokens that is looked for, unless told otherwise. */
const defaultMostTokens = 3;

/**
 * At most `length` tokens that followed the most recent earlier occurrence of the longest suffix of
 * `sequence`, of `mostTokens` tokens down to one; none where even the last token is new.
 */
export function lookUp(
  sequence: readonly number[],
  length: number,
  mostTokens: number = defaultMostTokens,
): Int32Array {
  const end = sequence.length;
  for (let size = Math.min(mostTokens, end - 1); size >= 1; size--) {
    // The suffix itself begins at end - size, and is no earlier occurrence.
    for (let begin = end - size - 1; begin >= 0; begin--) {
      if (!isRepeated(sequence, begin, size)) continue;
      return Int32Array.from(sequence.slice(begin + size, begin + size + length));
    }
  }
  return new Int32Array();
}

export interface PromptLookupOptions {
  /** The longest run of last tokens that is looked for. */
  readonly mostTokens?: number;
  /**
   * Another text to look in, which the target does not read (Yang et al., 2023): an earlier answer, or
   * what is being edited. A match in the sequence itself goes before one of the same length here.
   */
  readonly reference?: readonly number[];
}

/** Prompt lookup as a source of drafts. */
export class PromptLookup implements DraftSource {
  readonly #mostTokens: number;
  readonly #reference: readonly number[];

  constructor({ mostTokens = defaultMostTokens, reference = [] }: PromptLookupOptions = {}) {
    this.#mostTokens = mostTokens;
    this.#reference = reference;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  propose(sequence: readonly number[], length: number): Promise<Draft> {
    const all = this.#reference.length > 0 ? [...this.#reference, ...sequence] : sequence;
    return Promise.resolve(chainDraft(lookUp(all, length, this.#mostTokens)));
  }
}

/** Whether the last `size` tokens are those from `begin` on. */
function isRepeated(sequence: readonly number[], begin: number, size: number): boolean {
  const suffix = sequence.length - size;
  for (let i = size - 1; i >= 0; i--) {
    if (sequence[begin + i] !== sequence[suffix + i]) return false;
  }
  return true;
}
