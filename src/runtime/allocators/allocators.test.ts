/** Every allocator against a memory of plain cells, and the paging claims as properties. */
import { expect } from "chai";
import fc from "fast-check";
import type { Allocator, MemoryRequest } from "./allocator.ts";
import { BuddyAllocator } from "./buddy.ts";
import { ContiguousAllocator } from "./contiguous.ts";
import { HoleList } from "./hole-list.ts";
import { PagedAllocator, blocksNeeded } from "./paged.ts";
import { openAllocators } from "./policies.ts";

const maxLength = 24;

type Operation =
  | {
      readonly type: "start";
      readonly numTokens: number;
      readonly more: number;
      readonly kept: number;
    }
  | { readonly type: "append" | "release"; readonly which: number };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    type: fc.constant("start" as const),
    numTokens: fc.integer({ min: 1, max: 12 }),
    more: fc.integer({ min: 1, max: 12 }),
    kept: fc.integer({ min: 0, max: 12 }),
  }),
  fc.record({ type: fc.constant("append" as const), which: fc.nat() }),
  fc.record({ type: fc.constant("release" as const), which: fc.nat() }),
);

/** Requests as plain values, and what has to hold after each operation. */
class Ledger {
  readonly lengths = new Map<number, { live: number; finalLength: number }>();
  #nextId = 1;

  apply(allocator: Allocator, step: Operation): void {
    if (step.type === "start") {
      const finalLength = step.numTokens + Math.min(step.kept, step.more);
      const request: MemoryRequest = {
        ...{ id: this.#nextId++, numTokens: step.numTokens },
        ...{ limit: step.numTokens + step.more, finalLength },
      };
      if (allocator.start(request)) {
        this.lengths.set(request.id, { live: step.numTokens, finalLength });
      }
      return;
    }
    const ids = [...this.lengths.keys()];
    const id = ids[step.which % ids.length];
    if (id === undefined) return;
    const entry = this.lengths.get(id)!;
    if (step.type === "release") {
      allocator.release(id);
      this.lengths.delete(id);
    } else if (entry.live < entry.finalLength && allocator.append(id)) entry.live++;
  }

  check(allocator: Allocator): void {
    const owners = new Array<number>(allocator.numSlots).fill(0);
    const live = new Map<number, number>();
    for (const span of allocator.spans()) {
      expect(span.numLive).to.be.within(0, span.length);
      live.set(span.owner, (live.get(span.owner) ?? 0) + span.numLive);
      for (let slot = span.start; slot < span.start + span.length; slot++) {
        expect(owners[slot], `slot ${slot}`).to.equal(0);
        owners[slot] = span.owner;
      }
    }
    expect(live).to.deep.equal(
      new Map([...this.lengths].map(([id, entry]) => [id, entry.live] as const)),
    );
    expect(allocator.numFree).to.equal(owners.filter((owner) => owner === 0).length);
    expect(allocator.largestFree).to.be.at.most(allocator.numFree);
    for (const id of this.lengths.keys()) {
      expect(allocator.holding(id).allocated).to.equal(owners.filter((o) => o === id).length);
    }
  }
}

const names = openAllocators("all", { numSlots: 100, maxLength, blockSize: 4 }).map(
  ({ name }) => name,
);

describe("allocators", () => {
  for (const [index, name] of names.entries()) {
    it(`${name}: no slot has two owners, none is lost, and all come back`, () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 150 }),
          fc.integer({ min: 1, max: 9 }),
          fc.array(operation, { maxLength: 60 }),
          (numSlots, blockSize, operations) => {
            const sizes = { numSlots, maxLength, blockSize };
            const allocator = openAllocators("all", sizes)[index]!;
            const ledger = new Ledger();
            for (const step of operations) {
              ledger.apply(allocator, step);
              ledger.check(allocator);
            }
            for (const id of ledger.lengths.keys()) allocator.release(id);
            expect(allocator.numFree).to.equal(allocator.numSlots);
            const fresh = openAllocators("all", sizes)[index]!;
            expect(allocator.largestFree).to.equal(fresh.largestFree);
          },
        ),
        { seed: 4, numRuns: 150 },
      );
    });
  }

  it("paged: starts whenever there are blocks, and wastes less than a block a request", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(operation, { maxLength: 60 }),
        (blockSize, operations) => {
          const allocator = new PagedAllocator(120, blockSize, 0);
          const ledger = new Ledger();
          for (const step of operations) {
            const free = allocator.numFree / blockSize;
            const before = ledger.lengths.size;
            ledger.apply(allocator, step);
            if (step.type === "start") {
              const fits = Math.ceil(step.numTokens / blockSize) <= free;
              expect(ledger.lengths.size > before).to.equal(fits);
            }
            for (const id of ledger.lengths.keys()) {
              const { allocated, live } = allocator.holding(id);
              expect(allocated - live).to.be.within(0, blockSize - 1);
            }
          }
        },
      ),
      { seed: 4, numRuns: 200 },
    );
  });

  it("paged: with the same requests running, starts what any reservation can (blocks of one)", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        for (const other of openAllocators("all", { numSlots: 100, maxLength, blockSize: 1 })) {
          const paged = new PagedAllocator(100, 1, 0);
          const [ours, theirs] = [new Ledger(), new Ledger()];
          for (const step of operations) {
            ours.apply(paged, step);
            theirs.apply(other, step);
            for (const id of theirs.lengths.keys()) expect(ours.lengths.has(id)).to.equal(true);
            // What only pages could start is ended, so that both run the same requests.
            for (const id of [...ours.lengths.keys()].filter((id) => !theirs.lengths.has(id))) {
              paged.release(id);
              ours.lengths.delete(id);
            }
          }
        }
      }),
      { seed: 8, numRuns: 100 },
    );
  });

  it("a tenth of a bar that is free in two pieces: paged starts what contiguous cannot", () => {
    const request = (id: number, numTokens: number): MemoryRequest => ({
      ...{ id, numTokens, limit: numTokens, finalLength: numTokens },
    });
    const policy = { fit: "first", reserve: ({ limit }: MemoryRequest) => limit } as const;
    const contiguous = new ContiguousAllocator("plain", 10, { ...policy, compacts: false });
    const compacting = new ContiguousAllocator("compacting", 10, { ...policy, compacts: true });
    const paged = new PagedAllocator(10, 1, 0);
    for (const allocator of [contiguous, compacting, paged]) {
      for (const id of [1, 2, 3]) expect(allocator.start(request(id, 3))).to.equal(true);
      allocator.release(1);
      expect(allocator.numFree).to.equal(4);
    }
    expect(contiguous.largestFree).to.equal(3);
    expect(contiguous.start(request(4, 4))).to.equal(false);
    expect(paged.start(request(4, 4))).to.equal(true);
    expect(paged.blockTable(4)).to.deep.equal([9, 0, 1, 2]);
    expect(compacting.start(request(4, 4))).to.equal(true);
    expect(compacting.numMoved).to.equal(6);
  });

  it("buddy: rounds up to a power of two and joins halves again", () => {
    const buddy = new BuddyAllocator(11);
    const request = (id: number, limit: number): MemoryRequest => ({
      ...{ id, numTokens: 1, limit, finalLength: limit },
    });
    expect(buddy.largestFree).to.equal(8);
    expect(buddy.start(request(1, 3))).to.equal(true);
    expect(buddy.holding(1)).to.deep.equal({ allocated: 4, live: 1 });
    expect(buddy.start(request(2, 5))).to.equal(false);
    expect(buddy.start(request(3, 4))).to.equal(true);
    expect([buddy.numFree, buddy.largestFree]).to.deep.equal([3, 2]);
    expect(buddy.couldEverFit(request(4, 9))).to.equal(false);
    buddy.release(1);
    buddy.release(3);
    expect([buddy.numFree, buddy.largestFree]).to.deep.equal([11, 8]);
  });

  it("first fit takes the lowest hole, best fit the smallest", () => {
    const holesOf = (): HoleList => {
      const list = new HoleList(20);
      list.take(20, "first");
      list.give(0, 6);
      list.give(8, 3);
      list.give(15, 5);
      return list;
    };
    expect(holesOf().take(3, "first")).to.equal(0);
    expect(holesOf().take(3, "best")).to.equal(8);
    expect(holesOf().take(7, "best")).to.equal(undefined);
    expect(() => {
      holesOf().give(10, 2);
    }).to.throw("give each back once");
  });

  it("a whole number of blocks needs no block more", () => {
    expect([0, 1, 15, 16, 17, 32].map((n) => blocksNeeded(n, 16))).to.deep.equal([
      0, 1, 1, 1, 2, 2,
    ]);
  });

  it("refuses sizes out of range", () => {
    const open = (numSlots: number, blockSize: number) => () =>
      openAllocators("all", { numSlots, maxLength, blockSize });
    expect(open(0, 16)).to.throw("cannot be simulated");
    expect(open(2 ** 40, 16)).to.throw("cannot be simulated");
    expect(open(100, 0)).to.throw("blockSize is 0");
  });
});
