import { expect } from "chai";
import { referenceForward as kernels } from "../kernels/reference-forward.ts";
import { HalfLayerRunner, halvesOf } from "../model/half-layers.ts";
import { draftModel, openModel } from "../model/fixtures/models.ts";
import { loadFloatHalf, readHalf, type FloatHalf } from "./layer-matrices.ts";
import { modelShape } from "./model-shape.ts";
import { foldIntoFirst, foldIntoNorm, foldsIntoFirst } from "./scale-folding.ts";

/** The "yarn" model has as many heads of values as of queries, and biases everywhere. */
async function halvesAndRunner(
  name: string,
): Promise<{ halves: readonly FloatHalf[]; runner: HalfLayerRunner; hidden: Float32Array }> {
  const file = await openModel(draftModel(name));
  const { config, tensors, frequencies } = await modelShape(file);
  const halves: FloatHalf[] = [];
  for (const half of halvesOf(tensors.layers[0]!)) halves.push(await readHalf(file, half));
  return {
    halves,
    runner: new HalfLayerRunner(kernels, config, frequencies, 5),
    hidden: Float32Array.from({ length: 5 * config.hiddenSize }, (_, i) => Math.sin(3 * i)),
  };
}

const scalesFor = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, j) => 0.25 + ((j * 7) % 11) / 2);

/** float32's rounding of each weight and sum, some times over. */
const tolerance = 1e-5;

describe("folded scales", () => {
  it("leave what a half computes as it was, in both places", async () => {
    const { halves, runner, hidden } = await halvesAndRunner("yarn");
    for (const half of halves) {
      const before = await runner.apply(hidden, await loadFloatHalf(kernels, half));
      expect(foldsIntoFirst(half)).to.equal(true);
      const changed = [
        foldIntoNorm(half, scalesFor(half.norm.values.length)),
        foldIntoFirst(half, scalesFor(half.second.cols)),
      ];
      for (const folded of changed) {
        expect(folded.second === half.second && folded.first === half.first).to.equal(false);
        const after = await runner.apply(hidden, await loadFloatHalf(kernels, folded));
        const worst = after.reduce((most, x, at) => Math.max(most, Math.abs(x - before[at]!)), 0);
        expect(worst).to.be.below(tolerance);
      }
    }
  });

  it("have no place before an output whose heads share values", async () => {
    const { halves } = await halvesAndRunner("llama3");
    expect(halves.map(foldsIntoFirst)).to.deep.equal([false, true]);
  });
});
