import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { rejection } from "../testing.ts";
import { readTextFile } from "./text-file.ts";

describe("text files", () => {
  const folder = mkdtempSync(join(tmpdir(), "infinity-text-"));
  const written = (bytes: Uint8Array | string): string => {
    const path = join(folder, "text.txt");
    writeFileSync(path, bytes);
    return path;
  };
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("are read as they are, with a byte order mark and any character", async () => {
    const text = "\ufeffOne morning,\r\nein Fuchs 🦊\u0000";
    expect(await readTextFile(written(text))).to.equal(text);
  });

  it("are refused where they are no UTF-8, with the place", async () => {
    const good = new TextEncoder().encode("läuft 🦊 ".repeat(1000));
    for (const [bad, byte] of [
      [[0xff], "0xFF"],
      [[0x41, 0x80], "0x80"],
      [[0xc3, 0x28], "0x28"],
    ] as const) {
      const at = good.length + bad.length - 1;
      const error = await rejection(
        readTextFile(written(Uint8Array.from([...good, ...bad, 0x41]))),
      );
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.include(`no valid UTF-8 text: byte ${at} is ${byte}`);
    }
  });

  it("are refused where they end inside a character, are empty or missing", async () => {
    const cut = await rejection(readTextFile(written(Uint8Array.of(0x41, 0xc3))));
    expect(cut.message).to.include("no valid UTF-8 text: byte 1 is 0xC3");
    const empty = await rejection(readTextFile(written("")));
    expect(empty.message).to.include("is empty; a file with text is needed");
    const missing = await rejection(readTextFile(join(folder, "none.txt")));
    expect(missing).to.be.instanceOf(InputError);
  });
});
