/** The engine beside the course's worked answers: the simple version is the oracle. */
import { expect } from "chai";
import {
  affineParams,
  mseClip,
  packNibbles,
  quantizeGroups,
  quantizeSym,
  roundHalfEven as simpleRound,
  unpackNibbles,
} from "../../solutions/01-linear-quantizer.ts";
import { normal, randomInt, seededRng } from "../core/rng.ts";
import { roundHalfEven } from "../core/rounding.ts";
import { clippedGrid, mseSearch } from "./clip.ts";
import { affineGrid } from "./grid.ts";
import { quantizeLinear } from "./linear.ts";
import { packCodes, unpackCodes } from "./pack.ts";

const rng = seededRng(101);
const bell = (count: number): Float32Array =>
  Float32Array.from({ length: count }, () => normal(rng) * 0.045);

describe("the engine beside the worked answers of project 1", () => {
  it("rounds alike", () => {
    for (const x of [0, -0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, -0.3, 1e15 + 0.5]) {
      expect(Object.is(roundHalfEven(x), simpleRound(x)), String(x)).to.equal(true);
    }
  });

  it("gives the same codes and scales in every convention", () => {
    for (const convention of ["max7", "max7.5", "ggml"] as const) {
      for (const bits of [2, 3, 4, 8]) {
        const x = bell(500);
        // A negative peak lies on a tie in max7.5, and the last bit of the scale decides its code.
        x[0] = 0.4;
        const simple = quantizeSym(x, bits, convention);
        const { codes, scales } = quantizeLinear(x, 1, 500, {
          bits,
          mode: "symmetric",
          convention,
        });
        expect(codes).to.deep.equal(simple.q);
        expect(scales[0]).to.equal(Math.fround(simple.scale));
      }
    }
  });

  it("gives the same groups", () => {
    const W = bell(6 * 64);
    const simple = quantizeGroups(W, 6, 64, 32, 4);
    const options = { bits: 4, mode: "symmetric", granularity: { group: 32 } } as const;
    const { codes, scales } = quantizeLinear(W, 6, 64, options);
    expect(codes).to.deep.equal(simple.q);
    expect(scales).to.deep.equal(simple.scales);
  });

  it("gives the same affine grids", () => {
    for (let i = 0; i < 500; i++) {
      const [low, high, bits] = [normal(rng), normal(rng) + 1, 2 + randomInt(rng, 7)];
      const simple = affineParams(Math.min(low, high), Math.max(low, high), bits, i % 2 === 0);
      const grid = affineGrid(Math.min(low, high), Math.max(low, high), bits, i % 2 === 0);
      expect(grid).to.include({ zeroPoint: simple.zero, qmin: simple.qmin, qmax: simple.qmax });
      expect(grid.scale).to.equal(Math.fround(simple.scale));
    }
  });

  it("packs the same bytes", () => {
    for (const count of [0, 1, 2, 7, 64]) {
      const codes = Int8Array.from({ length: count }, () => randomInt(rng, 16) - 8);
      const bytes = packCodes(codes, 4);
      expect(bytes).to.deep.equal(packNibbles(codes));
      expect(unpackCodes(bytes, count, 4, true)).to.deep.equal(unpackNibbles(bytes, count));
    }
  });

  it("clips at the same place", () => {
    const x = bell(1024);
    x[3] = 0.5;
    const grid = clippedGrid(
      x,
      0,
      x.length,
      { bits: 4, mode: "symmetric", convention: "max7" },
      "mse",
    );
    expect(grid.scale).to.equal(Math.fround(mseClip(x, 4, mseSearch).scale));
  });
});
