/**
 * Which sequences go through the model next, and where their tokens lie: continuous batching (Yu et
 * al., 2022) over blocks. First come, first served: sequences that write come first, the rest of a step
 * reads prompts in pieces, and where memory runs out the newest gives its blocks back and waits. So the
 * oldest is never held up, and none starves. Decides only: moving memory and computing are the caller's.
 */
import { UsageError } from "../core/errors.ts";
import type { BlockCopy } from "./block-manager.ts";
import type { Sequence } from "./sequence.ts";

export interface SchedulerOptions {
  /** The most tokens of one step. */
  readonly tokenBudget: number;
  /** The most sequences that run at once. */
  readonly maxSequences: number;
  /** What becomes of the keys and values of a sequence that has to wait: computed again, or saved. */
  readonly preemption?: "recompute" | "swap" | undefined;
  /** The most tokens that are saved at once; beyond that they are computed again. */
  readonly maxSavedTokens?: number | undefined;
  /** Is told at once what becomes of a sequence. */
  readonly observe?: ((event: ScheduleEvent) => void) | undefined;
}

/** What a sequence runs in a step: its next `count` tokens, and then its draft. */
export interface ScheduledPart {
  readonly sequence: Sequence;
  readonly count: number;
  readonly draft: readonly number[];
}

/** What has to happen to the memory before the step, in order. */
export type MemoryMove =
  | ({ readonly type: "copy" } & BlockCopy)
  | { readonly type: "save"; readonly sequence: Sequence; readonly slots: Int32Array }
  | {
      readonly type: "restore";
      readonly sequence: Sequence;
      /** Of the saved tokens from number `first` on; those before it were found in the cache. */
      readonly slots: Int32Array;
      readonly first: number;
    };

/** What becomes of a sequence. */
export type ScheduleEvent =
  | { readonly type: "started"; readonly sequence: number; readonly numCached: number }
  | {
      readonly type: "preempted";
      readonly sequence: number;
      readonly how: "recompute" | "swap";
      /** Whose keys and values leave the blocks. */
      readonly numTokens: number;
    }
  | { readonly type: "resumed"; readonly sequence: number; readonly numRestored: number };

/** One step. */
export interface StepPlan {
  readonly parts: readonly ScheduledPart[];
  readonly moves: readonly MemoryMove[];
}

interface OpenPlan {
  parts: ScheduledPart[];
  readonly moves: MemoryMove[];
  numLeft: number;
  hasPreempted: boolean;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  /** Oldest first, both. */
  readonly #running: Sequence[] = [];
  readonly #waiting: Sequence[] = [];
  #numSaved = 0;

  /** Throws UsageError for sizes out of range. */
  constructor(options: SchedulerOptions) {
    const { tokenBudget, maxSequences } = options;
    for (const [what, value] of Object.entries({ tokenBudget, maxSequences })) {
      if (Number.isInteger(value) && value >= 1) continue;
      throw new UsageError(`${what} is ${value} and has to be a whole number of at least 1.`);
    }
    this.#options = options;
  }

  /** Oldest first. */
  get running(): readonly Sequence[] {
    return this.#running;
  }

  /** As `running`: those that have not started, and those that had to stop. */
  get waiting(): readonly Sequence[] {
    return this.#waiting;
  }

  /** Lets a sequence wait for its turn. */
  add(sequence: Sequence): void {
    insert(this.#waiting, sequence);
  }

  /** Lets `child` run or wait beside `parent`, on one of its seats where it has several. */
  addFork(parent: Sequence, child: Sequence): void {
    if (parent.numSeats > 1) parent.numSeats--;
    child.status = parent.status;
    insert(parent.status === "running" ? this.#running : this.#waiting, child);
  }

  /** Takes a sequence out, wherever it stands, and gives its blocks back. */
  remove(sequence: Sequence): void {
    const list = sequence.status === "running" ? this.#running : this.#waiting;
    const at = list.indexOf(sequence);
    if (at >= 0) list.splice(at, 1);
    sequence.status = "finished";
    this.#numSaved -= sequence.numSaved;
    sequence.numSaved = 0;
    sequence.paged.release();
  }

  /** The next step; its tokens have slots when this returns. Without work to do it has no parts. */
  schedule(): StepPlan {
    const plan: OpenPlan = {
      ...{ parts: [], moves: [] },
      numLeft: this.#options.tokenBudget,
      hasPreempted: false,
    };
    const isWriting = ({ numPending }: Sequence): boolean => numPending === 1;
    this.#continue(plan, isWriting);
    this.#continue(plan, (sequence) => !isWriting(sequence));
    // Memory that was just taken from one sequence is not for another that waits.
    if (!plan.hasPreempted) this.#admit(plan);
    return plan;
  }

  /** Gives running sequences slots for their next tokens, and takes them from the newest where there are none. */
  #continue(plan: OpenPlan, isMeant: (sequence: Sequence) => boolean): void {
    for (const sequence of this.#running.filter(isMeant)) {
      if (plan.numLeft === 0) return;
      // It may have been stopped for an older one.
      while (isRunning(sequence) && !this.#grow(plan, sequence)) {
        if (sequence.draft.length > 0) sequence.draft = [];
        else this.#preempt(plan, this.#running.at(-1)!);
      }
    }
  }

  /** Whether there was memory for the next tokens, if there are any. */
  #grow(plan: OpenPlan, sequence: Sequence): boolean {
    const { paged, tokens, numPending } = sequence;
    if (numPending === 0) return true;
    const count = Math.min(numPending, plan.numLeft);
    const hasRoom = numPending + sequence.draft.length <= plan.numLeft;
    const draft = hasRoom ? sequence.draft : [];
    const next = tokens.slice(paged.numComputed, paged.numComputed + count);
    const appended = paged.append(draft.length > 0 ? [...next, ...draft] : next);
    if (!appended) return false;
    if (appended.copy) plan.moves.push({ type: "copy", ...appended.copy });
    plan.parts.push({ sequence, count, draft });
    plan.numLeft -= count + draft.length;
    return true;
  }

  #preempt(plan: OpenPlan, sequence: Sequence): void {
    const { paged } = sequence;
    const given = plan.parts.find((part) => part.sequence === sequence);
    if (given) {
      plan.parts = plan.parts.filter((part) => part !== given);
      plan.numLeft += given.count + given.draft.length;
    }
    const numTokens = paged.numComputed;
    const room = (this.#options.maxSavedTokens ?? Infinity) - this.#numSaved;
    const saves = this.#options.preemption === "swap" && numTokens > 0 && numTokens <= room;
    if (saves) {
      const slots = paged.slots.slice(0, numTokens);
      plan.moves.push({ type: "save", sequence, slots });
      sequence.numSaved = numTokens;
      this.#numSaved += numTokens;
    }
    const how = saves ? "swap" : "recompute";
    this.#options.observe?.({ type: "preempted", sequence: sequence.id, how, numTokens });
    plan.hasPreempted = true;
    paged.release();
    this.#running.splice(this.#running.indexOf(sequence), 1);
    sequence.status = "waiting";
    sequence.draft = [];
    insert(this.#waiting, sequence);
  }

  /** Lets those that wait start or go on, in their order, as long as there is room for the first of them. */
  #admit(plan: OpenPlan): void {
    let numSeats = this.#running.reduce((sum, sequence) => sum + sequence.numSeats, 0);
    while (this.#waiting.length > 0 && plan.numLeft > 0) {
      const sequence = this.#waiting[0]!;
      numSeats += sequence.numSeats;
      if (numSeats > this.#options.maxSequences) return;
      if (!(sequence.numSaved > 0 ? this.#resume(plan, sequence) : this.#start(plan, sequence)))
        return;
      this.#waiting.shift();
      sequence.status = "running";
      insert(this.#running, sequence);
    }
  }

  #start(plan: OpenPlan, sequence: Sequence): boolean {
    const { paged, tokens, salt, id } = sequence;
    if (!paged.start(tokens, { salt, maxNew: plan.numLeft })) return false;
    // Found by the next to start as well: in every layer all tokens of a pass are stored before any attends.
    paged.commit(paged.numReserved);
    const count = paged.numReserved - paged.numComputed;
    plan.parts.push({ sequence, count, draft: [] });
    plan.numLeft -= count;
    this.#options.observe?.({ type: "started", sequence: id, numCached: paged.numComputed });
    return true;
  }

  /** Room for what was saved and for what comes next, or nothing. */
  #resume(plan: OpenPlan, sequence: Sequence): boolean {
    const { paged, tokens, salt, numSaved, id } = sequence;
    if (!paged.start(tokens.slice(0, numSaved), { salt })) return false;
    const first = paged.numComputed;
    const slots = paged.slots.slice(first);
    paged.compute(slots.length);
    if (!this.#grow(plan, sequence)) {
      paged.release();
      return false;
    }
    plan.moves.push({ type: "restore", sequence, slots, first });
    this.#options.observe?.({ type: "resumed", sequence: id, numRestored: slots.length });
    sequence.numSaved = 0;
    this.#numSaved -= numSaved;
    return true;
  }
}

function isRunning({ status }: Sequence): boolean {
  return status === "running";
}

/** Puts a sequence where it belongs among those that came before and after it. */
function insert(list: Sequence[], sequence: Sequence): void {
  let at = list.length;
  while (at > 0 && list[at - 1]!.isAfter(sequence)) at--;
  list.splice(at, 0, sequence);
}
