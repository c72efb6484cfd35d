import { expect } from "chai";
import { seededRng, normal } from "../core/rng.ts";
import { accumulateHessian } from "./hessian.ts";
import { outputErrorOver, outputErrorUnder, relativeTo } from "./output-error.ts";

const [rows, cols, tokens] = [5, 7, 40];
const rng = seededRng(9);
const random = (length: number): Float32Array => Float32Array.from({ length }, () => normal(rng));
const [W, changed, X] = [random(rows * cols), random(rows * cols), random(tokens * cols)];

/** By the definition: every output of every token. */
function direct(from: Float32Array): number {
  let sum = 0;
  for (let t = 0; t < tokens; t++) {
    for (let row = 0; row < rows; row++) {
      let output = 0;
      for (let j = 0; j < cols; j++) {
        output += X[t * cols + j]! * (W[row * cols + j]! - from[row * cols + j]!);
      }
      sum += output * output;
    }
  }
  return sum / (rows * tokens);
}

describe("output error", () => {
  it("is the mean squared difference of the outputs, from inputs and from their Hessian", () => {
    const H = new Float64Array(cols * cols);
    accumulateHessian(H, 0, X, cols);
    expect(outputErrorOver(X, cols)(W, changed)).to.be.closeTo(direct(changed), 1e-10);
    expect(outputErrorUnder(H, cols)(W, changed)).to.be.closeTo(direct(changed), 1e-10);
  });

  it("is relative to the outputs' own mean square, and 0 only where nothing changed", () => {
    const relative = relativeTo(outputErrorOver(X, cols));
    const zeros = new Float32Array(rows * cols);
    expect(relative(W, zeros)).to.equal(1);
    expect(relative(W, W)).to.equal(0);
    expect(relative(W, changed)).to.be.closeTo(direct(changed) / direct(zeros), 1e-10);
    expect(relative(zeros, zeros)).to.equal(0);
    expect(relative(zeros, W)).to.equal(Infinity);
  });
});
