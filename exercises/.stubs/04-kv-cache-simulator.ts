/**
 * Project 4: the memory of a serving engine. Write each function below, here or in the notebook's
 * `%%exercise` cells (a cell saves itself into its region), then run `npx infinity grade 04`.
 * Exercises may import types, nothing else.
 */

// #region kvBytesPerToken
/** What a model's metadata says about its attention. */
interface AttentionConfig {
  readonly layers: number;
  /** Heads of queries. */
  readonly heads: number;
  /** Heads of keys, and as many of values; fewer than `heads` where several of those share one. */
  readonly kvHeads: number;
  /** Numbers in one head's key, and in one head's value. */
  readonly headDim: number;
  /** Bytes of one number: 2 for F16, 34 / 32 for Q8_0, 18 / 32 for Q4_0. */
  readonly bytes: number;
}

/** The bytes of one token's keys and values in all layers. */
export function kvBytesPerToken(config: AttentionConfig): number {
  throw new Error("not written yet");
}
// #endregion

// #region contiguousAlloc
/** Free slots: `length` of them from slot `start` on. */
interface Hole {
  start: number;
  length: number;
}

/**
 * Takes `n` slots in one piece from the start of a hole, and returns the first of them; null, and
 * nothing changes, where no hole is large enough. "first" takes the lowest hole with room, "best"
 * the smallest with room, of equal ones the lowest. Changes `holes`: the hole shrinks, and vanishes
 * where nothing is left of it. `holes` are sorted by start and do not touch each other.
 */
export function contiguousAlloc(
  holes: Hole[],
  n: number,
  fit: "first" | "best",
): { start: number } | null {
  throw new Error("not written yet");
}
// #endregion

// #region contiguousFree
/**
 * Gives `length` slots from `start` on back to `holes`, which stay sorted by start. Holes that touch
 * become one. Throws where one of the slots is free already.
 */
export function contiguousFree(holes: Hole[], start: number, length: number): void {
  throw new Error("not written yet");
}
// #endregion

// #region fragmentation
/** What one request holds, in slots. */
interface Region {
  readonly length: number;
  /** Slots that hold a token now. */
  readonly live: number;
  /** Slots that will hold one when the request ends; a simulation knows that. */
  readonly final: number;
}

interface MemoryState {
  readonly regions: readonly Region[];
  readonly holes: readonly Hole[];
}

interface Waste {
  /** Allocated slots that are empty now and will be used. */
  readonly reserved: number;
  /** Allocated slots that will never be used. */
  readonly internal: number;
  /** The share of the free slots outside the largest hole, 0 to 1; 0 where nothing is free. */
  readonly external: number;
}

/** The three kinds of waste in a memory. */
export function fragmentation(state: MemoryState): Waste {
  throw new Error("not written yet");
}
// #endregion

// #region blocksNeeded
/** How many blocks of `blockSize` slots hold `length` tokens. */
export function blocksNeeded(length: number, blockSize: number): number {
  throw new Error("not written yet");
}
// #endregion

// #region physicalSlot
/**
 * The slot of token number `token` of a request, counted from 0. `table[i]` is the physical block
 * that holds the request's logical block i; block b has the slots from b · blockSize on. Throws for a
 * token that the table has no block for.
 */
export function physicalSlot(table: readonly number[], token: number, blockSize: number): number {
  throw new Error("not written yet");
}
// #endregion

// #region maxBatch
/** A GPU, a model, and what its requests are like. */
interface BatchPlan {
  /** The GPU's memory: a number and its unit, such as "16GB" (10⁹ bytes each) or "24GiB" (2³⁰). */
  readonly vram: string;
  /** Bytes of the model's weights. */
  readonly weights: number;
  /** Bytes for everything else: activations, kernels, the driver. */
  readonly overhead: number;
  /** Lengths of typical requests, in tokens. */
  readonly lengths: readonly number[];
  readonly blockSize: number;
  /** Bytes of one token's keys and values. */
  readonly kv: number;
}

/**
 * How many requests can be in memory at once, on average: whole blocks that fit, divided by the
 * blocks that a request takes on average, rounded down. 0 where not even the weights fit.
 */
export function maxBatch(plan: BatchPlan): number {
  throw new Error("not written yet");
}
// #endregion

// #region simulate
/** A request; requests come sorted by arrival. Counts are tokens. */
interface SimulatedRequest {
  readonly id: number;
  /** The step in which it arrives. */
  readonly arrival: number;
  readonly prompt: number;
  /** Tokens that it will generate, one in each step. Not known in advance: no policy may look. */
  readonly output: number;
  /** The most tokens that it may generate. */
  readonly maxOutput: number;
}

/**
 * How memory is given. "reserve": `prompt + maxOutput` slots in one piece when a request starts, by
 * first fit. "paged": blocks for the prompt when it starts, and one block more whenever the last is
 * full.
 */
type Policy =
  | { readonly kind: "reserve"; readonly numSlots: number }
  | { readonly kind: "paged"; readonly numSlots: number; readonly blockSize: number };

/** What happened to a request, and where all slots were after it: the last three sum to numSlots. */
interface SimulationEvent {
  readonly step: number;
  readonly type: "start" | "wait" | "preempt" | "finish";
  readonly request: number;
  /** Slots that hold a token. */
  readonly live: number;
  /** Slots that belong to a request and hold none. */
  readonly empty: number;
  readonly free: number;
}

/**
 * Serves `trace` and tells what happened, in order. In each step, from step 0 until all have finished:
 *
 * 1. Requests that arrive in this step go to the end of the line.
 * 2. The first in the line starts ("start") and stores its prompt, then the next; the first one for
 *    which there is no room waits ("wait"), and all behind it with it.
 * 3. Each running request stores one token more, in the order in which they started. Where one needs
 *    a block and none is free, the running request that started last gives all its memory back and
 *    goes to the front of the line ("preempt"); its tokens are stored again when it starts again.
 *    That is repeated until there is a free block or the request itself was sent away.
 * 4. Requests that have stored `prompt + output` tokens give their memory back ("finish"), in the
 *    order in which they started.
 *
 * Every request fits into the empty memory, and `numSlots` is a multiple of the block size.
 */
export function simulate(trace: readonly SimulatedRequest[], policy: Policy): SimulationEvent[] {
  throw new Error("not written yet");
}
// #endregion
