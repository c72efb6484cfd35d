/** Several sequences in one forward pass, judged by one pass for each, on all kernels at hand. */
import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { rejection } from "../testing.ts";
import { forwardEngines } from "./fixtures/forward-engines.ts";
import { draftModel, openModel } from "./fixtures/models.ts";
import { ContiguousKvCache, type KvCache } from "./kv-cache.ts";
import { forward, forwardBatch, loadLlama, type Llama } from "./llama.ts";
import type { SequencePart } from "./sequence-part.ts";

/** As in llama.test.ts: what some 30 roundings leave, magnified 10 times. */
const tolerance = 30 * 2 ** -24 * 10;

async function load(kernels: ForwardKernels, batchSize = 12): Promise<Llama> {
  return loadLlama(await openModel(draftModel("llama3")), kernels, { batchSize });
}

function cacheFor({ kernels, config }: Llama): KvCache {
  return new ContiguousKvCache(kernels, config, 16);
}

function part(
  ids: readonly number[],
  cache: KvCache,
  wanted: SequencePart["wanted"],
  tree?: { readonly parents: readonly number[]; readonly positions: readonly number[] },
): SequencePart {
  const first = cache.slots.length;
  return {
    tokens: Int32Array.from(ids),
    positions: Int32Array.from(tree ? tree.positions : ids.map((_, i) => first + i)),
    cache,
    wanted,
    parents: tree && Int32Array.from(tree.parents),
  };
}

/** The logits after each of `ids`, one pass each. */
async function oneByOne(model: Llama, ids: readonly number[]): Promise<Float32Array[]> {
  const cache = cacheFor(model);
  const rows: Float32Array[] = [];
  for (const [i, id] of ids.entries()) {
    rows.push(await forward(model, Int32Array.of(id), Int32Array.of(i), cache));
  }
  return rows;
}

function expectRows(found: Float32Array, wanted: readonly Float32Array[]): void {
  const all = wanted.flatMap((row) => [...row]);
  expect(found.length).to.equal(all.length);
  const wrong = all.findIndex((value, i) => !(Math.abs(found[i]! - value) < tolerance));
  expect(wrong, `logit ${wrong}: ${found[wrong]!} for ${all[wrong]!}`).to.equal(-1);
}

for (const [name, open] of Object.entries(forwardEngines)) {
  describe(`a forward pass over several sequences: ${name}`, () => {
    let kernels: ForwardKernels;
    before(async function () {
      kernels = await open(this);
    });

    it("gives each the logits that it has alone, whatever is wanted of it", async () => {
      const model = await load(kernels);
      const ids = [[1, 5, 3, 7, 2], [4], [9, 8, 6, 0, 1, 2, 3]];
      const alone = await Promise.all(ids.map((some) => oneByOne(model, some)));
      const caches = ids.map(() => cacheFor(model));
      // Prompts of different lengths, then single tokens beside several.
      const first = await forwardBatch(model, [
        part([1, 5, 3], caches[0]!, "last"),
        part([9, 8, 6, 0, 1], caches[2]!, "all"),
      ]);
      expectRows(first[0]!, [alone[0]![2]!]);
      expectRows(first[1]!, alone[2]!.slice(0, 5));
      const second = await forwardBatch(model, [
        part([7, 2], caches[0]!, "all"),
        part([4], caches[1]!, "last"),
        part([2], caches[2]!, "none"),
      ]);
      expectRows(second[0]!, alone[0]!.slice(3));
      expectRows(second[1]!, [alone[1]![0]!]);
      expect(second[2]).to.have.lengthOf(0);
      expect(await forwardBatch(model, [part([3], caches[2]!, "none")])).to.deep.equal([
        new Float32Array(),
      ]);
      expect(caches.map(({ slots }) => slots.length)).to.deep.equal([5, 1, 7]);
      const [next] = await forwardBatch(model, [part([1], caches[2]!, "last")]);
      expectRows(next!, [(await oneByOne(model, [...ids[2]!, 1])).at(-1)!]);
    });

    it("computes many logits in pieces", async () => {
      const model = await load(kernels);
      const narrow = {
        ...model,
        scratch: { ...model.scratch, logits: kernels.rows(model.scratch.logits, 0, 2) },
      };
      const ids = [1, 5, 3, 7, 2];
      const [all] = await forwardBatch(narrow, [part(ids, cacheFor(model), "all")]);
      expectRows(all!, await oneByOne(model, ids));
    });

    it("lets a tree's tokens see their ancestors and no siblings", async () => {
      const model = await load(kernels);
      const cache = cacheFor(model);
      await forwardBatch(model, [part([1, 5], cache, "none")]);
      // Two first tokens 3 and 7; 2 and 4 after 3; 6 after 7; 8 after that.
      const tree = { parents: [-1, 0, -1, 2, 0, 3], positions: [2, 3, 2, 3, 3, 4] };
      const [all] = await forwardBatch(model, [part([3, 2, 7, 6, 4, 8], cache, "all", tree)]);
      const paths = [[3], [3, 2], [7], [7, 6], [3, 4], [7, 6, 8]];
      const ends = paths.map(async (path) => (await oneByOne(model, [1, 5, ...path])).at(-1)!);
      expectRows(all!, await Promise.all(ends));
      cache.truncate(2);
      const chain = { parents: [-1, 0], positions: [2, 3] };
      const [last] = await forwardBatch(model, [part([7, 6], cache, "last", chain)]);
      expectRows(last!, [await ends[3]!]);
    });
  });
}

describe("a forward pass over several sequences", () => {
  it("refuses parts that do not fit, and leaves the caches as they were", async () => {
    const model = await load(referenceForward, 6);
    const [a, b] = [cacheFor(model), new ContiguousKvCache(referenceForward, model.config, 1)];
    const cases: readonly (readonly [readonly SequencePart[], RegExp])[] = [
      [[], /takes 1 to 6 tokens and a position for each, not 0 and 0/],
      [[part([1], a, "last"), part([], b, "last")], /not 0 and 0/],
      [[part([1, 2, 3, 4, 5, 6], a, "last"), part([1], b, "last")], /not 7 and 7/],
      [[part([1], a, "last"), part([2], a, "last")], /have the same cache/],
      [[part([1], a, "last"), part([12], b, "last")], /12 is no token/],
      [[part([1], a, "last"), part([1, 2], b, "last")], /room for 1 tokens and holds 0; 2 more/],
      ...[[-1], [0, 1], [-2, -1], [-1, 1]].map(
        (parents) =>
          [
            [part([1, 2], a, "all", { parents, positions: [0, 1] })],
            /parents of 2 tokens have to be as many, each -1 or an earlier/,
          ] as const,
      ),
    ];
    for (const [parts, message] of cases) {
      const error = await rejection(forwardBatch(model, parts));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
      expect([a, b].map(({ slots }) => slots.length)).to.deep.equal([0, 0]);
    }
  });
});
