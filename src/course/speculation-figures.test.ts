import { expect } from "chai";
import { distributionsFigure, passesFigure } from "./speculation-figures.ts";

describe("figures of speculation", () => {
  it("draw each distribution with a pattern of its own", () => {
    const { data } = distributionsFigure("Two", ["a", "b"], {
      target: Float64Array.of(0.25, 0.75),
      draft: [1, 0],
    });
    expect(data.map(({ name, x, y }) => [name, x, y])).to.deep.equal([
      ["target", ["a", "b"], [0.25, 0.75]],
      ["draft", ["a", "b"], [1, 0]],
    ]);
    expect(new Set(data.map(({ marker }) => JSON.stringify(marker))).size).to.equal(2);
  });

  it("draw what a pass gave upwards and what it wasted downwards", () => {
    const times = { draftMs: 1, verifyMs: 1 };
    const { data, layout } = passesFigure("Passes", [
      { length: 4, numAccepted: 1, wasRefused: true, numTokens: 2, ...times },
      { length: 3, numAccepted: 3, wasRefused: false, numTokens: 4, ...times },
      // The text ended among the accepted guesses.
      { length: 3, numAccepted: 3, wasRefused: false, numTokens: 3, ...times },
    ]);
    expect(data.map(({ y }) => y)).to.deep.equal([
      [1, 3, 3],
      [1, 1, 0],
      [-3, 0, 0],
    ]);
    expect(layout).to.include({ barmode: "relative" });
  });
});
