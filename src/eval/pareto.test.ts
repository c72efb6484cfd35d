import { expect } from "chai";
import * as fc from "fast-check";
import { paretoFront } from "./pareto.ts";

const own = (point: readonly [number, number]): readonly [number, number] => point;

describe("the pareto front", () => {
  it("leaves out what something beats in both costs", () => {
    expect(
      paretoFront(
        [
          [1, 9],
          [2, 5],
          [3, 6],
          [4, 5],
          [9, 1],
        ],
        own,
      ),
    ).to.deep.equal([
      [1, 9],
      [2, 5],
      [9, 1],
    ]);
  });

  it("keeps equals, and is never empty where there is something", () => {
    const points = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 })),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(points, (all) => {
        const front = paretoFront(all, own);
        // Sorted by the first cost, the second falls; so no two of the front beat each other.
        const sorted = [...front].sort(([a], [b]) => a - b);
        for (const [i, [x, y]] of sorted.slice(1).entries()) {
          const [beforeX, beforeY] = sorted[i]!;
          expect((beforeX === x && beforeY === y) || (beforeX < x && beforeY > y)).to.equal(true);
        }
        // Everything else is beaten by one of the front.
        for (const [x, y] of all) {
          expect(front.some(([a, b]) => a <= x && b <= y)).to.equal(true);
        }
      }),
    );
  });
});
