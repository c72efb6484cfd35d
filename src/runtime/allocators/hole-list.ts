/** The free parts of a memory in one piece: sorted, and never two that touch. */
import { InputError } from "../../core/errors.ts";

/** Free slots from `start` on. */
export interface Hole {
  readonly start: number;
  readonly length: number;
}

/** Which hole is taken: the lowest that is large enough, or the smallest of those. */
export type Fit = "first" | "best";

/** The holes of a memory. */
export class HoleList {
  readonly #holes: Hole[];

  /** All `numSlots` slots are free. */
  constructor(numSlots: number) {
    this.#holes = numSlots > 0 ? [{ start: 0, length: numSlots }] : [];
  }

  get holes(): readonly Hole[] {
    return this.#holes;
  }

  get numFree(): number {
    return this.#holes.reduce((sum, { length }) => sum + length, 0);
  }

  get largest(): number {
    return this.#holes.reduce((most, { length }) => Math.max(most, length), 0);
  }

  /** Takes `length` slots from the start of a hole and returns the first; undefined where none is large enough. */
  take(length: number, fit: Fit): number | undefined {
    const index = this.#indexOf(length, fit);
    const hole = this.#holes[index];
    if (!hole) return undefined;
    const rest = { start: hole.start + length, length: hole.length - length };
    this.#holes.splice(index, 1, ...(rest.length > 0 ? [rest] : []));
    return hole.start;
  }

  /** Gives slots back and joins them with the holes they touch. Throws InputError for slots that are free already. */
  give(start: number, length: number): void {
    const next = this.#holes.findIndex((hole) => hole.start > start);
    const index = next < 0 ? this.#holes.length : next;
    const before = this.#holes[index - 1];
    const after = this.#holes[index];
    const end = start + length;
    if ((before && before.start + before.length > start) || (after && after.start < end)) {
      throw new InputError(
        `Slots ${start} to ${end - 1} are free in part already; give each back once.`,
      );
    }
    const joinsBefore = before !== undefined && before.start + before.length === start;
    const joinsAfter = after?.start === end;
    const first = joinsBefore ? before.start : start;
    const last = joinsAfter ? after.start + after.length : end;
    this.#holes.splice(joinsBefore ? index - 1 : index, Number(joinsBefore) + Number(joinsAfter), {
      start: first,
      length: last - first,
    });
  }

  #indexOf(length: number, fit: Fit): number {
    if (fit === "first") return this.#holes.findIndex((hole) => hole.length >= length);
    return this.#holes.reduce((best, hole, i) => {
      const isBetter = hole.length < (this.#holes[best]?.length ?? Infinity);
      return hole.length >= length && isBetter ? i : best;
    }, -1);
  }
}
