/** The engine beside the course's worked answers of project 3: the simple version is the oracle. */
import { expect } from "chai";
import {
  alignUp,
  dequantQ4K,
  readHeader,
  tensorBytes,
  writeGguf as simpleWrite,
} from "../../../solutions/03-gguf-inspector.ts";
import { bytesOfShape, dtypeLayouts } from "../../core/dtypes.ts";
import { normal, randomInt, seededRng } from "../../core/rng.ts";
import { dequantizeBlocks } from "../../quant/blocks/dequantize.ts";
import { quantizeBlocks } from "../../quant/blocks/quantize.ts";
import { MemorySink } from "../byte-sink.ts";
import { golden, goldenBytes } from "../fixtures/golden.ts";
import { openGguf } from "./gguf-file.ts";
import { layOutGguf, writeGguf } from "./gguf-writer.ts";
import type { GgufArray, GgufValue } from "./metadata.ts";

const rng = seededRng(303);

function plain(value: GgufValue): unknown {
  return value.type === "array" ? plainArray(value) : value.value;
}

function plainArray(array: GgufArray): unknown[] {
  return array.itemType === "array" ? array.items.map(plainArray) : [...array.items];
}

describe("the engine beside the worked answers of project 3", () => {
  for (const name of ["golden.gguf", "golden-big-endian.gguf"]) {
    it(`reads the header of ${name} alike`, async () => {
      const file = await openGguf(golden(name));
      const simple = readHeader(goldenBytes(name));
      expect(simple).to.include({ version: file.version, littleEndian: file.littleEndian });
      expect([...simple.metadata]).to.deep.equal(
        [...file.metadata].map(([key, value]) => [key, plain(value)]),
      );
      expect(simple.tensors).to.deep.equal(
        file.tensors.map(({ name, shape, dtype, offset }) => ({
          name,
          ne: [...shape].reverse().map(BigInt),
          type: dtypeLayouts[dtype].ggmlId,
          offset: BigInt(offset),
        })),
      );
    });
  }

  it("counts a tensor's bytes alike", () => {
    for (const dtype of ["F32", "F16", "Q4_0", "Q8_0", "Q4_K", "Q6_K"] as const) {
      for (const shape of [[256], [7, 512], [2, 3, 1024], [5, 2, 3, 256]]) {
        const ne = [...shape].reverse().map(BigInt);
        expect(tensorBytes(dtypeLayouts[dtype].ggmlId!, ne)).to.equal(
          BigInt(bytesOfShape(shape, dtype)),
        );
      }
    }
  });

  it("decodes Q4_K alike", () => {
    const bytes = quantizeBlocks(
      "Q4_K",
      Float32Array.from({ length: 4096 }, () => normal(rng)),
    );
    expect(dequantQ4K(bytes)).to.deep.equal(dequantizeBlocks("Q4_K", bytes, 4096));
  });

  it("writes the same bytes", async () => {
    const metadata = new Map<string, number | string>([
      ["general.architecture", "größe"],
      ["general.alignment", 64],
      ["a.count", 7],
    ]);
    const data = [3, 40, 16].map((count) =>
      Uint8Array.from({ length: 4 * count }, () => randomInt(rng, 256)),
    );
    const tensors = data.map(({ length }, i) => ({
      ...{ name: `t${i}`, shape: [length / 4] },
      dtype: "F32" as const,
    }));
    const typed = new Map(
      [...metadata].map(([key, value]): [string, GgufValue] => [
        key,
        typeof value === "string" ? { type: "string", value } : { type: "u32", value },
      ]),
    );
    const outline = { version: 3, littleEndian: true, metadata: typed, tensors };
    const sink = new MemorySink();
    await writeGguf(sink, outline, (tensor) => [data[tensors.indexOf(tensor)]!]);
    const simple = tensors.map(({ name, shape }, i) => ({
      ...{ name, ne: shape.map(BigInt), type: 0 },
      data: data[i]!,
    }));
    expect(simpleWrite({ metadata, tensors: simple })).to.deep.equal(sink.bytes());
    expect(BigInt(layOutGguf(outline).header.length) % 64n).to.equal(0n);
  });

  it("aligns alike", () => {
    for (let i = 0; i < 200; i++) {
      const [offset, alignment] = [randomInt(rng, 10_000), 2 ** randomInt(rng, 10)];
      expect(alignUp(BigInt(offset), BigInt(alignment))).to.equal(
        BigInt(Math.ceil(offset / alignment) * alignment),
      );
    }
  });
});
