import { expect } from "chai";
import fc from "fast-check";
import { dtypeLayouts, type BlockDtype, type Dtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { f32ArrayToBf16 } from "../core/half.ts";
import { littleEndianBytes } from "../formats/plain-values.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import type { StoredRows } from "./forward-kernels.ts";
import { reexpress } from "./reexpress.ts";

const computed: readonly Dtype[] = ["F32", "Q8_0", "Q6_K", "TQ2_0"];

describe("weights in another format", () => {
  /** Where each format's float16 lies; any bits of the rest are a block. */
  for (const [dtype, wider, scaleAt] of [
    ["IQ4_NL", "Q8_0", 0],
    ["TQ1_0", "TQ2_0", 52],
    ["Q3_K", "Q6_K", 108],
  ] as const) {
    it(`have the same values in ${wider} as in ${dtype}`, () => {
      const { blockBytes } = dtypeLayouts[dtype];
      const block = fc.uint8Array({ minLength: blockBytes, maxLength: blockBytes });
      const finite = block.map((bytes) => {
        bytes[scaleAt + 1]! &= 0xbf;
        return bytes;
      });
      fc.assert(
        fc.property(finite, finite, (first, second) => {
          const stored = rows(dtype, 2, Uint8Array.of(...first, ...second));
          const found = reexpress(stored, computed);
          expect(found).to.include({ name: "w", dtype: wider, numRows: 2 });
          expect(values(wider, found)).to.deep.equal(values(dtype, stored));
        }),
      );
    });
  }

  it("become float32 where no other format has their values", () => {
    const bytes = Uint8Array.from({ length: 84 }, (_, i) => (i % 83 === 0 ? 1 : i));
    const stored = rows("Q2_K", 1, bytes);
    const found = reexpress(stored, computed);
    expect(found.dtype).to.equal("F32");
    expect([...new Float32Array(found.bytes.buffer)]).to.deep.equal(values("Q2_K", stored));
    const halves = littleEndianBytes(f32ArrayToBf16(Float32Array.of(1.5, -3)), 2);
    const plain = {
      name: "w",
      dtype: "BF16",
      numRows: 1,
      numCols: 2,
      bytes: new Uint8Array(halves),
    };
    const { bytes: floats } = reexpress(plain as StoredRows, computed);
    expect([...new Float32Array(floats.buffer)]).to.deep.equal([1.5, -3]);
  });

  it("stay as they are in a format that is computed with", () => {
    const stored = rows("Q6_K", 1, new Uint8Array(210));
    expect(reexpress(stored, computed)).to.equal(stored);
    expect(reexpress(rows("IQ4_NL", 1, new Uint8Array(18)), ["F32"]).dtype).to.equal("F32");
  });

  it("are refused by name where no kernels know the format", () => {
    const stored: StoredRows = { ...rows("Q8_0", 1, new Uint8Array(34)), dtype: "I8" };
    expect(() => reexpress(stored, computed)).to.throw(InputError, /^Tensor "w" cannot .*I8/);
    expect(() => reexpress({ ...stored, dtype: "Q1_0" }, computed)).to.throw(InputError, /Q1_0/);
  });
});

function rows(dtype: Dtype, numRows: number, bytes: Uint8Array<ArrayBuffer>): StoredRows {
  return { name: "w", dtype, numRows, numCols: dtypeLayouts[dtype].blockElements, bytes };
}

/** Without the sign of zero, which a code has not. */
function values(dtype: BlockDtype, { bytes, numRows, numCols }: StoredRows): number[] {
  return Array.from(dequantizeBlocks(dtype, bytes, numRows * numCols), (value) => value + 0);
}
