import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { rejection } from "../testing.ts";
import { llamaConfigFromGguf } from "./config.ts";
import { draftModel, ggufValue, openModel, type ModelDraft } from "./fixtures/models.ts";
import { loadLlama } from "./llama.ts";
import { llamaTensors, loadLlamaWeights } from "./weights.ts";

describe("a model's weights", () => {
  it("are found without being read", async () => {
    const file = await openModel(draftModel("llama3"));
    const unread = { ...file, readBytes: failing, readFloat32: failing };
    const tensors = llamaTensors(unread, llamaConfigFromGguf(file));
    expect(tensors.layers).to.have.lengthOf(2);
    expect(tensors.layers[1]!.down.weight.name).to.equal("blk.1.ffn_down.weight");
    expect(tensors.ropeFactors?.shape).to.deep.equal([4]);
  });

  it("are loaded once each, and the embedding serves as output where there is no other", async () => {
    const file = await openModel(draftModel("qwen2"));
    const reads: string[] = [];
    const counting = {
      ...file,
      readBytes: (name: string) => (reads.push(name), file.readBytes(name)),
      readFloat32: (name: string) => (reads.push(name), file.readFloat32(name)),
    };
    const states: number[] = [];
    const progress = {
      update: (done: number, total: number) => states.push(done / total),
      finish: () => states.push(2),
    };
    const tensors = llamaTensors(file, llamaConfigFromGguf(file));
    const weights = await loadLlamaWeights(counting, tensors, referenceForward, progress);
    expect(reads.sort()).to.deep.equal(file.tensors.map(({ name }) => name).sort());
    expect(weights.output.weight).to.equal(weights.embedding);
    expect(weights.layers[0]!.query.bias).to.include({ numRows: 1, numCols: 32 });
    expect(states.slice(-2)).to.deep.equal([1, 2]);
  });

  const damages: readonly (readonly [string, (draft: ModelDraft) => void, RegExp])[] = [
    [
      "a missing tensor",
      ({ tensors }) => tensors.delete("blk.1.ffn_up.weight"),
      /^model\.gguf holds no tensor "blk\.1\.ffn_up\.weight", which is needed\.$/,
    ],
    [
      "no embedding",
      ({ tensors }) => tensors.delete("token_embd.weight"),
      /holds no tensor "token_embd\.weight"/,
    ],
    [
      "a matrix the wrong way round",
      ({ tensors }) => (tensors.get("blk.0.ffn_up.weight")!.shape = [32, 40]),
      /tensor "blk\.0\.ffn_up\.weight" has the shape \[32, 40\], and \[40, 32\] is needed/,
    ],
    [
      "more layers than the file can hold",
      ({ metadata }) => metadata.set("llama.block_count", ggufValue(2 ** 24)),
      /has 16777216 layers, and it holds \d+ tensors/,
    ],
    [
      "one layer more than there is",
      ({ metadata }) => metadata.set("llama.block_count", ggufValue(3)),
      /holds no tensor "blk\.2\.attn_norm\.weight"/,
    ],
    [
      "one layer less than there is",
      ({ metadata }) => metadata.set("llama.block_count", ggufValue(1)),
      /tensor "blk\.1\.[a-z_]+\.weight" has no place in its architecture/,
    ],
    [
      "a tensor that another model has",
      ({ tensors }) =>
        tensors.set("blk.0.attn_q_norm.weight", {
          shape: [8],
          dtype: "F32",
          bytes: new Uint8Array(32),
        }),
      /tensor "blk\.0\.attn_q_norm\.weight" has no place/,
    ],
    [
      "factors of RoPE that are too many",
      ({ tensors }) =>
        Object.assign(tensors.get("rope_freqs.weight")!, { shape: [5], bytes: new Uint8Array(20) }),
      /"rope_freqs\.weight" has the shape \[5\], and \[4\] is needed/,
    ],
    [
      "a norm in blocks",
      ({ tensors }) =>
        Object.assign(tensors.get("output_norm.weight")!, {
          dtype: "Q8_0",
          bytes: new Uint8Array(34),
        }),
      /"output_norm\.weight" is stored in Q8_0, and a plain format and \[32\] is needed/,
    ],
    [
      "a vocabulary of another size",
      ({ metadata }) =>
        metadata.set("tokenizer.ggml.tokens", {
          type: "array",
          itemType: "string",
          items: ["a", "b"],
        }),
      /"token_embd\.weight" has 12 rows for 2 tokens/,
    ],
    [
      "weights in a format that is no number of a model",
      ({ tensors }) => (tensors.get("blk.0.attn_v.weight")!.dtype = "I32"),
      /^Tensor "blk\.0\.attn_v\.weight" cannot be used: Weights in I32 are not .* F32, F16, BF16/,
    ],
  ];
  for (const [what, damage, message] of damages) {
    it(`refuses ${what}`, async () => {
      const draft = draftModel("llama3");
      damage(draft);
      const error = await rejection(loadLlama(await openModel(draft), referenceForward));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
    });
  }

  it("refuses a big-endian file", async () => {
    const file = await openModel(draftModel("llama3"), false);
    const error = await rejection(loadLlama(file, referenceForward));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/^model\.gguf is big-endian/);
  });
});

function failing(): never {
  throw new Error("A tensor was read.");
}
