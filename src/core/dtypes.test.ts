import { expect } from "chai";
import { bytesOfShape, dtypeLayouts, dtypeOfGgmlId, isPlain, numElements } from "./dtypes.ts";
import { InputError } from "./errors.ts";

/** Id, name, elements and bytes per block: `gguf.GGML_QUANT_SIZES` of gguf 0.19.0 on PyPI. */
const ggufTable = `0 F32 1 4, 1 F16 1 2, 2 Q4_0 32 18, 3 Q4_1 32 20, 6 Q5_0 32 22, 7 Q5_1 32 24,
  8 Q8_0 32 34, 10 Q2_K 256 84, 11 Q3_K 256 110, 12 Q4_K 256 144, 13 Q5_K 256 176, 14 Q6_K 256 210,
  16 IQ2_XXS 256 66, 17 IQ2_XS 256 74, 18 IQ3_XXS 256 98, 19 IQ1_S 256 50, 20 IQ4_NL 32 18,
  21 IQ3_S 256 110, 22 IQ2_S 256 82, 23 IQ4_XS 256 136, 24 I8 1 1, 25 I16 1 2, 26 I32 1 4, 27 I64 1 8,
  28 F64 1 8, 29 IQ1_M 256 56, 30 BF16 1 2, 34 TQ1_0 256 54, 35 TQ2_0 256 66, 39 MXFP4 32 17,
  40 NVFP4 64 36, 41 Q1_0 128 18`;

describe("dtypes", () => {
  it("agree with the gguf package in id, name and block size, and have nothing besides", () => {
    const ours = Object.entries(dtypeLayouts)
      .filter(([, { ggmlId }]) => ggmlId !== undefined)
      .map(([name, layout]) => [layout.ggmlId!, name, layout.blockElements, layout.blockBytes])
      .sort((a, b) => Number(a[0]) - Number(b[0]))
      .map((row) => row.join(" "));
    expect(ours).to.deep.equal(ggufTable.split(/,\s+/));
  });

  it("are found by ggml's number", () => {
    expect(dtypeOfGgmlId(12)).to.equal("Q4_K");
    // Removed from ggml, never used, beyond the table.
    for (const id of [4, 5, 31, 99, 2 ** 32 - 1]) expect(dtypeOfGgmlId(id)).to.equal(undefined);
  });

  it("are plain where a value stands alone", () => {
    expect(isPlain("BF16")).to.equal(true);
    expect(isPlain("Q8_0")).to.equal(false);
  });

  it("count elements and bytes of a shape", () => {
    expect(numElements([3, 4, 5])).to.equal(60);
    expect(numElements([])).to.equal(1);
    expect(bytesOfShape([3, 4], "F16")).to.equal(24);
    expect(bytesOfShape([], "F64")).to.equal(8);
    expect(bytesOfShape([0, 7], "F32")).to.equal(0);
    expect(bytesOfShape([2, 512], "Q4_K")).to.equal(2 * 2 * 144);
  });

  it("refuse rows of broken blocks and sizes that a double cannot hold", () => {
    expect(() => bytesOfShape([32, 172], "Q4_0")).to.throw(InputError, /\[32, 172\].*blocks of 32/);
    expect(() => bytesOfShape([2 ** 30, 2 ** 30], "I8")).to.throw(InputError, /too large/);
    expect(() => bytesOfShape([2 ** 30, 2 ** 30, 0], "I8")).to.throw(InputError, /too large/);
    expect(() => bytesOfShape([1.5], "F32")).to.throw(InputError, /no whole number/);
    expect(() => bytesOfShape([-1], "F32")).to.throw(InputError, /no whole number/);
  });
});
