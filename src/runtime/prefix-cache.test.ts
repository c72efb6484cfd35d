import { expect } from "chai";
import { hashBlock } from "./block-hash.ts";
import { PrefixCache } from "./prefix-cache.ts";

describe("prefix cache", () => {
  it("tells equal tokens after different beginnings apart, though all hashes are equal", () => {
    const cache = new PrefixCache(() => 0);
    const [a, b] = [cache.add(0, undefined, [1, 2], ""), cache.add(1, undefined, [3, 4], "")];
    const afterA = cache.add(2, a, [5, 6], "");
    expect(cache.find(a, [5, 6], "")).to.equal(afterA);
    expect(cache.find(b, [5, 6], "")).to.equal(undefined);
    expect(cache.find(undefined, [5, 6], "")).to.equal(undefined);
    expect(cache.find(undefined, [1, 2], "salt")).to.equal(undefined);
  });

  it("keeps an entry while a block holds it or another continues it, and then nothing of it", () => {
    const cache = new PrefixCache(hashBlock);
    const first = cache.add(0, undefined, [1], "");
    cache.add(1, undefined, [1], "");
    const second = cache.add(2, first, [2], "");
    expect([cache.numBlocks, cache.numEntries]).to.deep.equal([3, 2]);
    cache.delete(0);
    expect(cache.find(undefined, [1], "")).to.equal(first);
    cache.delete(1);
    expect(cache.find(undefined, [1], "")).to.equal(undefined);
    expect([cache.numBlocks, cache.numEntries]).to.deep.equal([1, 2]);
    expect(cache.add(3, undefined, [1], "")).to.equal(first);
    expect(cache.find(first, [2], "")).to.equal(second);
    for (const block of [3, 2, 2]) cache.delete(block);
    expect([cache.numBlocks, cache.numEntries]).to.deep.equal([0, 0]);
    expect(cache.has(2)).to.equal(false);
  });
});
