import { expect } from "chai";
import { correlationFigure, ripplesFigure } from "./gptq-figures.ts";

describe("the figures of notebook 02", () => {
  it("show correlations, whatever the inputs' sizes, and none of dead inputs", () => {
    // The inputs x and −10x, one that has nothing to do with them, and one that is always 0.
    const H = Float64Array.of(2, -20, 0, 0, -20, 200, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0);
    const { data } = correlationFigure("H", H, 4);
    expect(data[0]!["z"]).to.deep.equal([
      [1, -1, 0, 0],
      [-1, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 0],
    ]);
    expect(correlationFigure("H", H, 4, 1).data[0]!["z"]).to.deep.equal([[1]]);
  });

  it("show what a column's rounding does to it and to those behind, and nothing before it", () => {
    const upper = Float64Array.of(2, 1, 0.5, 9, 4, -2, 9, 9, 1);
    const { data } = ripplesFigure("ripples", [0.5, -0.25, 0], upper, 3);
    expect(data[0]).to.deep.include({ zmin: -0.2, zmax: 0.2 });
    expect(data[0]!["z"]).to.deep.equal([
      [-1, -0.5, -0.25],
      [null, 1, -0.5],
      [null, null, 0],
    ]);
  });

  it("are empty maps where nothing was lost", () => {
    const { data } = ripplesFigure("ripples", [0, 0], Float64Array.of(1, 1, 0, 1), 2);
    expect(data[0]!["z"]).to.deep.equal([
      [0, 0],
      [null, 0],
    ]);
  });
});
