/**
 * Project 4, worked answers: the memory of a serving engine, in its simplest readable form. The
 * engine's version is `infinity-inference/runtime/allocators`; it is tested against this one.
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
  const { layers, kvHeads, headDim, bytes } = config;
  return 2 * layers * kvHeads * headDim * bytes;
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
  const large = holes.filter((hole) => hole.length >= n);
  if (fit === "best") large.sort((a, b) => a.length - b.length);
  const hole = large[0];
  if (!hole) return null;
  const start = hole.start;
  hole.start += n;
  hole.length -= n;
  if (hole.length === 0) holes.splice(holes.indexOf(hole), 1);
  return { start };
}
// #endregion

// #region contiguousFree
/**
 * Gives `length` slots from `start` on back to `holes`, which stay sorted by start. Holes that touch
 * become one. Throws where one of the slots is free already.
 */
export function contiguousFree(holes: Hole[], start: number, length: number): void {
  const overlaps = (hole: Hole): boolean =>
    hole.start < start + length && start < hole.start + hole.length;
  if (holes.some(overlaps)) throw new Error(`Slots from ${start} on are free already.`);
  const sorted = [...holes, { start, length }].sort((a, b) => a.start - b.start);
  holes.length = 0;
  for (const hole of sorted) {
    const last = holes.at(-1);
    if (last && last.start + last.length === hole.start) last.length += hole.length;
    else holes.push(hole);
  }
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
  let [reserved, internal, free, largest] = [0, 0, 0, 0];
  for (const { length, live, final } of state.regions) {
    reserved += final - live;
    internal += length - final;
  }
  for (const { length } of state.holes) {
    free += length;
    largest = Math.max(largest, length);
  }
  return { reserved, internal, external: free === 0 ? 0 : 1 - largest / free };
}
// #endregion

// #region blocksNeeded
/** How many blocks of `blockSize` slots hold `length` tokens. */
export function blocksNeeded(length: number, blockSize: number): number {
  return Math.ceil(length / blockSize);
}
// #endregion

// #region physicalSlot
/**
 * The slot of token number `token` of a request, counted from 0. `table[i]` is the physical block
 * that holds the request's logical block i; block b has the slots from b · blockSize on. Throws for a
 * token that the table has no block for.
 */
export function physicalSlot(table: readonly number[], token: number, blockSize: number): number {
  const block = table[Math.floor(token / blockSize)];
  if (block === undefined) throw new Error(`There is no block for token ${token}.`);
  return block * blockSize + (token % blockSize);
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
  const { vram, weights, overhead, lengths, blockSize, kv } = plan;
  const unit = vram.endsWith("GiB") ? 2 ** 30 : 1e9;
  const room = parseFloat(vram) * unit - weights - overhead;
  const numBlocks = Math.max(0, Math.floor(room / (kv * blockSize)));
  const blocks = lengths.reduce((sum, length) => sum + blocksNeeded(length, blockSize), 0);
  return Math.floor(numBlocks / (blocks / lengths.length));
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
  interface Running {
    readonly request: SimulatedRequest;
    tokens: number;
    start: number;
    slots: number;
  }
  const holes: Hole[] = [{ start: 0, length: policy.numSlots }];
  const blockSize = policy.kind === "paged" ? policy.blockSize : 1;
  let freeBlocks = policy.numSlots / blockSize;
  const arriving = [...trace];
  const line: Running[] = [];
  const running: Running[] = [];
  const events: SimulationEvent[] = [];
  let step = 0;

  const tell = (type: SimulationEvent["type"], request: number): void => {
    const live = running.reduce((sum, entry) => sum + entry.tokens, 0);
    const allocated = running.reduce((sum, entry) => sum + entry.slots, 0);
    const free = policy.numSlots - allocated;
    events.push({ step, type, request, live, empty: allocated - live, free });
  };
  const takeBlocks = (entry: Running, count: number): boolean => {
    if (count > freeBlocks) return false;
    freeBlocks -= count;
    entry.slots += count * blockSize;
    return true;
  };
  const begin = (entry: Running): boolean => {
    if (policy.kind === "paged") return takeBlocks(entry, blocksNeeded(entry.tokens, blockSize));
    const slots = entry.request.prompt + entry.request.maxOutput;
    const place = contiguousAlloc(holes, slots, "first");
    if (!place) return false;
    entry.start = place.start;
    entry.slots = slots;
    return true;
  };
  const end = (entry: Running): void => {
    running.splice(running.indexOf(entry), 1);
    if (policy.kind === "paged") freeBlocks += entry.slots / blockSize;
    else contiguousFree(holes, entry.start, entry.slots);
    entry.slots = 0;
  };

  for (; arriving.length + line.length + running.length > 0; step++) {
    while (arriving[0]?.arrival === step) {
      const request = arriving.shift()!;
      line.push({ request, tokens: request.prompt, start: 0, slots: 0 });
    }
    while (line[0] && begin(line[0])) {
      const entry = line.shift()!;
      running.push(entry);
      tell("start", entry.request.id);
    }
    if (line[0]) tell("wait", line[0].request.id);
    for (const entry of [...running]) {
      while (running.includes(entry) && entry.tokens === entry.slots && !takeBlocks(entry, 1)) {
        const newest = running.at(-1)!;
        end(newest);
        line.unshift(newest);
        tell("preempt", newest.request.id);
      }
      if (running.includes(entry)) entry.tokens++;
    }
    const isOver = ({ request, tokens }: Running): boolean =>
      tokens === request.prompt + request.output;
    for (const entry of running.filter(isOver)) {
      end(entry);
      tell("finish", entry.request.id);
    }
  }
  return events;
}
// #endregion
