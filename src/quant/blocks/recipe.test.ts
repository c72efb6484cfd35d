import { expect } from "chai";
import { bytesOfShape, numElements } from "../../core/dtypes.ts";
import { UsageError } from "../../core/errors.ts";
import { recipeDtype, recipeNamed, recipeNames, type RecipeModel } from "./recipe.ts";

interface Shapes extends RecipeModel {
  readonly width: number;
  readonly kvWidth: number;
  readonly hidden: number;
  readonly vocabulary: number;
}

function llama(
  numLayers: number,
  width: number,
  hidden: number,
  numHeads: number,
  numKvHeads: number,
  vocabulary: number,
): Shapes {
  const kvWidth = (width / numHeads) * numKvHeads;
  return { numLayers, numHeads, numKvHeads, hasOutput: true, width, kvWidth, hidden, vocabulary };
}

const llama3 = llama(32, 4096, 14336, 32, 8, 128256);
const llama2 = {
  "7B": llama(32, 4096, 11008, 32, 32, 32000),
  "13B": llama(40, 5120, 13824, 40, 40, 32000),
  "70B": llama(80, 8192, 28672, 64, 8, 32000),
};

/** Bits a weight of a whole model, norms included. */
function bitsPerWeight(name: string, model: Shapes): number {
  const { width, kvWidth, hidden, vocabulary } = model;
  const layer: [string, number[]][] = [
    ["attn_q", [width, width]],
    ["attn_k", [kvWidth, width]],
    ["attn_v", [kvWidth, width]],
    ["attn_output", [width, width]],
    ["ffn_gate", [hidden, width]],
    ["ffn_up", [hidden, width]],
    ["ffn_down", [width, hidden]],
    ["attn_norm", [width]],
    ["ffn_norm", [width]],
  ];
  const tensors: [string, number[]][] = [
    ["token_embd.weight", [vocabulary, width]],
    ["output.weight", [vocabulary, width]],
    ["output_norm.weight", [width]],
  ];
  for (let i = 0; i < model.numLayers; i++) {
    for (const [part, shape] of layer) tensors.push([`blk.${i}.${part}.weight`, shape]);
  }
  const recipe = recipeNamed(name);
  let [bytes, values] = [0, 0];
  for (const [tensor, shape] of tensors) {
    bytes += bytesOfShape(shape, recipeDtype(recipe, tensor, shape, model) ?? "F32");
    values += numElements(shape);
  }
  return (8 * bytes) / values;
}

describe("recipe", () => {
  // What llama.cpp's own documentation lists for models that it quantised.
  for (const [name, bits, digits] of [
    ["q2_k", 3.16, 2],
    ["q3_k_l", 4.3, 2],
    ["q4_k_s", 4.67, 2],
    ["q4_k_m", 4.894, 3],
    ["q5_k_m", 5.7, 2],
    ["q6_k", 6.563, 3],
    ["q8_0", 8.501, 3],
  ] as const) {
    it(`${name} of Llama 3 8B has llama.cpp's ${bits} bits a weight`, () => {
      expect(bitsPerWeight(name, llama3)).to.be.closeTo(bits, 0.6 * 10 ** -digits);
    });
  }

  for (const [size, bits] of [
    ["7B", 4.84],
    ["13B", 4.83],
    ["70B", 4.8],
  ] as const) {
    it(`q4_k_m of Llama 2 ${size} has llama.cpp's ${bits} bits a weight`, () => {
      expect(bitsPerWeight("q4_k_m", llama2[size])).to.be.closeTo(bits, 0.006);
    });
  }

  it("gives the output matrix six bits, and tied embeddings too", () => {
    const recipe = recipeNamed("q4_0");
    const dtype = (name: string, hasOutput: boolean): unknown =>
      recipeDtype(recipe, name, [32000, 4096], { ...llama3, hasOutput });
    expect(dtype("output.weight", true)).to.equal("Q6_K");
    expect(dtype("token_embd.weight", true)).to.equal("Q4_0");
    expect(dtype("token_embd.weight", false)).to.equal("Q6_K");
  });

  it("falls back where a row does not divide into blocks", () => {
    const dtype = (name: string, cols: number): unknown =>
      recipeDtype(recipeNamed(name), "blk.9.ffn_up.weight", [64, cols], llama3);
    expect(
      ["q2_k", "q3_k_s", "q4_k_s", "q5_k_s", "q6_k"].map((name) => dtype(name, 288)),
    ).to.deep.equal(["IQ4_NL", "IQ4_NL", "Q5_0", "Q5_1", "Q8_0"]);
    expect(["tq1_0", "tq2_0"].map((name) => dtype(name, 288))).to.deep.equal(["Q4_0", "Q4_0"]);
    expect(["q4_0", "q8_0", "q6_k"].map((name) => dtype(name, 172))).to.deep.equal(
      Array(3).fill("F16"),
    );
  });

  it("leaves vectors, norms, routers and biases as they are", () => {
    for (const [name, shape] of [
      ["output_norm.weight", [64]],
      ["blk.0.attn_q_norm.weight", [8, 64]],
      ["blk.0.ffn_gate_inp.weight", [8, 64]],
      ["blk.0.attn_q.bias", [4, 64]],
      ["blk.0.x.weight", [1, 64]],
    ] as const) {
      expect(recipeDtype(recipeNamed("f16"), name, shape, llama3), name).to.equal(undefined);
    }
  });

  it("knows llama.cpp's short names, in either case, and says what there is", () => {
    expect(recipeNamed("Q4_K")).to.equal(recipeNamed("q4_k_m"));
    expect(recipeNames).to.include("q5_k");
    expect(() => recipeNamed("q4_2")).to.throw(UsageError, /q4_2 is no format.*q4_0, q4_1/);
  });
});
