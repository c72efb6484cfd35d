import { expect } from "chai";
import type { FileSegment } from "./gguf-anatomy.ts";
import {
  bitsPerWeight,
  countsFigure,
  fileMapFigure,
  formatsByLayerFigure,
  partOf,
  sizesByPartFigure,
} from "./gguf-figures.ts";
import { llamaPlan } from "./llama-plan.ts";
import { layOutGguf } from "../formats/gguf/gguf-writer.ts";

const plan = llamaPlan("8B", "q4_k_m");
const { tensorBytes } = layOutGguf(plan);
const tensors = plan.tensors.map((tensor, i) => ({ ...tensor, numBytes: tensorBytes[i]! }));

const numbers = (value: unknown): number[] => value as number[];
const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

describe("figures of model files", () => {
  it("map a file to the byte, cut where a row ends", () => {
    const segments: FileSegment[] = [
      { kind: "metadata", name: "metadata", start: 0, end: 30 },
      { kind: "F32", name: "a", start: 30, end: 250 },
      { kind: "padding", name: "padding", start: 250, end: 256 },
      { kind: "F32", name: "b", start: 256, end: 400 },
    ];
    const { data } = fileMapFigure("Map", segments, 4);
    expect(data.map(({ name }) => name)).to.deep.equal(["metadata", "F32", "padding"]);
    expect(data.map(({ x }) => sum(numbers(x)))).to.deep.equal([30, 364, 6]);
    const f32 = data[1]!;
    expect(f32["base"]).to.deep.equal([30, 0, 0, 56, 0]);
    expect(f32["x"]).to.deep.equal([70, 100, 50, 44, 100]);
    expect(f32["y"]).to.deep.equal([0, 1, 2, 2, 3]);
  });

  it("place each tensor of a language model in its layer and part", () => {
    const { data } = formatsByLayerFigure("Formats", tensors);
    const points = data.flatMap(({ name, x, y }) =>
      numbers(x).map((layer, i) => `${String(name)} ${layer} ${(y as string[])[i]!}`),
    );
    expect(points).to.have.length(291);
    expect(points).to.include.members([
      "Q4_K -1 token_embd",
      "Q6_K 32 output",
      "F32 32 output_norm",
      "Q6_K 0 attn_v",
      "Q4_K 4 attn_v",
      "Q6_K 31 ffn_down",
    ]);
  });

  it("count every byte of a model in a part and a format", () => {
    const { data, layout } = sizesByPartFigure("Sizes", tensors);
    expect(layout["yaxis"]).to.deep.equal({ title: { text: "GB" } });
    expect(sum(data.flatMap(({ y }) => numbers(y)))).to.be.closeTo(sum(tensorBytes) / 1e9, 1e-4);
    expect(data[0]!["x"]).to.deep.equal([
      "embedding",
      "norms",
      "attention",
      "feed-forward",
      "output",
    ]);
  });

  it("show counts beside each other with their numbers", () => {
    const { data } = countsFigure("Faults", { pages: { a: 4, b: 2 }, faults: { a: 1, b: 0 } });
    expect(data.map(({ name, x, y }) => [name, x, y])).to.deep.equal([
      ["pages", ["a", "b"], [4, 2]],
      ["faults", ["a", "b"], [1, 0]],
    ]);
  });

  it("sort names into parts, those of other models by their first word", () => {
    const names = ["blk.3.attn_q.weight", "blk.0.ffn_up.bias", "output_norm.weight", "hidden.bias"];
    expect(names.map(partOf)).to.deep.equal(["attention", "feed-forward", "norms", "hidden"]);
  });

  it("find the bits a weight that llama.cpp publishes for its mixtures", () => {
    // tools/quantize/README.md, Llama 3.1 8B; it has one tensor more, of 64 values.
    const published = {
      q2_k: 3.16,
      q3_k_l: 4.3,
      q4_k_s: 4.67,
      q4_k_m: 4.89,
      q5_k_m: 5.7,
      q6_k: 6.56,
    };
    for (const [recipe, bits] of Object.entries(published)) {
      const outline = llamaPlan("8B", recipe);
      const sizes = layOutGguf(outline).tensorBytes;
      const sized = outline.tensors.map((tensor, i) => ({ ...tensor, numBytes: sizes[i]! }));
      expect(bitsPerWeight(sized), recipe).to.be.closeTo(bits, 0.005);
    }
  });
});
