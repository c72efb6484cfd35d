/**
 * A queue of pairs that byte-pair encoding may merge: the most frequent first and, of equally frequent
 * ones, the pair with the smallest tokens. A binary heap.
 */

/** A pair of tokens, and where it was when it was added. */
export interface QueuedPair {
  /** left · 2²¹ + right, so that keys order pairs by the left token, then by the right one. */
  readonly key: number;
  readonly count: number;
  /** The numbers of the words that hold it. */
  readonly words: ReadonlySet<number>;
}

/** Tokens have numbers below this, so that the key of two is exact in a double. */
export const tokenRange: number = 2 ** 21;

/** The queue. */
export class PairQueue {
  readonly #heap: QueuedPair[] = [];

  /** Adds a pair; the same pair may be in the queue more than once. */
  push(pair: QueuedPair): void {
    const heap = this.#heap;
    let at = heap.push(pair) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(pair, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = pair;
  }

  /** Takes out the first pair; undefined where there is none. */
  pop(): QueuedPair | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length > 0) this.#sink(last!);
    return first;
  }

  #sink(pair: QueuedPair): void {
    const heap = this.#heap;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, pair)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = pair;
  }
}

function isBefore(a: QueuedPair, b: QueuedPair): boolean {
  return a.count > b.count || (a.count === b.count && a.key < b.key);
}
