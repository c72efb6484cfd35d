/**
 * Merging neighbours in the order of their ranks, the step that byte-pair encoding and SentencePiece
 * share: of all neighbours that may be joined, those of the lowest rank go first, and of equal ranks
 * the leftmost. A heap over a chain makes this n log n in the number of symbols. What a symbol is,
 * and which ones may be joined, the caller says.
 */

/** Which neighbours may be joined. Symbols are named by where they begin, counted in first symbols. */
export interface MergeRule {
  /** The rank, below `maxRank`, of joining the symbols at [left, middle) and [middle, end); −1: never. */
  rank(left: number, middle: number, end: number): number;
  /** The symbols at [left, middle) and [middle, end) are one from now on. */
  join(left: number, middle: number, end: number): void;
}

/** A heap key is rank · 2³¹ + position; below this rank it is exact in a double. */
export const maxRank: number = 2 ** 22;
const positionRange = 2 ** 31;
/** Working memory for this many symbols, some 50 bytes each, is kept from one word to the next. */
const keptSymbols = 2 ** 12;

/** Working memory for merging, one word after the other. */
export class MergeQueue {
  /** First symbols that a symbol covers; 0 for one that its left neighbour has swallowed. */
  #spans = new Int32Array(keptSymbols);
  #previous = new Int32Array(keptSymbols);
  /** A binary heap of keys, each with the first symbols that its pair covered when it was added. */
  #keys = new Float64Array(3 * keptSymbols);
  #sizes = new Int32Array(3 * keptSymbols);
  #length = 0;
  #count = 0;

  /**
   * Merges `count` symbols until no neighbours may be joined, and calls `emit` for each that is left,
   * from left to right, with its first symbols [start, end).
   */
  merge(count: number, rule: MergeRule, emit: (start: number, end: number) => void): void {
    this.#start(count);
    for (let left = 0; left + 1 < count; left++) this.#propose(left, rule);
    while (this.#length > 0) {
      const left = this.#keys[0]! % positionRange;
      const size = this.#sizes[0]!;
      this.#removeFirst();
      const middle = left + this.#spans[left]!;
      // A pair is out of date if either part has grown or gone since: then it covers another number.
      if (middle === left || middle >= count || this.#end(middle) - left !== size) continue;
      this.#join(left, middle, rule);
    }
    for (let start = 0; start < count; start = this.#end(start)) emit(start, this.#end(start));
    if (count > keptSymbols) this.#resize(keptSymbols);
  }

  #start(count: number): void {
    if (count > this.#spans.length) this.#resize(count);
    this.#count = count;
    this.#length = 0;
    this.#spans.fill(1, 0, count);
    for (let i = 0; i < count; i++) this.#previous[i] = i - 1;
  }

  /** Every join takes away one symbol and adds at most two pairs, so 3 · count pairs suffice. */
  #resize(count: number): void {
    this.#spans = new Int32Array(count);
    this.#previous = new Int32Array(count);
    this.#keys = new Float64Array(3 * count);
    this.#sizes = new Int32Array(3 * count);
  }

  #end(start: number): number {
    return start + this.#spans[start]!;
  }

  #join(left: number, middle: number, rule: MergeRule): void {
    const end = this.#end(middle);
    rule.join(left, middle, end);
    this.#spans[left] = end - left;
    this.#spans[middle] = 0;
    if (end < this.#count) this.#previous[end] = left;
    const before = this.#previous[left]!;
    if (before >= 0) this.#propose(before, rule);
    this.#propose(left, rule);
  }

  /** Adds the pair of the symbol at `left` and the one after it, where there is one and it may join. */
  #propose(left: number, rule: MergeRule): void {
    const middle = this.#end(left);
    if (middle >= this.#count) return;
    const end = this.#end(middle);
    const rank = rule.rank(left, middle, end);
    if (rank >= 0) this.#add(rank * positionRange + left, end - left);
  }

  #add(key: number, size: number): void {
    const keys = this.#keys;
    const sizes = this.#sizes;
    let at = this.#length++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[at] = keys[parent]!;
      sizes[at] = sizes[parent]!;
      at = parent;
    }
    keys[at] = key;
    sizes[at] = size;
  }

  #removeFirst(): void {
    const keys = this.#keys;
    const sizes = this.#sizes;
    const length = --this.#length;
    const key = keys[length]!;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && keys[child + 1]! < keys[child]!) child++;
      if (key <= keys[child]!) break;
      keys[at] = keys[child]!;
      sizes[at] = sizes[child]!;
      at = child;
    }
    keys[at] = key;
    sizes[at] = sizes[length]!;
  }
}
