import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { normal, seededRng } from "../core/rng.ts";
import { dequantizeBlocks } from "./blocks/dequantize.ts";
import { quantizeHqqBlocks } from "./hqq-blocks.ts";
import { dequantizeHqq, quantizeHqq } from "./hqq.ts";

const rng = seededRng(5);
/** Heavy tails, as weights have: what a norm below 1 is for. */
const W = Float32Array.from({ length: 8 * 64 }, () => normal(rng) ** 3);

describe("HQQ in block formats", () => {
  for (const [dtype, bits] of [
    ["Q4_1", 4],
    ["Q5_1", 5],
  ] as const) {
    it(`decodes to HQQ's own values, but for float16's rounding of scale and minimum: ${dtype}`, () => {
      const blocks = dequantizeBlocks(dtype, quantizeHqqBlocks(dtype, W, 64), W.length);
      const found = quantizeHqq(W, 64, { bits, groupSize: 32 });
      const exact = dequantizeHqq(found);
      for (let at = 0; at < W.length; at++) {
        const scale = found.scales[at >> 5]!;
        // A weight between two codes may fall to the other; then both are half a step away from it.
        const [error, wanted] = [blocks[at]! - W[at]!, exact[at]! - W[at]!];
        const rounding = scale * (2 ** bits + Math.abs(found.zeros[at >> 5]!)) * 2 ** -11;
        expect(Math.abs(error)).to.be.at.most(Math.abs(wanted) + rounding);
      }
    });
  }

  it("needs rows of whole blocks", () => {
    expect(() => quantizeHqqBlocks("Q4_1", W, 16)).to.throw(
      InputError,
      "A row of 16 values does not divide into Q4_1 blocks of 32.",
    );
  });
});
