/** The block manager against plain maps, and against the example in vLLM's documentation. */
import { expect } from "chai";
import { randomInt, seededRng, type Rng } from "../core/rng.ts";
import { BlockManager, type BlockManagerOptions } from "./block-manager.ts";
import { hashBlock, rootHash, type BlockHash } from "./block-hash.ts";

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

function managerOf(options: Partial<BlockManagerOptions> = {}): BlockManager {
  return new BlockManager({ numBlocks: 10, blockSize: 4, watermark: 0, ...options });
}

describe("block manager", () => {
  it("goes through the worked example of vLLM's documentation", () => {
    // docs/design/prefix_caching.md: blocks of four, ten of them.
    const manager = managerOf();
    const request0 = range(0, 15);
    expect(manager.start(0, request0)!.numCached).to.equal(0);
    manager.commit(0);
    expect(manager.blockTable(0)).to.deep.equal([0, 1, 2, 3]);
    expect([0, 1, 2, 3].map((block) => manager.isCached(block))).to.deep.equal([
      ...[true, true, true, false],
    ]);
    manager.append(0, [15, 16]);
    manager.commit(0);
    expect(manager.blockTable(0)).to.deep.equal([0, 1, 2, 3, 4]);
    expect(manager.isCached(3)).to.equal(true);

    const request1 = [...range(0, 10), 90, 91, 92, 93];
    expect(manager.start(1, request1)!.numCached).to.equal(8);
    manager.commit(1);
    expect(manager.blockTable(1)).to.deep.equal([0, 1, 5, 6]);

    manager.release(0);
    expect(manager.freeBlocks).to.deep.equal([7, 8, 9, 4, 3, 2]);
    manager.release(1);
    expect(manager.freeBlocks).to.deep.equal([7, 8, 9, 4, 3, 2, 6, 5, 1, 0]);

    const request2 = [...range(0, 12), ...range(200, 217)];
    expect(manager.start(2, request2)!.numCached).to.equal(12);
    expect(manager.blockTable(2)).to.deep.equal([0, 1, 2, 7, 8, 9, 4, 3]);
    expect(manager.freeBlocks).to.deep.equal([6, 5]);
    expect(manager.isCached(3)).to.equal(false);
  });

  it("lets two requests that ran side by side keep a block each for the same tokens", () => {
    const manager = managerOf();
    manager.start(1, range(0, 6));
    manager.commit(1);
    manager.append(1, [6, 7]);
    manager.commit(1);
    expect(manager.start(2, range(0, 6))!.numCached).to.equal(4);
    manager.append(2, [6, 7]);
    manager.commit(2);
    expect(manager.blockTable(1)).to.deep.equal([0, 1]);
    expect(manager.blockTable(2)).to.deep.equal([0, 2]);
    expect([0, 1, 2].every((block) => manager.isCached(block))).to.equal(true);
  });

  it("always leaves a token to compute, and finds nothing that was not committed", () => {
    const manager = managerOf();
    manager.start(1, range(0, 8));
    expect(manager.numFound(range(0, 8))).to.equal(0);
    manager.commit(1, 7);
    expect(manager.numFound(range(0, 8))).to.equal(4);
    manager.commit(1);
    expect(manager.numFound(range(0, 8))).to.equal(4);
    expect(manager.numFound(range(0, 9))).to.equal(8);
    expect([...manager.start(2, range(0, 9))!.slots]).to.deep.equal([8]);
  });

  it("starts a long prompt in parts", () => {
    const manager = managerOf();
    expect([...manager.start(1, range(0, 12), { maxNew: 6 })!.slots]).to.deep.equal(range(0, 6));
    expect(manager.numTokens(1)).to.equal(6);
    expect([...manager.append(1, range(6, 12))!.slots]).to.deep.equal(range(6, 12));
    manager.commit(1);
    const next = manager.start(2, [...range(0, 12), 50], { maxNew: 0 })!;
    expect([next.numCached, next.slots.length]).to.deep.equal([12, 0]);
  });

  it("copies a shared block when it is written to, and only then", () => {
    const manager = managerOf();
    manager.start(1, range(0, 6));
    manager.fork(1, 2);
    manager.fork(1, 3);
    expect(manager.numFree).to.equal(8);
    expect(manager.append(2, [60])!.copy).to.deep.equal({ from: 1, to: 2 });
    expect(manager.append(3, [70])!.copy).to.deep.equal({ from: 1, to: 3 });
    expect(manager.append(1, [80])!.copy).to.equal(undefined);
    expect(manager.blockTable(1)).to.deep.equal([0, 1]);
    expect([...manager.slots(3)]).to.deep.equal([0, 1, 2, 3, 12, 13, 14]);
    expect(manager.numOwners(0)).to.equal(3);
  });

  it("forgets what a block held when its sequence is rewound and goes on otherwise", () => {
    const manager = managerOf();
    manager.start(1, range(0, 8));
    manager.commit(1);
    manager.truncate(1, 6);
    expect(manager.numFound(range(0, 9))).to.equal(8);
    manager.append(1, [66]);
    expect(manager.numFound(range(0, 9))).to.equal(4);
    manager.append(1, [67]);
    manager.commit(1);
    expect(manager.numFound([0, 1, 2, 3, 4, 5, 66, 67, 9])).to.equal(8);
  });

  it("keeps a rewound block for another sequence that found it", () => {
    const manager = managerOf();
    manager.start(1, range(0, 8));
    manager.commit(1);
    manager.truncate(1, 6);
    manager.start(2, range(0, 9));
    expect(manager.append(1, [66])!.copy).to.deep.equal({ from: 1, to: 3 });
    expect(manager.numFound(range(0, 9))).to.equal(8);
  });

  it("takes the end of a prefix that nobody uses before its beginning", () => {
    const manager = managerOf({ numBlocks: 4 });
    manager.start(1, range(0, 8));
    manager.commit(1);
    manager.release(1);
    manager.start(2, range(100, 112));
    expect(manager.numFound(range(0, 9))).to.equal(4);
  });

  it("finds a prefix again whose first block was lost and computed anew", () => {
    const manager = managerOf();
    manager.start(1, range(0, 8));
    manager.commit(1);
    manager.truncate(1, 2);
    manager.append(1, [77]);
    expect(manager.numFound(range(0, 9))).to.equal(0);
    manager.start(2, range(0, 4));
    manager.commit(2);
    expect(manager.numFound(range(0, 9))).to.equal(8);
  });

  it("counts found blocks that were free among those it needs", () => {
    const manager = managerOf({ numBlocks: 4 });
    manager.start(1, range(0, 8));
    manager.commit(1);
    manager.release(1);
    manager.start(2, range(100, 104));
    expect(manager.numFree).to.equal(3);
    expect(manager.start(3, range(0, 16))).to.equal(undefined);
    expect(manager.freeBlocks).to.deep.equal([3, 1, 0]);
    expect(manager.start(3, range(0, 12))!.numCached).to.equal(8);
    expect(manager.numFree).to.equal(0);
  });

  it("does not share between salts, or at all where it is told so", () => {
    const manager = managerOf();
    manager.start(1, range(0, 8), { salt: "a" });
    manager.commit(1);
    expect(manager.numFound(range(0, 8), "a")).to.equal(4);
    expect(manager.numFound(range(0, 8), "b")).to.equal(0);
    expect(manager.numFound(range(0, 8))).to.equal(0);
    const alone = managerOf({ sharesPrefixes: false });
    alone.start(1, range(0, 8));
    alone.commit(1);
    expect([alone.numFound(range(0, 8)), alone.numCached]).to.deep.equal([0, 0]);
  });

  it("keeps the watermark free when a sequence starts beside others, and not when one grows", () => {
    const manager = managerOf({ watermark: 0.2 });
    expect(managerOf({ watermark: 0.2 }).start(1, range(0, 40))).not.to.equal(undefined);
    manager.start(1, range(0, 4));
    expect(manager.start(2, range(50, 82))).to.equal(undefined);
    expect(manager.ids).to.deep.equal([1]);
    expect(manager.start(2, range(50, 78))).not.to.equal(undefined);
    expect(manager.append(1, range(0, 8))).not.to.equal(undefined);
    expect(manager.append(2, [1])).to.equal(undefined);
    expect(manager.numTokens(2)).to.equal(28);
    expect(manager.couldEverFit(40) && !manager.couldEverFit(41)).to.equal(true);
  });

  it("says what was asked wrongly", () => {
    const manager = managerOf();
    manager.start(1, [1]);
    expect(() => manager.start(1, [1])).to.throw("runs already");
    expect(() => manager.start(2, [])).to.throw("at least one token");
    expect(() => manager.append(2, [1])).to.throw("no sequence 2");
    expect(() => {
      manager.truncate(1, 2);
    }).to.throw("has 1 tokens, and 2 were named");
    expect(() => {
      manager.commit(1, 2);
    }).to.throw("has 1 tokens");
    expect(() => managerOf({ numBlocks: 0 })).to.throw("numBlocks is 0");
    expect(() => managerOf({ watermark: 1 })).to.throw("watermark is 1");
  });

  for (const [name, hash] of [
    ["its own hash", hashBlock],
    ["a hash of one bit", (parent, tokens) => (parent + (tokens[0] ?? 0)) & 1],
  ] as const satisfies readonly (readonly [string, BlockHash])[]) {
    it(`survives 100,000 random operations with ${name}: nothing leaks, every slot holds its prefix`, () => {
      const world = new World(hash, seededRng(8));
      for (let i = 0; i < 100_000; i++) {
        world.act();
        if (i % 500 === 0) world.checkAll();
      }
      world.checkAll();
      world.end();
      // Every kind of event must have happened, often.
      for (const [event, count] of Object.entries(world.seen)) {
        expect(count, event).to.be.greaterThan(1000);
      }
    });
  }
});

describe("block hashes", () => {
  it("depend on the prefix, the tokens and the salt", () => {
    const roots = [rootHash(""), rootHash("a"), rootHash("b")];
    const tokens = [[1], [1, 1], [2], [1, 2], [2, 1]];
    const hashes = roots.flatMap((root) => tokens.map((block) => hashBlock(root, block)));
    expect(new Set(hashes).size).to.equal(hashes.length);
    for (const hash of hashes) expect(hash).to.be.within(0, 2 ** 32 - 1);
  });

  it("spread: among 100,000 blocks about as many collide as chance allows", () => {
    const hashes = new Set(range(0, 100_000).map((i) => hashBlock(i % 10, [i, 7, i >> 3])));
    // The birthday bound expects one or two collisions in 2³².
    expect(100_000 - hashes.size).to.be.at.most(8);
  });
});

/**
 * The manager and a memory as a caller would keep it. A slot holds the number of the whole prefix
 * that its token ends, from a trie of plain maps: whatever the manager shared, copied or evicted, a
 * sequence must find its own prefixes in its slots.
 */
class World {
  readonly seen: Record<string, number> = {
    ...{ hit: 0, copy: 0, short: 0, rewind: 0, evicted: 0, fork: 0, release: 0 },
  };
  readonly #rng: Rng;
  readonly #manager: BlockManager;
  readonly #memory = new Float64Array(48 * 4).fill(-1);
  readonly #sequences = new Map<number, { salt: string; tokens: number[] }>();
  readonly #prefixes = new Map<string, number>();
  #nextId = 0;

  constructor(hash: BlockHash, rng: Rng) {
    this.#rng = rng;
    this.#manager = new BlockManager({ numBlocks: 48, blockSize: 4, watermark: 0, hash });
  }

  act(): void {
    const ids = [...this.#sequences.keys()];
    const id = ids[randomInt(this.#rng, ids.length)];
    const choice = this.#rng();
    if (id === undefined || choice < 0.2) this.#start();
    else if (choice < 0.65) this.#append(id);
    else if (choice < 0.75) this.#rewind(id);
    else if (choice < 0.82) this.#fork(id);
    else this.#release(id);
  }

  end(): void {
    for (const id of this.#sequences.keys()) this.#manager.release(id);
    expect(this.#manager.numFree).to.equal(48);
    expect([...this.#manager.freeBlocks].sort((a, b) => a - b)).to.deep.equal(range(0, 48));
  }

  checkAll(): void {
    const owners = new Map<number, number>();
    for (const id of this.#sequences.keys()) {
      this.#checkOne(id);
      for (const block of this.#manager.blockTable(id)) {
        owners.set(block, (owners.get(block) ?? 0) + 1);
      }
    }
    const free = new Set(this.#manager.freeBlocks);
    for (let block = 0; block < 48; block++) {
      expect(this.#manager.numOwners(block)).to.equal(owners.get(block) ?? 0);
      expect(free.has(block)).to.equal(!owners.has(block));
    }
    expect(this.#manager.numFree).to.equal(48 - owners.size);
  }

  #start(): void {
    const id = this.#nextId++;
    const salt = ["", "", "other", "third"][randomInt(this.#rng, 4)]!;
    const tokens = this.#tokens(1 + randomInt(this.#rng, 30));
    const maxNew = this.#rng() < 0.5 ? 1 + randomInt(this.#rng, 8) : Infinity;
    const numFree = this.#manager.numFree;
    const numCached = this.#manager.numCached;
    const started = this.#manager.start(id, tokens, { salt, maxNew });
    if (!started) {
      this.#short(numFree, Math.ceil(tokens.length / 4) + 2);
      return;
    }
    if (started.numCached > 0) this.seen["hit"]!++;
    if (this.#manager.numCached < numCached) this.seen["evicted"]!++;
    expect(started.numCached).to.be.lessThan(tokens.length);
    const taken = tokens.slice(0, started.numCached + started.slots.length);
    this.#sequences.set(id, { salt, tokens: taken });
    this.#write(id, started.numCached, started.slots);
  }

  #append(id: number): void {
    const sequence = this.#sequences.get(id)!;
    const more = this.#tokens(randomInt(this.#rng, 7));
    const numFree = this.#manager.numFree;
    const appended = this.#manager.append(id, more);
    if (!appended) {
      this.#short(numFree, Math.ceil(more.length / 4) + 1);
      return;
    }
    if (appended.copy) {
      const { from, to } = appended.copy;
      this.#memory.copyWithin(to * 4, from * 4, from * 4 + 4);
      this.seen["copy"]!++;
    }
    const first = sequence.tokens.length;
    sequence.tokens.push(...more);
    this.#write(id, first, appended.slots);
  }

  #rewind(id: number): void {
    const { tokens } = this.#sequences.get(id)!;
    const length = randomInt(this.#rng, tokens.length + 1);
    this.#manager.truncate(id, length);
    tokens.length = length;
    this.seen["rewind"]!++;
    this.#checkOne(id);
  }

  #fork(id: number): void {
    const child = this.#nextId++;
    const { salt, tokens } = this.#sequences.get(id)!;
    this.#manager.fork(id, child);
    this.#sequences.set(child, { salt, tokens: [...tokens] });
    this.seen["fork"]!++;
    this.#checkOne(child);
  }

  #release(id: number): void {
    this.#manager.release(id);
    this.#sequences.delete(id);
    this.seen["release"]!++;
  }

  /** A refusal is right only where memory really is short, and changes nothing. */
  #short(numFreeBefore: number, mostNeeded: number): void {
    this.seen["short"]!++;
    expect(this.#manager.numFree).to.equal(numFreeBefore);
    expect(numFreeBefore).to.be.lessThan(mostNeeded);
  }

  #write(id: number, first: number, slots: Int32Array): void {
    const prefixes = this.#prefixesOf(id);
    slots.forEach((slot, i) => (this.#memory[slot] = prefixes[first + i]!));
    this.#checkOne(id);
    // Sometimes late, sometimes only a part.
    if (this.#rng() < 0.7) {
      this.#manager.commit(
        id,
        prefixes.length - randomInt(this.#rng, Math.min(3, prefixes.length)),
      );
    }
  }

  #checkOne(id: number): void {
    const slots = this.#manager.slots(id);
    const held = Array.from(slots, (slot) => this.#memory[slot]!);
    expect(held).to.deep.equal(this.#prefixesOf(id));
  }

  #prefixesOf(id: number): number[] {
    const { salt, tokens } = this.#sequences.get(id)!;
    let prefix = -1;
    return tokens.map((token) => {
      const key = `${salt} ${prefix} ${token}`;
      prefix = this.#prefixes.get(key) ?? this.#prefixes.size;
      this.#prefixes.set(key, prefix);
      return prefix;
    });
  }

  /** Two kinds of token: many sequences begin alike. */
  #tokens(length: number): number[] {
    return Array.from({ length }, () => (this.#rng() < 0.85 ? 0 : 1));
  }
}
