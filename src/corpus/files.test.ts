import { expect } from "chai";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { writeNpy } from "../formats/npy.ts";
import { notRun, rejection, root } from "../testing.ts";
import { fileSource, openTensors, writeAtomically, writeFileAtomically } from "./files.ts";

describe("files", () => {
  let folder: string;
  const at = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-files-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("reads ranges of a file", async () => {
    writeFileSync(
      at("ten"),
      Uint8Array.from({ length: 10 }, (_, i) => i),
    );
    const source = await fileSource(at("ten"));
    expect([source.name, source.size]).to.deep.equal(["ten", 10]);
    expect([...(await source.read(2, 3))]).to.deep.equal([2, 3, 4]);
    expect([...(await source.read(10, 0))]).to.deep.equal([]);
    const error = await rejection(source.read(8, 3));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/truncated: bytes 8 to 11/);
    await source.close();
  });

  it("reads into memory that it is given, as far as that has the right length", async () => {
    const bytes = Uint8Array.from({ length: 1_600_000 }, (_, i) => i % 251);
    writeFileSync(at("large"), bytes);
    const source = await fileSource(at("large"));
    for (const length of [100, 1_500_000]) {
      const room = new Uint8Array(length + 1);
      const into = room.subarray(1);
      expect(await source.read(40_000, length, into)).to.equal(into);
      expect(Buffer.compare(into, bytes.subarray(40_000, 40_000 + length))).to.equal(0);
      const fresh = await source.read(0, length, room);
      expect(Buffer.compare(fresh, bytes.subarray(0, length))).to.equal(0);
      expect(fresh).not.to.equal(room);
    }
    await source.close();
  });

  it("ends what is being read before it closes, and reads nothing after", async () => {
    writeFileSync(at("large"), new Uint8Array(2 ** 22).fill(7));
    const source = await fileSource(at("large"));
    const reading = source.read(0, 2 ** 22);
    await Promise.all([source.close(), source.close()]);
    expect((await reading).every((byte) => byte === 7)).to.equal(true);
    const error = await rejection(source.read(0, 1));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/was closed before it was read/);
  });

  it("says that a file became shorter while it was read", async () => {
    writeFileSync(at("file"), "0123456789");
    const source = await fileSource(at("file"));
    writeFileSync(at("file"), "012");
    expect((await rejection(source.read(0, 10))).message).to.match(/became shorter/);
    await source.close();
  });

  it("refuses a pipe that nobody writes to", async function () {
    if (process.platform === "win32") notRun(this, "this system has no named pipes");
    execFileSync("mkfifo", [at("pipe")]);
    expect((await rejection(fileSource(at("pipe")))).message).to.match(/no ordinary file/);
  });

  it("opens a file of tensors", async () => {
    writeFileSync(at("w.npy"), writeNpy(Float32Array.of(1, 2), [2]));
    const file = await openTensors(at("w.npy"));
    expect([...(await file.readFloat32("w"))]).to.deep.equal([1, 2]);
    await file.close();
  });

  it("opens a file of tensors whose blocks it decodes", async () => {
    const file = await openTensors(join(root, "src/formats/fixtures/golden.gguf"));
    const values = await file.readFloat32("blocks.q8_0");
    // The fixture quantised (i − 16)/8; Q8_0 keeps steps of 2/127.
    expect(values).to.have.length(64);
    values.forEach((value, i) => {
      expect(value).to.be.closeTo(((i % 32) - 16) / 8, 1 / 127);
    });
    await file.close();
  });

  it("writes pieces, and leaves nothing where the writing code throws", async () => {
    await writeAtomically(at("file"), async (sink) => {
      await sink.write(Uint8Array.of(1, 2));
      await sink.write(Uint8Array.of(3));
    });
    expect([...readFileSync(at("file"))]).to.deep.equal([1, 2, 3]);
    const error = await rejection(
      writeAtomically(at("file"), async (sink) => {
        await sink.write(Uint8Array.of(4));
        throw new InputError("the weights are wrong");
      }),
    );
    expect(error.message).to.equal("the weights are wrong");
    expect([...readFileSync(at("file"))]).to.deep.equal([1, 2, 3]);
    expect(readdirSync(folder)).to.deep.equal(["file"]);
  });

  it("says in a sentence why a path cannot be read", async () => {
    mkdirSync(at("folder"));
    writeFileSync(at("file"), "no tensors");
    for (const [path, reason] of [
      [at("missing.npy"), /missing\.npy cannot be read: there is no such file/],
      [at("folder"), /is a folder; a file is needed/],
      [at("file/below"), /a part of its path is a file/],
      [at("file"), /is no tensor file/],
    ] as const) {
      const error = await rejection(openTensors(path));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(reason);
    }
  });

  it("says that there is no permission", async function () {
    if (process.platform === "win32" || process.getuid?.() === 0) {
      notRun(this, "this user may read every file");
    }
    writeFileSync(at("secret"), "");
    chmodSync(at("secret"), 0);
    expect((await rejection(fileSource(at("secret")))).message).to.match(/no permission/);
  });

  it("writes a whole file and leaves nothing besides", async () => {
    await writeFileAtomically(at("out"), "old");
    await writeFileAtomically(at("out"), Uint8Array.of(0x6e, 0x65, 0x77));
    expect(readFileSync(at("out"), "utf8")).to.equal("new");
    expect(readdirSync(folder)).to.deep.equal(["out"]);
  });

  it("leaves the old file and no draft where writing fails", async () => {
    mkdirSync(at("taken"));
    for (const [path, reason] of [
      [at("missing/out"), /there is no such file or folder/],
      [at("taken"), /cannot be written/],
    ] as const) {
      const error = await rejection(writeFileAtomically(path, "x"));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(reason);
    }
    expect(readdirSync(folder)).to.deep.equal(["taken"]);
  });
});
