import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { llamaConfigFromGguf } from "./config.ts";
import { draftModel } from "./fixtures/models.ts";
import { ContiguousKvCache } from "./kv-cache.ts";

const tokens = (count: number): Int32Array => new Int32Array(count);

describe("the contiguous KV cache", () => {
  const config = llamaConfigFromGguf({
    name: "model.gguf",
    metadata: draftModel("llama3").metadata,
  });

  it("gives each token the next slot, and takes slots back", () => {
    const cache = new ContiguousKvCache(referenceForward, config, 5);
    expect([...cache.extend(tokens(3))]).to.deep.equal([0, 1, 2]);
    expect([...cache.extend(tokens(1))]).to.deep.equal([3]);
    cache.truncate(2);
    expect([...cache.slots]).to.deep.equal([0, 1]);
    expect([...cache.extend(tokens(3))]).to.deep.equal([2, 3, 4]);
    expect(cache.numFree).to.equal(0);
  });

  it("has keys and values of every layer", () => {
    const cache = new ContiguousKvCache(referenceForward, config, 5);
    expect(cache.pools).to.have.lengthOf(2);
    expect(cache.pools[1]!.values).to.include({ numRows: 5, numCols: 16 });
    // Keys and values, 2 layers, 5 tokens, 2 heads of 8 values of 4 bytes.
    expect(cache.numBytes).to.equal(2 * 2 * 5 * 2 * 8 * 4);
  });

  it("refuses more than it has room for, and to forget what it never had", () => {
    const cache = new ContiguousKvCache(referenceForward, config, 2);
    cache.extend(tokens(1));
    expect(() => cache.extend(tokens(2))).to.throw(
      InputError,
      /room for 2 tokens and holds 1; 2 more/,
    );
    expect(cache.slots.length).to.equal(1);
    for (const length of [2, -1, 0.5, NaN]) {
      expect(() => {
        cache.truncate(length);
      }).to.throw(InputError, /cannot be cut to/);
    }
  });

  it("says so where there is no memory for it", () => {
    expect(() => new ContiguousKvCache(referenceForward, config, 2 ** 50)).to.throw(
      InputError,
      /no memory for the keys and values of 1125899906842624 tokens/,
    );
  });
});
