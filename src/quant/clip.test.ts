import { expect } from "chai";
import { normal, seededRng } from "../core/rng.ts";
import { clippedGrid, type Clip } from "./clip.ts";
import { decode, encode } from "./grid.ts";
import { meanSquaredError } from "./error.ts";

/** A bell curve of 0.045 with two outliers of ±1.2, as in the syllabus's sample output. */
function outlierWeights(): Float32Array {
  const rng = seededRng(3);
  const x = Float32Array.from({ length: 65_536 }, () => normal(rng) * 0.045);
  x[100] = 1.2;
  x[200] = -1.2;
  return x;
}

function errorWith(
  x: Float32Array,
  clip: Clip,
  bits = 4,
  mode: "symmetric" | "asymmetric" = "symmetric",
): number {
  const grid = clippedGrid(x, 0, x.length, { bits, mode, convention: "max7" }, clip);
  const codes = mode === "symmetric" ? new Int8Array(x.length) : new Uint8Array(x.length);
  encode(x, grid, codes);
  const back = new Float32Array(x.length);
  decode(codes, grid, back);
  return meanSquaredError(x, back);
}

describe("clipping", () => {
  for (const mode of ["symmetric", "asymmetric"] as const) {
    for (const clip of ["mse", "percentile", "kl"] as const) {
      it(`by ${clip} loses at least five times less than none beside an outlier, ${mode}`, () => {
        const x = outlierWeights();
        expect(errorWith(x, "none", 4, mode) / errorWith(x, clip, 4, mode)).to.be.above(5);
      });
    }
  }

  it("by mse tries the whole range too: values at ±1 need all of it", () => {
    const x = Float32Array.from({ length: 64 }, (_, i) => (i % 2 ? 1 : -1));
    expect(errorWith(x, "mse")).to.equal(0);
  });

  it("by mse finds the least |error|^2.4 of GPTQ's eighty candidates (brute force)", () => {
    const rng = seededRng(4);
    const x = Float32Array.from({ length: 256 }, () => normal(rng));
    const peak = x.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    const cost = (scale: number): number =>
      x.reduce((sum, w) => {
        const code = Math.max(-8, Math.min(7, Math.round(w / scale)));
        return sum + Math.abs(w - code * scale) ** 2.4;
      }, 0);
    const scales = Array.from({ length: 80 }, (_, i) => Math.fround(((1 - i / 100) * peak) / 7));
    const best = scales.reduce((a, b) => (cost(b) < cost(a) ? b : a));
    const grid = clippedGrid(
      x,
      0,
      x.length,
      { bits: 4, mode: "symmetric", convention: "max7" },
      "mse",
    );
    expect(grid.scale).to.be.closeTo(best, best * 1e-6);
  });

  it("by kl leaves an evenly filled range nearly alone", () => {
    const rng = seededRng(5);
    const x = Float32Array.from({ length: 65_536 }, () => rng() * 2 - 1);
    const full = clippedGrid(
      x,
      0,
      x.length,
      { bits: 8, mode: "symmetric", convention: "max7" },
      "none",
    );
    const kl = clippedGrid(
      x,
      0,
      x.length,
      { bits: 8, mode: "symmetric", convention: "max7" },
      "kl",
    );
    expect(kl.scale / full.scale).to.be.above(0.9);
  });

  it("keeps the codes of what it clips at the ends, in every convention", () => {
    for (const convention of ["max7", "max7.5", "ggml"] as const) {
      for (const clip of ["mse", "percentile", "kl"] as const) {
        const x = outlierWeights();
        const codes = new Int8Array(x.length);
        encode(
          x,
          clippedGrid(x, 0, x.length, { bits: 4, mode: "symmetric", convention }, clip),
          codes,
        );
        expect(Math.min(...codes.subarray(0, 300))).to.equal(-8);
        expect(Math.max(...codes.subarray(0, 300))).to.equal(7);
      }
    }
  });

  it("of nothing but zeros stays finite", () => {
    for (const clip of ["none", "mse", "percentile", "kl"] as const) {
      expect(errorWith(new Float32Array(1024), clip)).to.equal(0);
    }
  });
});
