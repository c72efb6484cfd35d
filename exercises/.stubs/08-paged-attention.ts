/**
 * Project 8: memory in blocks, shared. Write each function below, here or in the notebook's
 * `%%exercise` cells (a cell saves itself into its region), then run `npx infinity grade 08`.
 * Exercises may import types, nothing else.
 */

// #region hashChain
/**
 * A key for each full block of `tokens`, in order. Two keys are the same exactly where the salt, the
 * block's tokens and all tokens before it are the same; any text that does this will do.
 */
export function hashChain(tokens: Int32Array, blockSize: number, salt: string): string[] {
  throw new Error("not written yet");
}
// #endregion

// #region freeQueue
/** Free blocks in a row; the one that was freed longest ago comes first. */
interface FreeQueue {
  /** Takes the first one; undefined where none is left. */
  pop(): number | undefined;
  /** Takes these out, wherever they are in the row. Throws for one that is not in it. */
  remove(blocks: number[]): void;
  /** Adds these at the end, in this order. Throws for one that is in the row already. */
  append(blocks: number[]): void;
}

/**
 * A queue of the blocks 0 to `numBlocks` − 1, in this order. Each of its steps takes the same time,
 * however long the row is.
 */
export function freeQueue(numBlocks: number): FreeQueue {
  throw new Error("not written yet");
}
// #endregion

// #region allocate
/** The memory of all sequences. */
interface Pool {
  readonly blockSize: number;
  /** How many sequences use each block. */
  readonly references: number[];
  /** The key of the prefix that each block holds; null where it cannot be shared. */
  readonly keys: (string | null)[];
  /** Blocks that nobody uses, in the order in which they will be taken. Some still have a key. */
  readonly free: number[];
}

/** A prompt: how long it is, and the key of each of its full blocks. */
interface Prompt {
  readonly numTokens: number;
  readonly keys: string[];
}

/**
 * Gives a prompt its blocks. The longest beginning of full blocks whose keys the pool has is shared,
 * but never all tokens: at least one must go through the model. Blocks for the rest are taken from the
 * front of `free`; what they held is forgotten, and full ones get their key at once. Returns the
 * blocks in order and how many tokens were found, or null where too few are free; then nothing has
 * changed.
 */
export function allocate(
  prompt: Prompt,
  pool: Pool,
): { table: number[]; cachedTokens: number } | null {
  throw new Error("not written yet");
}
// #endregion

// #region appendToken
/** A sequence that is being written: its tokens so far, and the blocks that hold them. */
interface Sequence {
  length: number;
  readonly table: number[];
}

/**
 * Finds a place for one token more: its slot is block · blockSize + place in the block. A block that
 * others use too is not written to: the sequence gets a free one in its place, and `copy` tells the
 * caller to copy its contents first; else `copy` is null. Returns null where a block is needed and
 * none is free; then nothing has changed.
 */
export function appendToken(
  sequence: Sequence,
  pool: Pool,
): { slot: number; copy: { from: number; to: number } | null } | null {
  throw new Error("not written yet");
}
// #endregion

// #region pagedAttention
/**
 * Keys and values in blocks: those of the token in slot s begin at s · kvHeads · headDim, head after
 * head. Slots that no token has been stored in hold anything.
 */
interface KvBlocks {
  readonly blockSize: number;
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

interface Heads {
  readonly heads: number;
  /** Each is shared by heads / kvHeads query heads in a row. */
  readonly kvHeads: number;
  readonly headDim: number;
}

/**
 * What one query `q` [heads · headDim] sees of `length` tokens, which lie in the blocks of `table`:
 * softmax(q · k / √headDim) over the tokens, times their values. Returns [heads · headDim].
 */
export function pagedAttention(
  q: Float32Array,
  kv: KvBlocks,
  table: Int32Array,
  length: number,
  { heads, kvHeads, headDim }: Heads,
): Float32Array {
  throw new Error("not written yet");
}
// #endregion

// #region schedule
/** A sequence as a scheduler sees it. Lower ids came earlier. */
interface Scheduled {
  readonly id: number;
  /** Tokens that have slots, in ⌈stored / blockSize⌉ blocks. */
  stored: number;
  /** Tokens that still have to go through the model: a prompt, or the one just written. */
  pending: number;
}

interface SchedulerState {
  readonly blockSize: number;
  freeBlocks: number;
  /** Both in the order of their ids. */
  readonly running: Scheduled[];
  readonly waiting: Scheduled[];
}

/** What runs in a step: the next `count` tokens of each sequence, in the order in which they got slots. */
interface StepPlan {
  readonly parts: { id: number; count: number }[];
  /** Those that had to give their blocks back. */
  readonly preempted: number[];
}

/**
 * Plans a step of at most `budget` tokens, gives them slots and moves them from `pending` to `stored`.
 *
 * 1. Running sequences with one pending token come first, then the other running ones; both in the
 *    order of their ids. Each gets as many of its pending tokens as the budget allows.
 * 2. Where blocks are missing for that, the running sequence that came last gives all its blocks back,
 *    and again, until there are enough or the sequence itself had to go. It waits in the place of its
 *    id, all its tokens pending, and is no part of the step: what it had got of the budget is free.
 * 3. If nobody had to give back, those that wait start in order, as far as budget and free blocks go;
 *    the first that has no room holds up all behind it.
 */
export function schedule(state: SchedulerState, budget: number): StepPlan {
  throw new Error("not written yet");
}
// #endregion
