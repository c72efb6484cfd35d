/** The allocators by name, as the simulator compares them. */
import { UsageError } from "../../core/errors.ts";
import type { Allocator } from "./allocator.ts";
import { BuddyAllocator } from "./buddy.ts";
import { ContiguousAllocator } from "./contiguous.ts";
import { PagedAllocator } from "./paged.ts";

/** What an allocator has to know. */
export interface MemorySizes {
  readonly numSlots: number;
  /** The longest sequence that is served; at most as long as the model's context. Tokens. */
  readonly maxLength: number;
  /** Slots of a block of the paged allocator. */
  readonly blockSize: number;
}

/** A family of allocators to compare. */
export type AllocatorChoice = "contiguous" | "buddy" | "oracle" | "paged" | "all";

/** More slots than any machine has; arrays of the managers stay far below their limits. */
const maxSlots = 2 ** 27;

/**
 * New allocators over the same memory. *Contiguous* stands for four: reservation of the maximal
 * length, and of the declared limit by first fit, by best fit, and with compaction. The *oracle*
 * reserves the final length, which nobody knows, and shows what reservation could be at best. Throws
 * UsageError for sizes out of range.
 */
export function openAllocators(choice: AllocatorChoice, sizes: MemorySizes): readonly Allocator[] {
  checkSizes(sizes);
  const { numSlots, maxLength, blockSize } = sizes;
  const contiguous = (): Allocator[] => [
    new ContiguousAllocator("contiguous-max", numSlots, {
      fit: "first",
      reserve: () => maxLength,
      compacts: false,
    }),
    byLimit("contiguous-first-fit", numSlots, "first", false),
    byLimit("contiguous-best-fit", numSlots, "best", false),
    byLimit("contiguous-compacting", numSlots, "first", true),
  ];
  const buddy = (): Allocator[] => [new BuddyAllocator(numSlots)];
  const oracle = (): Allocator[] => [
    new ContiguousAllocator("oracle", numSlots, {
      fit: "first",
      reserve: ({ finalLength }) => finalLength,
      compacts: false,
    }),
  ];
  const paged = (): Allocator[] => [new PagedAllocator(numSlots, blockSize)];
  switch (choice) {
    case "contiguous":
      return contiguous();
    case "buddy":
      return buddy();
    case "oracle":
      return oracle();
    case "paged":
      return paged();
    case "all":
      return [...contiguous(), ...buddy(), ...oracle(), ...paged()];
  }
}

function byLimit(
  name: string,
  numSlots: number,
  fit: "first" | "best",
  compacts: boolean,
): Allocator {
  return new ContiguousAllocator(name, numSlots, { fit, reserve: ({ limit }) => limit, compacts });
}

function checkSizes({ numSlots, maxLength, blockSize }: MemorySizes): void {
  if (!(Number.isInteger(numSlots) && numSlots >= 1 && numSlots <= maxSlots)) {
    throw new UsageError(
      `A memory of ${numSlots} tokens cannot be simulated; give 1 to ${maxSlots}.`,
    );
  }
  for (const [what, value] of Object.entries({ maxLength, blockSize })) {
    if (!(Number.isInteger(value) && value >= 1 && value <= maxSlots)) {
      throw new UsageError(`${what} is ${value} and has to be a whole number of at least 1.`);
    }
  }
}
