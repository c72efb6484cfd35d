import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { learningRateAt } from "./optimizer.ts";
import { initialParameters, valuesOf } from "./parameters.ts";
import { checkRecipe, presetNames, presets, type TrainingRecipe } from "./recipe.ts";
import { numParameters, parameterSpecs } from "./transformer-shape.ts";
import { seededRng } from "../core/rng.ts";

describe("training presets", () => {
  it("can be followed, and count their parameters as their tensors do", () => {
    for (const name of presetNames) {
      const recipe = { ...presets[name], seed: 0 };
      checkRecipe(recipe);
      const specs = parameterSpecs(recipe.shape);
      const sum = specs.reduce((total, { numValues }) => total + numValues, 0);
      expect(numParameters(recipe.shape)).to.equal(sum);
      expect(specs.map(({ offset }) => offset)).to.deep.equal(
        specs.map((_, i) =>
          specs.slice(0, i).reduce((total, { numValues }) => total + numValues, 0),
        ),
      );
    }
  });

  it("make models whose rows are whole blocks, small enough to ship", () => {
    for (const [name, block, least, most] of [
      ["draft", 32, 0, 1e6],
      ["target", 256, 3e6, 8e6],
    ] as const) {
      const { shape } = presets[name];
      for (const spec of parameterSpecs(shape)) {
        expect(spec.shape.at(-1)! % block, `${name} ${spec.name}`).to.equal(0);
      }
      expect(numParameters(shape)).to.be.within(least, most);
    }
    // One speculates for the other.
    expect(presets.draft.shape.vocabSize).to.equal(presets.target.shape.vocabSize);
    expect(presets.draft.shape.contextLength).to.equal(presets.target.shape.contextLength);
  });

  it("begin with small weights, smaller where layers add to the residual stream", () => {
    const { shape } = presets.draft;
    const parameters = initialParameters(shape, seededRng(1));
    for (const spec of parameterSpecs(shape)) {
      const values = valuesOf(parameters, spec);
      const size = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
      const wanted = {
        norm: 1,
        embedding: 0.02,
        matrix: 0.02,
        residualMatrix: 0.02 / Math.sqrt(6),
      };
      // A standard deviation from n values is off by 1 / √(2n); 4 of those.
      const allowed =
        spec.kind === "norm" ? 0 : (4 * wanted[spec.kind]) / Math.sqrt(2 * values.length);
      expect(size, spec.name).to.be.closeTo(wanted[spec.kind], allowed);
    }
  });
});

describe("a training recipe", () => {
  const recipe: TrainingRecipe = { ...presets.draft, seed: 0 };

  it("is refused where a number does not fit", () => {
    const { shape } = recipe;
    const cases: readonly (readonly [TrainingRecipe, string])[] = [
      [{ ...recipe, numSteps: 0 }, "numSteps is 0"],
      [{ ...recipe, windowsPerStep: 8, windowsPerShard: 3 }, "8 windows a step cannot be cut"],
      [{ ...recipe, seed: 2 ** 32 }, "The seed is 4294967296"],
      [{ ...recipe, shape: { ...shape, hiddenSize: 130 } }, "do not divide a width of 130"],
      [{ ...recipe, shape: { ...shape, numHeads: 3 } }, "3 heads with 2 of keys"],
      [{ ...recipe, shape: { ...shape, numLayers: 1.5 } }, "numLayers is 1.5"],
      [{ ...recipe, shape: { ...shape, vocabSize: 2 ** 20, hiddenSize: 2 ** 20 } }, "parameters"],
    ];
    for (const [wrong, message] of cases) {
      expect(() => {
        checkRecipe(wrong);
      }).to.throw(InputError, message);
    }
  });

  it("raises its learning rate along a line and lowers it along half a cosine", () => {
    const settings = {
      ...recipe.optimizer,
      ...{ peakLearningRate: 1, finalLearningRate: 0.2, warmupSteps: 4 },
    };
    const rates = Array.from({ length: 12 }, (_, step) => learningRateAt(step, 12, settings));
    expect(rates.slice(0, 5)).to.deep.equal([0.25, 0.5, 0.75, 1, 1]);
    expect(rates[8]).to.be.closeTo(0.6, 1e-12);
    expect(learningRateAt(12, 12, settings)).to.be.closeTo(0.2, 1e-12);
    for (let step = 5; step < 12; step++) expect(rates[step]).to.be.below(rates[step - 1]!);
  });
});
