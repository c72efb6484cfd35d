/** What an engine does to its blocks, in words. */
import type { FilmedEvent } from "./block-film.ts";
import type { StepReport } from "./engine.ts";

/** A step's figures. */
export function stepText({ numTokens, numRunning, numWaiting, numFreeBlocks }: StepReport): string {
  return `${numTokens} tokens run; ${numRunning} running, ${numWaiting} waiting, ${numFreeBlocks} blocks free`;
}

/** One event as a sentence; `nameOf` says what a sequence is called. */
export function eventText(event: FilmedEvent, nameOf: (sequence: number) => string): string {
  const name = nameOf(event.sequence);
  switch (event.type) {
    case "added":
      return `${name} comes with ${event.numTokens} tokens`;
    case "started":
      return `${name} starts; ${event.numCached} of its tokens are there already`;
    case "resumed":
      return `${name} goes on; ${event.numRestored} tokens are brought back`;
    case "preempted":
      return event.how === "swap"
        ? `${name} has to wait; its ${event.numTokens} tokens are saved elsewhere`
        : `${name} has to wait; its ${event.numTokens} tokens will be computed again`;
    case "assigned":
      return `${name}: logical block ${event.index} → block ${event.block}${event.evicts ? ", which forgets a prefix" : ""}`;
    case "shared":
      return event.numOwners === 1
        ? `${name}: logical block ${event.index} → block ${event.block}, found in the cache`
        : `${name}: logical block ${event.index} → block ${event.block}, shared by ${event.numOwners}`;
    case "copied":
      return `${name}: logical block ${event.index} is copied from block ${event.from} to ${event.to} before it is written`;
    case "returned": {
      const kept = event.isCached ? ", and what it holds can be found" : "";
      return event.numOwners === 0
        ? `${name} gives block ${event.block} back: free${kept}`
        : `${name} gives block ${event.block} back: still used by ${event.numOwners}`;
    }
    case "ended":
      return `${name} has ended`;
  }
}
