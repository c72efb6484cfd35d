/**
 * Project 8, worked answers: a memory in blocks in its simplest readable form. The engine's versions are
 * `infinity-inference/runtime/block-manager` and `scheduler`; the tests compare this one with the latter.
 */

// #region hashChain
/**
 * A key for each full block of `tokens`, in order. Two keys are the same exactly where the salt, the
 * block's tokens and all tokens before it are the same; any text that does this will do.
 */
export function hashChain(tokens: Int32Array, blockSize: number, salt: string): string[] {
  const keys: string[] = [];
  let before = JSON.stringify(salt);
  for (let end = blockSize; end <= tokens.length; end += blockSize) {
    before = `${before}|${tokens.slice(end - blockSize, end).join(",")}`;
    keys.push(before);
  }
  return keys;
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
  // Block numBlocks stands before the first and after the last.
  const end = numBlocks;
  const next = new Int32Array(numBlocks + 1).fill(-1);
  const previous = new Int32Array(numBlocks + 1).fill(-1);
  next[end] = previous[end] = end;
  const link = (one: number, other: number): void => {
    next[one] = other;
    previous[other] = one;
  };
  const has = (block: number): boolean => next[block] !== -1;
  const remove = (blocks: number[]): void => {
    for (const block of blocks) {
      if (!has(block)) throw new Error(`Block ${block} is not free.`);
      link(previous[block]!, next[block]!);
      next[block] = -1;
    }
  };
  const append = (blocks: number[]): void => {
    for (const block of blocks) {
      if (has(block)) throw new Error(`Block ${block} is free already.`);
      link(previous[end]!, block);
      link(block, end);
    }
  };
  append(Array.from({ length: numBlocks }, (_, block) => block));
  return {
    pop: () => {
      const first = next[end]!;
      if (first === end) return undefined;
      remove([first]);
      return first;
    },
    ...{ remove, append },
  };
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
  const { blockSize, references, keys, free } = pool;
  const table: number[] = [];
  // The last token is left out, so a prompt is never found whole.
  const most = Math.floor((prompt.numTokens - 1) / blockSize);
  for (const key of prompt.keys.slice(0, most)) {
    const found = keys.indexOf(key);
    if (found < 0) break;
    table.push(found);
  }
  const numFound = table.length;
  const numNew = Math.ceil(prompt.numTokens / blockSize) - numFound;
  const revived = table.filter((block) => references[block] === 0);
  if (numNew + revived.length > free.length) return null;
  for (const block of revived) free.splice(free.indexOf(block), 1);
  for (const block of table) references[block]! += 1;
  for (const block of free.splice(0, numNew)) {
    references[block] = 1;
    keys[block] = prompt.keys[table.length] ?? null;
    table.push(block);
  }
  return { table, cachedTokens: numFound * blockSize };
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
  const { table, length } = sequence;
  const { blockSize, references, keys, free } = pool;
  const index = Math.floor(length / blockSize);
  const last = table[index];
  let copy: { from: number; to: number } | null = null;
  if (last === undefined || references[last]! > 1) {
    const taken = free.shift();
    if (taken === undefined) return null;
    references[taken] = 1;
    keys[taken] = null;
    table[index] = taken;
    if (last !== undefined) {
      references[last]! -= 1;
      copy = { from: last, to: taken };
    }
  }
  sequence.length += 1;
  return { slot: table[index]! * blockSize + (length % blockSize), copy };
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
  const out = new Float32Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor((head * kvHeads) / heads);
    const begins = Array.from({ length }, (_, token) => {
      const block = table[Math.floor(token / kv.blockSize)]!;
      const slot = block * kv.blockSize + (token % kv.blockSize);
      return (slot * kvHeads + kvHead) * headDim;
    });
    const scores = begins.map((begin) => {
      let dot = 0;
      for (let d = 0; d < headDim; d++) dot += q[head * headDim + d]! * kv.keys[begin + d]!;
      return dot / Math.sqrt(headDim);
    });
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let d = 0; d < headDim; d++) {
      let seen = 0;
      weights.forEach((weight, token) => {
        seen += weight * kv.values[begins[token]! + d]!;
      });
      out[head * headDim + d] = seen / sum;
    }
  }
  return out;
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
  const { blockSize, running, waiting } = state;
  const blocksOf = (tokens: number): number => Math.ceil(tokens / blockSize);
  const parts: { id: number; count: number }[] = [];
  const preempted: number[] = [];
  let left = budget;

  /** Gives a sequence slots for its next tokens, and says whether there were blocks. */
  const grow = (sequence: Scheduled): boolean => {
    const count = Math.min(sequence.pending, left);
    const needed = blocksOf(sequence.stored + count) - blocksOf(sequence.stored);
    if (needed > state.freeBlocks) return false;
    state.freeBlocks -= needed;
    sequence.stored += count;
    sequence.pending -= count;
    left -= count;
    parts.push({ id: sequence.id, count });
    return true;
  };

  const stopNewest = (): void => {
    const newest = running.pop()!;
    const at = parts.findIndex(({ id }) => id === newest.id);
    if (at >= 0) left += parts.splice(at, 1)[0]!.count;
    state.freeBlocks += blocksOf(newest.stored);
    newest.pending += newest.stored;
    newest.stored = 0;
    preempted.push(newest.id);
    waiting.push(newest);
    waiting.sort((a, b) => a.id - b.id);
  };

  const writing = running.filter(({ pending }) => pending === 1);
  const reading = running.filter(({ pending }) => pending > 1);
  for (const sequence of [...writing, ...reading]) {
    while (left > 0 && running.includes(sequence) && !grow(sequence)) stopNewest();
  }
  while (preempted.length === 0 && left > 0 && waiting.length > 0 && grow(waiting[0]!)) {
    running.push(waiting.shift()!);
  }
  return { parts, preempted };
}
// #endregion
