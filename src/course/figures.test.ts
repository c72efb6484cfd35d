import { expect } from "chai";
import { barsFigure, histogramsFigure, linesFigure } from "./figures.ts";

const sum = (values: unknown): number =>
  (values as number[]).reduce((total, value) => total + value, 0);

describe("figures", () => {
  it("count every value, one histogram below the other", () => {
    const series = {
      before: new Float32Array([-1, 0, 0.1, 2]),
      after: new Float32Array([-1, 0, 2]),
    };
    const { data, layout } = histogramsFigure("Steps", series, { bins: 10 });
    expect(data.map(({ y }) => sum(y))).to.deep.equal([4, 3]);
    expect(data.map(({ yaxis }) => yaxis)).to.deep.equal(["y", "y2"]);
    expect(layout).to.include.keys("yaxis", "yaxis2", "title");
  });

  it("stay small: a million weights are a few kilobytes", () => {
    const figure = histogramsFigure("Large", { weights: new Float32Array(1_000_000).fill(0.5) });
    expect(JSON.stringify(figure).length).to.be.below(10_000);
  });

  it("give each line a marker of its own", () => {
    const x = { title: "bits", values: [2, 3] };
    const { data } = linesFigure("Error", x, { title: "dB" }, { tensor: [1, 2], row: [3, 4] });
    const symbols = data.map(({ marker }) => (marker as { symbol: string }).symbol);
    expect(new Set(symbols).size).to.equal(2);
  });

  it("draw a bar a name", () => {
    const { data, layout } = barsFigure(
      "Cures",
      { title: "MSE", log: true },
      { none: 1, clip: 0.1 },
    );
    expect(data[0]).to.deep.include({ x: ["none", "clip"], y: [1, 0.1] });
    expect(layout["yaxis"]).to.include({ type: "log" });
  });
});
