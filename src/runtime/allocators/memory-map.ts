/** Pictures of a memory: its slots summed up to a few cells, at one step or over a whole simulation. */
import type { Allocator, Span } from "./allocator.ts";
import type { MemoryCensus } from "./simulate.ts";

/** A cell: the owner of most of its allocated slots, and whether most of those hold tokens. */
export interface MapCell {
  readonly owner: number;
  readonly isLive: boolean;
}

/** What a memory looked like after one step. */
export interface MemoryFrame {
  readonly census: MemoryCensus;
  /** In order of slots; null for a cell whose slots are mostly free. */
  readonly cells: readonly (MapCell | null)[];
}

/** The memory as `numCells` cells of equally many slots, to within one. */
export function memoryMap(allocator: Allocator, numCells: number): (MapCell | null)[] {
  const spans = allocator.spans();
  const edge = (cell: number): number => Math.floor((cell * allocator.numSlots) / numCells);
  let first = 0;
  return Array.from({ length: numCells }, (_, cell) => {
    const [start, end] = [edge(cell), edge(cell + 1)];
    while (first < spans.length && spans[first]!.start + spans[first]!.length <= start) first++;
    return cellOf(spans, first, start, end);
  });
}

function cellOf(spans: readonly Span[], first: number, start: number, end: number): MapCell | null {
  const owners = new Map<number, { slots: number; live: number }>();
  let allocated = 0;
  for (let i = first; i < spans.length && spans[i]!.start < end; i++) {
    const span = spans[i]!;
    const from = Math.max(start, span.start);
    const slots = Math.min(end, span.start + span.length) - from;
    const live = Math.min(slots, Math.max(0, span.start + span.numLive - from));
    const sum = owners.get(span.owner) ?? { slots: 0, live: 0 };
    owners.set(span.owner, { slots: sum.slots + slots, live: sum.live + live });
    allocated += slots;
  }
  if (2 * allocated < end - start || allocated === 0) return null;
  const [owner, most] = [...owners].reduce((a, b) => (b[1].slots > a[1].slots ? b : a));
  return { owner, isLive: 2 * most.live >= most.slots };
}

/** Keeps frames of a simulation at equal distances, at most twice `maxFrames` of them. */
export class FrameRecorder {
  readonly #maxFrames: number;
  readonly #numCells: number;
  #stride = 1;
  #frames: MemoryFrame[] = [];

  constructor(maxFrames: number, numCells: number) {
    this.#maxFrames = maxFrames;
    this.#numCells = numCells;
  }

  get frames(): readonly MemoryFrame[] {
    return this.#frames;
  }

  /** For `Observer.onStep`. */
  record(census: MemoryCensus, allocator: Allocator): void {
    if (census.step % this.#stride !== 0) return;
    this.#frames.push({ census, cells: memoryMap(allocator, this.#numCells) });
    if (this.#frames.length <= 2 * this.#maxFrames) return;
    this.#stride *= 2;
    this.#frames = this.#frames.filter((frame) => frame.census.step % this.#stride === 0);
  }
}
