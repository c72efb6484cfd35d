import { expect } from "chai";
import { fieldDump, hexDump } from "./hex-dump.ts";

describe("hex dump", () => {
  it("prints what xxd prints: offsets, bytes and letters, the last line filled up", () => {
    const bytes = Uint8Array.from([
      ...Buffer.from("GGUF"),
      3,
      0,
      0x7f,
      0x80,
      ...Buffer.alloc(10, 65),
    ]);
    expect(hexDump(bytes).split("\n")).to.deep.equal([
      "     0  47 47 55 46 03 00 7f 80 41 41 41 41 41 41 41 41  GGUF....AAAAAAAA",
      "    16  41 41                                            AA",
    ]);
    expect(hexDump(bytes.subarray(16), 4096)).to.match(/^ {2}4096 {2}41 41 /);
    expect(hexDump(new Uint8Array(0))).to.equal("");
  });

  it("prints a field on as many lines as it needs, named once", () => {
    const bytes = Uint8Array.from({ length: 11 }, (_, i) => i);
    const fields = [
      { name: "a", start: 0, end: 1, value: "0" },
      { name: "long", start: 1, end: 11, value: '"…"' },
    ];
    expect(fieldDump(bytes, fields).split("\n")).to.deep.equal([
      "     0  00                       a     0",
      '     1  01 02 03 04 05 06 07 08  long  "…"',
      "     9  09 0a",
    ]);
  });
});
