import { expect } from "chai";
import { lossFigure } from "./training-figures.ts";

describe("the figure of a training", () => {
  const traces = (numSteps: number): Record<string, unknown>[] =>
    lossFigure(
      {
        losses: Array.from({ length: numSteps }, (_, i) => 8 - i / numSteps),
        validations: [{ step: numSteps, loss: 7 }],
      },
      { uniform: 7.6, unigram: 6, bigram: 3 },
    ).data.slice();

  it("shows every step, validations and what is reached without a past", () => {
    const [training, validation, ...levels] = traces(4);
    expect(training).to.include({ name: "training" });
    expect(training!["x"]).to.deep.equal([1, 2, 3, 4]);
    expect(training!["y"]).to.deep.equal([8, 7.75, 7.5, 7.25]);
    expect(validation!["x"]).to.deep.equal([4]);
    expect(levels.map(({ y }) => y)).to.deep.equal([
      [7.6, 7.6],
      [6, 6],
      [3, 3],
    ]);
  });

  it("stays small for long trainings: a point is then the mean of some steps", () => {
    const [training] = traces(1001);
    expect(training!["name"]).to.equal("training, mean of 6 steps");
    const [x, y] = [training!["x"] as number[], training!["y"] as number[]];
    expect(x).to.have.lengthOf(167);
    expect(x.slice(0, 2)).to.deep.equal([6, 12]);
    expect(x.at(-1)).to.equal(1001);
    expect(y[0]).to.be.closeTo(8 - 2.5 / 1001, 1e-3);
  });

  it("can be drawn before the first step", () => {
    expect(lossFigure({ losses: [], validations: [] }).data).to.have.lengthOf(2);
  });
});
