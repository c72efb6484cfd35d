/**
 * Memory in blocks of equal size (Kwon et al., 2023): a request gets a block when it needs one, and
 * any free block will do. Without sharing between requests, which `../block-manager.ts` adds.
 */
import type { Allocator, Holding, MemoryRequest, Span } from "./allocator.ts";
import { FreeQueue } from "../free-queue.ts";

interface Sequence {
  readonly blocks: number[];
  numLive: number;
}

/** How much of a pool stays free when a request starts, so that running ones can grow; as in vLLM. */
export const defaultWatermark = 0.01;

/** Blocks of `blockSize` slots on demand. */
export class PagedAllocator implements Allocator {
  readonly name: string = "paged";
  readonly numSlots: number;
  readonly blockSize: number;
  readonly numMoved: number = 0;
  readonly #numBlocks: number;
  readonly #watermarkBlocks: number;
  readonly #free: FreeQueue;
  readonly #sequences = new Map<number, Sequence>();

  /** Slots that do not fill a block are not used. */
  constructor(numSlots: number, blockSize: number, watermark: number = defaultWatermark) {
    this.blockSize = blockSize;
    this.#numBlocks = Math.floor(numSlots / blockSize);
    this.numSlots = this.#numBlocks * blockSize;
    this.#watermarkBlocks = Math.floor(watermark * this.#numBlocks);
    this.#free = new FreeQueue(this.#numBlocks);
  }

  get numFree(): number {
    return this.#free.length * this.blockSize;
  }

  get largestFree(): number {
    return this.numFree;
  }

  slotsToStart(request: MemoryRequest): number {
    return blocksNeeded(request.numTokens, this.blockSize) * this.blockSize;
  }

  couldEverFit(request: MemoryRequest): boolean {
    return blocksNeeded(request.limit, this.blockSize) <= this.#numBlocks;
  }

  start(request: MemoryRequest): boolean {
    const needed = blocksNeeded(request.numTokens, this.blockSize);
    // With nothing running there is nobody to keep blocks for.
    const kept = this.#sequences.size > 0 ? this.#watermarkBlocks : 0;
    if (needed + kept > this.#free.length) return false;
    const blocks = Array.from({ length: needed }, () => this.#free.pop()!);
    this.#sequences.set(request.id, { blocks, numLive: request.numTokens });
    return true;
  }

  append(id: number): boolean {
    const sequence = this.#sequences.get(id)!;
    if (sequence.numLive === sequence.blocks.length * this.blockSize) {
      const block = this.#free.pop();
      if (block === undefined) return false;
      sequence.blocks.push(block);
    }
    sequence.numLive++;
    return true;
  }

  release(id: number): void {
    for (const block of this.#sequences.get(id)!.blocks) this.#free.push(block);
    this.#sequences.delete(id);
  }

  holding(id: number): Holding {
    const { blocks, numLive } = this.#sequences.get(id)!;
    return { allocated: blocks.length * this.blockSize, live: numLive };
  }

  /** The requests that hold memory, in the order in which they started. */
  get ids(): readonly number[] {
    return [...this.#sequences.keys()];
  }

  /** The physical block of each logical block of a request. */
  blockTable(id: number): readonly number[] {
    return this.#sequences.get(id)!.blocks;
  }

  spans(): readonly Span[] {
    const length = this.blockSize;
    return [...this.#sequences]
      .flatMap(([owner, { blocks, numLive }]) =>
        blocks.map((block, i) => ({
          start: block * length,
          length,
          owner,
          numLive: Math.min(length, numLive - i * length),
        })),
      )
      .sort((a, b) => a.start - b.start);
  }
}

/** Blocks that `numTokens` tokens take. */
export function blocksNeeded(numTokens: number, blockSize: number): number {
  return Math.ceil(numTokens / blockSize);
}
