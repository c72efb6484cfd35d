import { expect } from "chai";
import { referenceForward as kernels } from "../kernels/reference-forward.ts";
import { draftModel, golden, openModel } from "./fixtures/models.ts";
import { HalfLayerRunner, halvesOf } from "./half-layers.ts";
import { loadLlama } from "./llama.ts";

/** As in llama.test.ts: roundings of 2⁻²⁴ one after the other, magnified. */
const tolerance = 30 * 2 ** -24 * 10;

const tokens = Int32Array.from(golden.tokens);

describe("halves of layers", () => {
  for (const [name, { logits }] of Object.entries(golden.models)) {
    it(`give the logits of NumPy's float64 when run one after the other: ${name}`, async () => {
      const model = await loadLlama(await openModel(draftModel(name)), kernels);
      const { config, weights, frequencies, vocabSize } = model;
      // Room for more tokens than there are.
      const runner = new HalfLayerRunner(kernels, config, frequencies, tokens.length + 3);
      const embedded = kernels.allocate(tokens.length, config.hiddenSize);
      kernels.embed(weights.embedding, tokens, embedded);
      let hidden = await kernels.read(embedded);
      for (const layer of weights.layers) {
        for (const half of halvesOf(layer)) hidden = await runner.apply(hidden, half);
      }
      const normed = kernels.allocate(tokens.length, config.hiddenSize);
      kernels.write(hidden, embedded);
      kernels.rmsNorm(embedded, weights.outputNorm, config.rmsEpsilon, normed);
      const out = kernels.allocate(tokens.length, vocabSize);
      kernels.matmul(normed, weights.output.weight, out);
      if (weights.output.bias) kernels.add(out, weights.output.bias);
      const found = await kernels.read(out);
      const worst = logits
        .flat()
        .reduce((most, value, at) => Math.max(most, Math.abs(value - found[at]!)), 0);
      expect(found).to.have.lengthOf(logits.flat().length);
      expect(worst).to.be.below(tolerance);
    });
  }

  it("give what enters the matrices: the second one's outputs complete the half", async () => {
    const model = await loadLlama(await openModel(draftModel("qwen2")), kernels);
    const { config, weights, frequencies } = model;
    const runner = new HalfLayerRunner(kernels, config, frequencies, 4);
    const hidden = Float32Array.from({ length: 3 * config.hiddenSize }, (_, i) => Math.sin(i));
    for (const half of halvesOf(weights.layers[0]!)) {
      const x = await runner.secondInput(hidden, half);
      const input = kernels.allocate(3, x.length / 3);
      kernels.write(x, input);
      const out = kernels.allocate(3, config.hiddenSize);
      kernels.matmul(input, half.second.weight, out);
      if (half.second.bias) kernels.add(out, half.second.bias);
      const update = await kernels.read(out);
      const sum = hidden.map((value, at) => Math.fround(value + update[at]!));
      expect(await runner.apply(hidden, half)).to.deep.equal(sum);
      const normed = await runner.firstInput(hidden, half.norm);
      const square = normed.reduce((total, value) => total + value * value, 0);
      expect(square).to.be.above(0);
      expect(normed).to.have.lengthOf(hidden.length);
    }
  });
});
