import { expect } from "chai";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notRun } from "../testing.ts";
import { bytesOnDisk, writeSparseFile } from "./sparse-file.ts";

describe("a sparse file", () => {
  const folder = mkdtempSync(join(tmpdir(), "infinity-sparse-"));
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("has its beginning, then zeros, and takes no room", async function () {
    const path = join(folder, "sparse");
    const beginning = Uint8Array.of(1, 2, 3);
    await writeSparseFile(path, beginning, 2 ** 24);
    const bytes = await readFile(path);
    expect(bytes.length).to.equal(2 ** 24);
    expect(bytes.subarray(0, 3)).to.deep.equal(Buffer.from(beginning));
    expect(bytes.subarray(3).every((byte) => byte === 0)).to.be.true;
    const room = await bytesOnDisk(path);
    if (room >= 2 ** 24) notRun(this, "this file system keeps no holes");
    expect(room).to.be.below(2 ** 20);
  });
});
