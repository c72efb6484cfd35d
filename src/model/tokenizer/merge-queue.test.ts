import { expect } from "chai";
import fc from "fast-check";
import { MergeQueue } from "./merge-queue.ts";

type Ranks = ReadonlyMap<string, number>;

/** By the definition: look at all neighbours, join the first of the lowest rank, start again. */
function mergedByDefinition(text: string, ranks: Ranks): string[] {
  const symbols = Array.from(text);
  for (;;) {
    const pairs = symbols.slice(1).map((symbol, i) => ranks.get(symbols[i]! + symbol) ?? Infinity);
    const lowest = Math.min(...pairs);
    if (lowest === Infinity) return symbols;
    const at = pairs.indexOf(lowest);
    symbols.splice(at, 2, symbols[at]! + symbols[at + 1]!);
  }
}

function merged(queue: MergeQueue, text: string, ranks: Ranks): string[] {
  const symbols: string[] = [];
  const rule = {
    rank: (left: number, _middle: number, end: number): number =>
      ranks.get(text.slice(left, end)) ?? -1,
    join: (): void => undefined,
  };
  queue.merge(text.length, rule, (start, end) => symbols.push(text.slice(start, end)));
  return symbols;
}

describe("the merge queue", () => {
  it("joins as the definition says, for any ranks, with ties", () => {
    const queue = new MergeQueue();
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 40 });
    const pair = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 2, maxLength: 5 });
    const table = fc.array(fc.tuple(pair, fc.nat(6)), { maxLength: 30 });
    fc.assert(
      fc.property(letters, table, (text, entries) => {
        const ranks = new Map(entries);
        expect(merged(queue, text, ranks)).to.deep.equal(mergedByDefinition(text, ranks));
      }),
      { numRuns: 500 },
    );
  });

  it("tells joins of the two parts apart", () => {
    const queue = new MergeQueue();
    const joins: number[][] = [];
    const rule = {
      rank: (left: number, middle: number, end: number): number =>
        end - left <= 4 && middle - left === end - middle ? end - left : -1,
      join: (left: number, middle: number, end: number): void => {
        joins.push([left, middle, end]);
      },
    };
    queue.merge(4, rule, () => undefined);
    expect(joins).to.deep.equal([
      [0, 1, 2],
      [2, 3, 4],
      [0, 2, 4],
    ]);
  });

  it("leaves nothing of a long text behind for the next, shorter one", () => {
    const queue = new MergeQueue();
    const ranks = new Map([["ab", 0]]);
    expect(merged(queue, "ab".repeat(10_000), ranks)).to.have.lengthOf(10_000);
    expect(merged(queue, "bab", ranks)).to.deep.equal(["b", "ab"]);
    expect(merged(queue, "", ranks)).to.deep.equal([]);
  });
});
