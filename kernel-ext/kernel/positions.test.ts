import { expect } from "chai";
import fc from "fast-check";
import { codePointPosition, unitOffset } from "./positions.ts";

describe("positions in a cell", () => {
  it("counts an emoji once for Jupyter and twice for JavaScript", () => {
    expect(unitOffset("a😀b", 2)).to.equal(3);
    expect(codePointPosition("a😀b", 3)).to.equal(2);
  });

  it("leads back to every position of any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const numPoints = Array.from(text).length;
        for (let position = 0; position <= numPoints; position++) {
          expect(codePointPosition(text, unitOffset(text, position))).to.equal(position);
        }
      }),
    );
  });
});
