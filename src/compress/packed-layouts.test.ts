import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { plainToFloat32 } from "../formats/plain-values.ts";
import type { LinearMatrix } from "./group-encoder.ts";
import { packAwq, packGptq, type PackedMatrix } from "./packed-layouts.ts";

interface GoldenMatrix {
  readonly bits: number;
  readonly codes: string;
  readonly zeroPoints: string;
  readonly scales: string;
  readonly packed: Readonly<Record<"qweight" | "qzeros" | "scales", string>>;
}

/** What make_layouts.py wrote with the packing code of AutoGPTQ and AutoAWQ. */
const golden = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures", "layouts.json"), "utf8"),
) as {
  readonly rows: number;
  readonly cols: number;
  readonly groupSize: number;
  readonly gptq: readonly GoldenMatrix[];
  readonly awq: GoldenMatrix;
};

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

function matrixOf({ bits, codes, zeroPoints, scales }: GoldenMatrix): LinearMatrix {
  const { rows, cols, groupSize } = golden;
  return {
    quantized: {
      ...{ rows, cols, bits, groupSize },
      codes: bytesOf(codes),
      zeroPoints: bytesOf(zeroPoints),
      scales: plainToFloat32(bytesOf(scales), "F32"),
    },
    groupOfColumn: Uint32Array.from({ length: cols }, (_, j) => Math.floor(j / groupSize)),
  };
}

function partsOf({ qweight, qzeros, scales }: PackedMatrix): GoldenMatrix["packed"] {
  const text = ({ buffer }: { buffer: ArrayBuffer }): string =>
    Buffer.from(buffer).toString("base64");
  return { qweight: text(qweight), qzeros: text(qzeros), scales: text(scales) };
}

describe("packed layouts", () => {
  for (const matrix of golden.gptq) {
    it(`packs ${matrix.bits} bits as AutoGPTQ does`, () => {
      const packed = packGptq(matrixOf(matrix));
      expect(partsOf(packed)).to.deep.equal(matrix.packed);
      const { cols, groupSize } = golden;
      expect([...packed.groupIndex!]).to.deep.equal(
        Array.from({ length: cols }, (_, j) => (j < groupSize ? 0 : 1)),
      );
    });
  }

  it("packs 4 bits as AutoAWQ does", () => {
    const packed = packAwq(matrixOf(golden.awq));
    expect(partsOf(packed)).to.deep.equal(golden.awq.packed);
    expect(packed.groupIndex).to.equal(undefined);
  });

  it("packs signed codes as the unsigned ones that are half their range higher", () => {
    const four = golden.gptq.find(({ bits }) => bits === 4)!;
    const unsigned = matrixOf(four);
    const { codes, scales } = unsigned.quantized;
    const signed = Int8Array.from(codes, (code) => code - 8);
    const zeros = new Uint8Array(scales.length).fill(8);
    const pack = (quantized: Partial<LinearMatrix["quantized"]>): GoldenMatrix["packed"] =>
      partsOf(packGptq({ ...unsigned, quantized: { ...unsigned.quantized, ...quantized } }));
    expect(pack({ codes: signed, zeroPoints: null })).to.deep.equal(pack({ zeroPoints: zeros }));
  });

  it("refuses what the layouts cannot hold", () => {
    const matrix = matrixOf(golden.gptq.find(({ bits }) => bits === 4)!);
    const withQuantized = (changed: Partial<LinearMatrix["quantized"]>): LinearMatrix => ({
      ...matrix,
      quantized: { ...matrix.quantized, ...changed },
    });
    const zeroPoints = matrix.quantized.zeroPoints!.slice();
    zeroPoints[3] = 0;
    expect(() => packGptq(withQuantized({ zeroPoints }))).to.throw(
      InputError,
      "row 1, group 1 is 0, which version 1 of GPTQ's layout cannot hold",
    );
    expect(() => packGptq(withQuantized({ rows: 12 }))).to.throw(InputError, "12 × 64 codes");
    expect(() => packAwq(withQuantized({ bits: 3 }))).to.throw(InputError, "not 3");
  });
});
