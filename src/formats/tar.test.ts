import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { notRun, rejection } from "../testing.ts";
import { bytesSource } from "./byte-source.ts";
import { readTarDirectory, readTarEntry } from "./tar.ts";

/** Files as the system's own tar packs them. */
const files: Readonly<Record<string, string>> = {
  "data/a.csv": "one,two\n",
  "data/empty.csv": "",
  "data/exact.csv": "x".repeat(512),
  [`data/${"deep/".repeat(24)}name.csv`]: "far",
};

describe("tar", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-tar-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const packed = (test: Mocha.Context, format: string): Uint8Array => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    rmSync(join(folder, "data/link"), { force: true });
    symlinkSync("a.csv", join(folder, "data/link"));
    const { status } = spawnSync("tar", [`--format=${format}`, "-cf", "archive.tar", "data"], {
      cwd: folder,
    });
    if (status !== 0) return notRun(test, `there is no tar that writes ${format}`);
    return readFileSync(join(folder, "archive.tar"));
  };

  it("reads what tar writes, and passes folders and links over", async function () {
    const source = bytesSource("archive.tar", packed(this, "ustar"));
    const entries = await readTarDirectory(source);
    const found = new Map<string, string>();
    for (const entry of entries) {
      found.set(entry.name, new TextDecoder().decode(await readTarEntry(source, entry)));
    }
    expect([...found].sort()).to.deep.equal(Object.entries(files).sort());
  });

  it("finds the short names of GNU and pax archives", async function () {
    for (const format of ["gnu", "pax"]) {
      const entries = await readTarDirectory(bytesSource("a.tar", packed(this, format)));
      const names = entries.map(({ name }) => name);
      expect(names).to.include.members(["data/a.csv", "data/empty.csv", "data/exact.csv"]);
    }
  });

  it("refuses what is damaged, truncated or something else", async function () {
    const bytes = packed(this, "ustar");
    const read = async (changed: Uint8Array): Promise<string> =>
      (await rejection(readTarDirectory(bytesSource("a.tar", changed)))).message;
    const wrong = new Uint8Array(bytes);
    wrong[3]! ^= 1;
    expect(await read(wrong)).to.match(/header at byte 0 has a wrong checksum/);
    const entries = await readTarDirectory(bytesSource("a.tar", bytes));
    const { offset } = entries.find(({ name }) => name === "data/exact.csv")!;
    expect(await read(bytes.subarray(0, offset + 100))).to.match(/"data\/exact.csv" does not end/);
    expect(await read(new Uint8Array(4096))).to.match(/it holds no file/);
    expect(await read(new TextEncoder().encode("hello"))).to.match(/is no tar archive/);
  });
});
