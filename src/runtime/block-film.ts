/** What an engine does to its blocks, step by step: for a log, a map, and a live view. */
import type { BlockManager } from "./block-manager.ts";
import type { EngineEvent, StepReport } from "./engine.ts";

/** Events that say what happened to blocks and sequences. */
export type FilmedEvent = Exclude<EngineEvent, { type: "step" }>;

/** A sequence's place in memory at the end of a step. */
export interface FilmedTable {
  readonly sequence: number;
  readonly numTokens: number;
  readonly blocks: readonly number[];
}

/** One step, when it is over. */
export interface BlockFrame {
  readonly report: StepReport;
  readonly events: readonly FilmedEvent[];
  readonly tables: readonly FilmedTable[];
  /** Free blocks whose contents can still be found. */
  readonly cachedFree: readonly number[];
}

/** Give `observe` to an engine; every step becomes a frame. */
export class BlockFilm {
  readonly frames: BlockFrame[] = [];
  /** What the memory is read from; set before the first step. */
  blocks: BlockManager | undefined;
  readonly #requests = new Map<number, number[]>();
  #events: FilmedEvent[] = [];

  readonly observe = (event: EngineEvent): void => {
    if (event.type !== "step") {
      this.#events.push(event);
      if (event.type === "added") {
        const known = this.#requests.get(event.request) ?? [];
        this.#requests.set(event.request, [...known, event.sequence]);
      }
      return;
    }
    this.frames.push({ report: event.report, events: this.#events, ...this.#memory() });
    this.#events = [];
  };

  /** What a sequence is called: its request's number, with a letter where there are several. */
  nameOf(sequence: number): string {
    for (const [request, sequences] of this.#requests) {
      const at = sequences.indexOf(sequence);
      if (at >= 0) return sequences.length === 1 ? `${request}` : `${request}${letterOf(at)}`;
    }
    return `${sequence}`;
  }

  /** The request of a sequence. */
  requestOf(sequence: number): number | undefined {
    return [...this.#requests].find(([, sequences]) => sequences.includes(sequence))?.[0];
  }

  /** The frame with the fewest free blocks; the first of them. */
  get fullest(): BlockFrame | undefined {
    return this.frames.reduce<BlockFrame | undefined>(
      (fullest, frame) =>
        fullest && fullest.report.numFreeBlocks <= frame.report.numFreeBlocks ? fullest : frame,
      undefined,
    );
  }

  #memory(): Pick<BlockFrame, "tables" | "cachedFree"> {
    const { blocks } = this;
    if (!blocks) return { tables: [], cachedFree: [] };
    const tables = blocks.ids.map((sequence) => ({
      sequence,
      numTokens: blocks.numTokens(sequence),
      blocks: [...blocks.blockTable(sequence)],
    }));
    return { tables, cachedFree: blocks.freeBlocks.filter((block) => blocks.isCached(block)) };
  }
}

/** a to z, then aa, ab, … */
function letterOf(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : letterOf(Math.floor(index / 26) - 1) + last;
}
