import { expect } from "chai";
import fc from "fast-check";
import { FreeQueue } from "./free-queue.ts";

describe("free queue", () => {
  it("does what a plain array does", () => {
    const operation = fc.tuple(fc.constantFrom("push", "pop", "remove"), fc.nat({ max: 7 }));
    fc.assert(
      fc.property(fc.array(operation), (operations) => {
        const queue = new FreeQueue(8);
        const expected = [0, 1, 2, 3, 4, 5, 6, 7];
        for (const [what, block] of operations) {
          const index = expected.indexOf(block);
          if (what === "pop") expect(queue.pop()).to.equal(expected.shift());
          else if (what === "push" && index < 0) {
            queue.push(block);
            expected.push(block);
          } else if (what === "remove" && index >= 0) {
            queue.remove(block);
            expected.splice(index, 1);
          }
          expect([...queue]).to.deep.equal(expected);
          expect(queue.length).to.equal(expected.length);
          expect(queue.has(block)).to.equal(expected.includes(block));
        }
      }),
      { seed: 8, numRuns: 300 },
    );
  });

  it("refuses to free a block twice, or one it does not know", () => {
    const queue = new FreeQueue(2);
    for (const block of [0, 2, -1, 0.5]) {
      expect(() => {
        queue.push(block);
      }).to.throw(`Block ${block} cannot be freed`);
    }
    queue.pop();
    expect(() => {
      queue.remove(0);
    }).to.throw("Block 0 is not free");
  });
});
