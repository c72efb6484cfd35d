/**
 * The buddy system (Knowlton, 1965): pieces of 2ⁿ slots, which are halved until one just holds the
 * request and joined with their other half when both are free. Finding and joining are quick, and
 * rounding up to a power of two is the price.
 */
import type { Allocator, Holding, MemoryRequest, Span } from "./allocator.ts";

interface Piece {
  readonly start: number;
  readonly order: number;
  numLive: number;
}

/** Reservations of the declared limit, rounded up to a power of two. */
export class BuddyAllocator implements Allocator {
  readonly name: string = "buddy";
  readonly numSlots: number;
  readonly numMoved: number = 0;
  /** Starts of the free pieces of each order. */
  readonly #free: Set<number>[];
  readonly #pieces = new Map<number, Piece>();

  /** A number of slots that is no power of two is cut into pieces that are, largest first. */
  constructor(numSlots: number) {
    this.numSlots = numSlots;
    const numOrders = Math.floor(Math.log2(Math.max(1, numSlots))) + 1;
    this.#free = Array.from({ length: numOrders }, () => new Set<number>());
    let start = 0;
    for (let order = numOrders - 1; order >= 0; order--) {
      if (numSlots - start < 2 ** order) continue;
      this.#free[order]!.add(start);
      start += 2 ** order;
    }
  }

  get numFree(): number {
    return this.#free.reduce((sum, starts, order) => sum + starts.size * 2 ** order, 0);
  }

  get largestFree(): number {
    const order = this.#free.findLastIndex((starts) => starts.size > 0);
    return order < 0 ? 0 : 2 ** order;
  }

  slotsToStart(request: MemoryRequest): number {
    return 2 ** orderOf(request.limit);
  }

  couldEverFit(request: MemoryRequest): boolean {
    return orderOf(request.limit) < this.#free.length;
  }

  start(request: MemoryRequest): boolean {
    const order = orderOf(request.limit);
    const from = this.#free.findIndex((starts, i) => i >= order && starts.size > 0);
    if (from < 0) return false;
    const start = lowest(this.#free[from]!);
    this.#free[from]!.delete(start);
    for (let half = from - 1; half >= order; half--) this.#free[half]!.add(start + 2 ** half);
    this.#pieces.set(request.id, { start, order, numLive: request.numTokens });
    return true;
  }

  append(id: number): boolean {
    const piece = this.#pieces.get(id)!;
    if (piece.numLive === 2 ** piece.order) return false;
    piece.numLive++;
    return true;
  }

  release(id: number): void {
    let { start, order } = this.#pieces.get(id)!;
    this.#pieces.delete(id);
    // The other half of a piece is where one bit of the address differs.
    while (this.#free[order]!.delete(otherHalf(start, order))) {
      start = Math.min(start, otherHalf(start, order));
      order++;
    }
    this.#free[order]!.add(start);
  }

  holding(id: number): Holding {
    const { order, numLive } = this.#pieces.get(id)!;
    return { allocated: 2 ** order, live: numLive };
  }

  spans(): readonly Span[] {
    return [...this.#pieces]
      .map(([owner, { start, order, numLive }]) => ({ start, length: 2 ** order, owner, numLive }))
      .sort((a, b) => a.start - b.start);
  }
}

function otherHalf(start: number, order: number): number {
  const size = 2 ** order;
  return (start / size) % 2 === 0 ? start + size : start - size;
}

/** The smallest power of two with room for `length` slots. */
function orderOf(length: number): number {
  let order = 0;
  while (2 ** order < length) order++;
  return order;
}

function lowest(starts: ReadonlySet<number>): number {
  return [...starts].reduce((least, start) => Math.min(least, start));
}
