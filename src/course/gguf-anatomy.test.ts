import { expect } from "chai";
import { MemorySink } from "../formats/byte-sink.ts";
import { bytesSource, type ByteSource } from "../formats/byte-source.ts";
import { golden, goldenBytes } from "../formats/fixtures/golden.ts";
import { openGguf } from "../formats/gguf/gguf-file.ts";
import { writeGguf } from "../formats/gguf/gguf-writer.ts";
import { fileSegments, headerFields } from "./gguf-anatomy.ts";

const goldens = ["golden.gguf", "golden-big-endian.gguf"];

/** A file whose only tensor ends before the file does. */
async function padded(): Promise<ByteSource> {
  const sink = new MemorySink();
  const tensors = [{ name: "w", shape: [5], dtype: "I8" }] as const;
  const outline = { version: 3, littleEndian: true, metadata: new Map(), tensors };
  await writeGguf(sink, outline, () => [new Uint8Array(5)]);
  return bytesSource("padded.gguf", sink.bytes());
}

describe("anatomy of a GGUF file", () => {
  for (const name of goldens) {
    it(`names every byte of the header of ${name}, and what it says`, async () => {
      const file = await openGguf(golden(name));
      const fields = headerFields(file, goldenBytes(name));
      let end = 0;
      for (const field of fields) {
        expect(field.start, field.name).to.equal(end);
        end = field.end;
      }
      expect(end).to.equal(file.headerBytes);
      const said = (field: string): string[] =>
        fields.filter((each) => each.name === field).map(({ value }) => value);
      expect(said("magic")).to.deep.equal(['"GGUF"']);
      expect(said("number of tensors")).to.deep.equal([String(file.tensors.length)]);
      expect(said("key").map((key) => JSON.parse(key) as string)).to.deep.equal([
        ...file.metadata.keys(),
      ]);
      expect(said("offset in the data").map(Number)).to.deep.equal(
        file.tensors.map(({ offset }) => offset - file.dataOffset),
      );
      expect(said("ne[0]").map(Number)).to.deep.equal(
        file.tensors.filter(({ shape }) => shape.length > 0).map(({ shape }) => shape.at(-1)),
      );
    });
  }

  it("divides the whole file into segments, with padding where nothing else is", async () => {
    for (const source of [...goldens.map(golden), await padded()]) {
      const file = await openGguf(source);
      const segments = await fileSegments(source, file);
      expect(segments[0]?.start).to.equal(0);
      expect(segments.at(-1)?.end).to.equal(source.size);
      for (const [i, { end }] of segments.slice(0, -1).entries()) {
        expect(segments[i + 1]!.start).to.equal(end);
      }
      const weights = segments.filter(({ kind }) => kind in { F32: 0, F16: 0, I8: 0 });
      expect(weights.length).to.be.greaterThan(0);
      for (const { kind, start, end } of segments) {
        if (kind === "padding") {
          expect([...(await source.read(start, end - start))].every((byte) => byte === 0)).to.be
            .true;
        }
      }
    }
    const last = (await fileSegments(await padded(), await openGguf(await padded()))).at(-1)!;
    expect(last.end - last.start).to.equal(27);
  });

  it("has no tensor list where there are no tensors", async () => {
    const sink = new MemorySink();
    const outline = { version: 3, littleEndian: true, metadata: new Map(), tensors: [] };
    await writeGguf(sink, outline, () => []);
    const source = bytesSource("empty.gguf", sink.bytes());
    expect(await fileSegments(source, await openGguf(source))).to.deep.equal([
      { kind: "metadata", name: "metadata", start: 0, end: 24 },
    ]);
  });
});
