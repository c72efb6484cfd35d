import { expect } from "chai";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import { roundedDtype, roundedRows } from "./rounded-rows.ts";

describe("rounded rows", () => {
  const values = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i) * (1 + (i >> 6)));
  const stored = {
    ...({ name: "w", dtype: "F32", numRows: 4, numCols: 64 } as const),
    readRows: (begin: number, end: number) =>
      Promise.resolve(new Uint8Array(values.slice(64 * begin, 64 * end).buffer)),
  };

  it("are the quantiser's blocks, whichever rows are read", async () => {
    const rounded = roundedRows(stored, "Q8_0");
    expect(rounded).to.include({ name: "w", dtype: "Q8_0", numRows: 4, numCols: 64 });
    const some = await rounded.readRows(1, 3);
    expect(some).to.deep.equal(new Uint8Array(quantizeBlocks("Q8_0", values.slice(64, 192))));
    const back = dequantizeBlocks("Q8_0", some, 128);
    for (const [i, value] of back.entries()) expect(value).to.be.closeTo(values[64 + i]!, 4 / 254);
  });

  it("are the stored ones where blocks do not fit or there are blocks already", () => {
    expect(roundedRows(stored, "file")).to.equal(stored);
    const narrow = { ...stored, numCols: 40 };
    expect(roundedRows(narrow, "Q4_0")).to.equal(narrow);
    expect(roundedDtype("Q4_K", 256, "Q8_0")).to.equal("Q4_K");
    expect(roundedDtype("BF16", 64, "Q4_0")).to.equal("Q4_0");
    // No weights at all; the kernels refuse them by name.
    expect(roundedDtype("I32", 64, "Q8_0")).to.equal("I32");
  });
});
