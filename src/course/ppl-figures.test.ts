import { expect } from "chai";
import type { DegradationRow } from "../compress/degradation.ts";
import { degradationFigure, lossesFigure, paretoFigure } from "./ppl-figures.ts";

const row: DegradationRow = {
  ...{ quant: "f16", ppl: 5, stderr: 0.5, bitsPerByte: 1, kl: 0, top1: 1, accuracy: 0.5 },
  ...{ fileBytes: 2e6, residentBytes: 3e6, tokensPerSecond: 100, bitsPerWeight: 16 },
  ...{ lossIncrease: 0, lossIncreaseStderr: 0, rmsDeltaP: 0, accuracyStderr: 0.1 },
  ...{ accuracyPerByte: 0.5, questionsShortened: 0 },
};
const small = { ...row, quant: "q4_0", ppl: 6, fileBytes: 6e5, bitsPerWeight: 4.5 };
const rows = [
  row,
  { ...small, lossIncreaseStderr: 0.01 },
  { ...small, quant: "q4_1", ppl: 6.5, fileBytes: 7e5, bitsPerWeight: 5 },
];

describe("the figures of notebook 07", () => {
  it("join what nothing beats, or everything", () => {
    const [front, points] = paretoFigure("size", rows).data;
    expect([front!["x"], front!["y"]]).to.deep.equal([
      [0.6, 2],
      [6, 5],
    ]);
    expect(points!["text"]).to.deep.equal(["f16", "q4_0", "q4_1"]);
    expect(degradationFigure("bits", rows).data[0]!["x"]).to.deep.equal([4.5, 5, 16]);
  });

  it("show the paired error of a perplexity, not its own", () => {
    const [, points] = degradationFigure("bits", rows).data;
    expect(points!["error_y"]).to.deep.equal({ type: "data", array: [0, 0.06, 0] });
  });

  it("name each token, control characters included", () => {
    const { data, layout } = lossesFigure("losses", ["a", '"', "\n"], [1 / 3, 0, 2]);
    expect(data[0]!["y"]).to.deep.equal([0.333333, 0, 2]);
    expect((layout["xaxis"] as { ticktext: string[] }).ticktext).to.deep.equal(["a", '\\"', "\\n"]);
  });
});
