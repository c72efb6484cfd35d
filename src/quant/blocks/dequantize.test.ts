import { expect } from "chai";
import { dtypeLayouts, type BlockDtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { dequantizeBlocks } from "./dequantize.ts";
import { golden, numBlocks, randomBlocks, sha256 } from "./fixtures/blocks.ts";

describe("dequantizeBlocks", () => {
  for (const [name, { sha256: expected, first }] of Object.entries(golden.dequantized)) {
    it(`${name}: ${numBlocks} random blocks, bit for bit as the gguf package`, () => {
      const dtype = name as BlockDtype;
      const numElements = numBlocks * dtypeLayouts[dtype].blockElements;
      const values = dequantizeBlocks(dtype, randomBlocks(dtype), numElements);
      expect([...values.subarray(0, first.length)]).to.deep.equal(first);
      expect(sha256(values)).to.equal(expected);
    });
  }

  for (const [name, hex] of Object.entries(golden.bigEndian)) {
    it(`${name}: reads the block that the gguf package turned to big-endian`, () => {
      const dtype = name as BlockDtype;
      const { blockElements, blockBytes } = dtypeLayouts[dtype];
      const block = randomBlocks(dtype).subarray(0, blockBytes);
      const swapped = Uint8Array.from(Buffer.from(hex, "hex"));
      expect(swapped).not.to.deep.equal(block);
      expect(dequantizeBlocks(dtype, swapped, blockElements, false)).to.deep.equal(
        dequantizeBlocks(dtype, block, blockElements),
      );
    });
  }

  it("covers every block format but Q1_0, which it names", () => {
    const formats = Object.entries(dtypeLayouts)
      .filter(([, { blockElements }]) => blockElements > 1)
      .map(([name]) => name);
    expect(Object.keys(golden.dequantized)).to.have.members(
      formats.filter((name) => name !== "Q1_0"),
    );
    expect(() => dequantizeBlocks("Q1_0", new Uint8Array(18), 128)).to.throw(InputError, /^Q1_0/);
  });

  it("refuses bytes that are not exactly the blocks", () => {
    for (const [numBytes, numElements] of [
      [17, 32],
      [36, 32],
      [18, 31],
      [0, 32],
    ] as const) {
      expect(() => dequantizeBlocks("Q4_0", new Uint8Array(numBytes), numElements)).to.throw(
        InputError,
        /Q4_0 take/,
      );
    }
    expect(dequantizeBlocks("Q4_0", new Uint8Array(0), 0)).to.have.length(0);
  });

  it("refuses a codebook's blocks of a big-endian file", () => {
    expect(() => dequantizeBlocks("IQ2_XS", new Uint8Array(74), 256, false)).to.throw(
      InputError,
      /big-endian/,
    );
  });
});
