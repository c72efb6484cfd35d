import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { InputError } from "../core/errors.ts";
import { readIdxDigits } from "./digits-idx.ts";

describe("IDX files", () => {
  const folder = mkdtempSync(join(tmpdir(), "infinity-idx-"));
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const file = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const idx = (dimensions: number[], values: Uint8Array): Buffer => {
    const header = Buffer.from([0, 0, 8, dimensions.length]);
    const sizes = Buffer.alloc(4 * dimensions.length);
    dimensions.forEach((size, i) => sizes.writeUInt32BE(size, 4 * i));
    return Buffer.concat([header, sizes, values]);
  };
  const pixels = new Uint8Array(2 * 784).map((_, i) => i % 256);
  const images = file("images.gz", gzipSync(idx([2, 28, 28], pixels)));
  const labels = file("labels.gz", gzipSync(idx([2], Uint8Array.of(7, 3))));

  it("give pictures from 0 to 1 and their labels", async () => {
    const digits = await readIdxDigits(images, labels);
    expect([...digits.labels]).to.deep.equal([7, 3]);
    expect(digits.images).to.deep.equal(Float32Array.from(pixels, (level) => level / 255));
  });

  const small = gzipSync(idx([2, 14, 56], pixels));
  const bomb = gzipSync(new Uint8Array(60_000_000));
  const refused: [string, Uint8Array, string][] = [
    ["text", Buffer.from("no gzip"), "does not unpack as gzip"],
    ["a stub", gzipSync(Buffer.from([0, 0, 8])), "is too short"],
    ["labels in place of pictures", gzipSync(idx([2000], new Uint8Array(2000))), "is no IDX file"],
    ["pictures of another shape", small, "is no IDX file"],
    [
      "a truncated file",
      gzipSync(idx([2, 28, 28], pixels.slice(1))),
      "has 1584 bytes, and it has 1583",
    ],
    ["fewer pictures than labels", gzipSync(idx([1, 28, 28], pixels.slice(784))), "1 pictures and"],
    ["more than MNIST has", bomb, "does not unpack as gzip to at most"],
  ];
  for (const [what, bytes, message] of refused) {
    it(`refuse ${what}`, async () => {
      const error: unknown = await readIdxDigits(file("bad.gz", bytes), labels).catch(
        (error: unknown) => error,
      );
      expect(error).to.be.instanceOf(InputError);
      expect(String(error)).to.include(message);
    });
  }
});
