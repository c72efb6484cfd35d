import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { normal, seededRng } from "../core/rng.ts";
import { InputStatistics } from "./input-statistics.ts";

const [numTokens, cols] = [50, 6];
const rng = seededRng(1);
const X = Float32Array.from({ length: numTokens * cols }, () => normal(rng));

function added(options: object, ...pieces: readonly Float32Array[]): InputStatistics {
  const statistics = new InputStatistics(cols, options);
  for (const piece of pieces) statistics.add(piece);
  return statistics;
}

const column = (j: number): number[] =>
  Array.from({ length: numTokens }, (_, t) => X[t * cols + j]!);

describe("input statistics", () => {
  it("are those of all inputs, however they were cut", () => {
    const options = { hessian: true, sampleRows: 8 };
    const whole = added(options, X);
    const cut = added(options, X.subarray(0, 7 * cols), X.subarray(7 * cols));
    expect(cut.numTokens).to.equal(numTokens);
    for (let j = 0; j < cols; j++) {
      const values = column(j);
      const mean = (f: (x: number) => number): number =>
        values.reduce((sum, x) => sum + f(x), 0) / numTokens;
      expect(cut.meanMagnitudes[j]).to.be.closeTo(mean(Math.abs), 1e-6);
      expect(cut.meanSquares[j]).to.be.closeTo(
        mean((x) => x * x),
        1e-6,
      );
      expect(cut.peaks[j]).to.equal(Math.max(...values.map(Math.abs)));
      for (let i = 0; i < cols; i++) {
        const other = column(i);
        const product = values.reduce((sum, x, t) => sum + 2 * x * other[t]!, 0) / numTokens;
        expect(cut.hessian[i * cols + j]).to.be.closeTo(product, 1e-12);
      }
    }
    expect(cut.sample).to.deep.equal(whole.sample);
  });

  it("keep whole inputs as a sample, all of them while there are few", () => {
    const few = added({ sampleRows: numTokens }, X);
    expect(few.sample).to.deep.equal(X);
    const rows = Array.from({ length: numTokens }, (_, t) => [
      ...X.subarray(t * cols, (t + 1) * cols),
    ]);
    const { sample } = added({ sampleRows: 9 }, X);
    const kept = Array.from({ length: 9 }, (_, t) => [
      ...sample.subarray(t * cols, (t + 1) * cols),
    ]);
    const places = kept.map((row) => rows.findIndex((each) => each.every((x, j) => x === row[j])));
    expect(places.every((place) => place >= 0)).to.equal(true);
    expect(new Set(places)).to.have.lengthOf(9);
  });

  it("refuse inputs that are not finite or not whole", () => {
    const broken = X.slice();
    broken[3 * cols + 2] = NaN;
    expect(() => added({}, broken)).to.throw(InputError, "Input 2 of a matrix is not finite");
    expect(() => added({}, X.subarray(1))).to.throw(InputError, "299 values are no whole inputs");
  });
});
