/**
 * Memory in one piece for each request, reserved when it starts for as long as it may become: what
 * serving engines did before paging, because tensors of a framework lie in one piece.
 */
import type { Allocator, Holding, MemoryRequest, Span } from "./allocator.ts";
import { HoleList, type Fit } from "./hole-list.ts";

/** How a contiguous allocator decides. */
export interface ContiguousPolicy {
  readonly fit: Fit;
  /** Slots to reserve for a request; at least its final length. */
  readonly reserve: (request: MemoryRequest) => number;
  /** Whether running requests are moved together where that makes a hole large enough. */
  readonly compacts: boolean;
}

interface Region {
  start: number;
  readonly length: number;
  numLive: number;
}

/** Reservations in one piece. */
export class ContiguousAllocator implements Allocator {
  readonly name: string;
  readonly numSlots: number;
  readonly #policy: ContiguousPolicy;
  readonly #regions = new Map<number, Region>();
  #holes: HoleList;
  #numMoved = 0;

  constructor(name: string, numSlots: number, policy: ContiguousPolicy) {
    this.name = name;
    this.numSlots = numSlots;
    this.#policy = policy;
    this.#holes = new HoleList(numSlots);
  }

  get numFree(): number {
    return this.#holes.numFree;
  }

  get largestFree(): number {
    return this.#policy.compacts ? this.#holes.numFree : this.#holes.largest;
  }

  get numMoved(): number {
    return this.#numMoved;
  }

  slotsToStart(request: MemoryRequest): number {
    return this.#policy.reserve(request);
  }

  couldEverFit(request: MemoryRequest): boolean {
    return this.slotsToStart(request) <= this.numSlots;
  }

  start(request: MemoryRequest): boolean {
    const length = this.slotsToStart(request);
    if (this.#policy.compacts && this.#holes.largest < length && length <= this.numFree) {
      this.#compact();
    }
    const start = this.#holes.take(length, this.#policy.fit);
    if (start === undefined) return false;
    this.#regions.set(request.id, { start, length, numLive: request.numTokens });
    return true;
  }

  append(id: number): boolean {
    const region = this.#regions.get(id)!;
    if (region.numLive === region.length) return false;
    region.numLive++;
    return true;
  }

  release(id: number): void {
    const { start, length } = this.#regions.get(id)!;
    this.#regions.delete(id);
    this.#holes.give(start, length);
  }

  holding(id: number): Holding {
    const { length, numLive } = this.#regions.get(id)!;
    return { allocated: length, live: numLive };
  }

  spans(): readonly Span[] {
    return [...this.#regions]
      .map(([owner, { start, length, numLive }]) => ({ start, length, owner, numLive }))
      .sort((a, b) => a.start - b.start);
  }

  /** Only tokens are copied; reserved slots that are empty just change their place. */
  #compact(): void {
    let end = 0;
    for (const region of [...this.#regions.values()].sort((a, b) => a.start - b.start)) {
      if (region.start !== end) this.#numMoved += region.numLive;
      region.start = end;
      end += region.length;
    }
    this.#holes = new HoleList(this.numSlots);
    this.#holes.take(end, "first");
  }
}
