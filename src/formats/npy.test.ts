import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { rejection } from "../testing.ts";
import { bytesSource } from "./byte-source.ts";
import { cube, even, golden, goldenBytes, grid, integers, steps } from "./fixtures/golden.ts";
import { openNpy, writeNpy } from "./npy.ts";

const written = [
  ["f4.npy", "F32", [3, 4], grid],
  ["f2-big-endian.npy", "F16", [3, 4], grid],
  ["f8-fortran-v2.npy", "F64", [2, 3, 4], cube],
  ["i8-v3.npy", "I64", [3, 4], integers],
  ["u1.npy", "U8", [3, 4], steps],
  ["b1.npy", "BOOL", [3, 4], even],
  ["scalar.npy", "F32", [], Float32Array.of(0.625)],
] as const;

/** A file with this header and `numBytes` zeros as data. */
function npyOf(header: string, numBytes: number, version = 1): Uint8Array {
  const prefix = [
    0x93,
    ...Buffer.from("NUMPY"),
    version,
    0,
    header.length & 0xff,
    header.length >> 8,
  ];
  return Uint8Array.from([
    ...prefix,
    ...Buffer.from(header),
    ...new Array<number>(numBytes).fill(0),
  ]);
}

const dictionary = (descr: string, shape: string): string =>
  `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }\n`;

describe("npy", () => {
  for (const [file, dtype, shape, values] of written) {
    it(`reads NumPy's ${file}`, async () => {
      const opened = await openNpy(golden(file));
      const name = file.replace(".npy", "");
      expect(opened.tensors.map((tensor) => ({ ...tensor, numBytes: 0, offset: 0 }))).to.deep.equal(
        [{ name, shape: [...shape], dtype, numBytes: 0, offset: 0 }],
      );
      expect(await opened.readFloat32(name)).to.deep.equal(values);
    });
  }

  it("writes the bytes that NumPy writes", () => {
    expect(writeNpy(new Float32Array(grid), [3, 4])).to.deep.equal(goldenBytes("f4.npy"));
    expect(writeNpy(Float32Array.of(0.625), [])).to.deep.equal(goldenBytes("scalar.npy"));
  });

  it("reads a vector that it wrote", async () => {
    const opened = await openNpy(bytesSource("v.npy", writeNpy(new Float32Array(grid), [12])));
    expect(opened.tensors[0]!.shape).to.deep.equal([12]);
    expect(await opened.readFloat32("v")).to.deep.equal(grid);
  });

  it("refuses to write values that do not fill the shape", () => {
    expect(() => writeNpy(new Float32Array(5), [2, 3])).to.throw(InputError, /5 values/);
  });

  const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["complex numbers", goldenBytes("complex.npy"), /"<c8"/],
    ["records", goldenBytes("record.npy"), /\('a', '<f4'\)/],
    ["pickled objects", npyOf(dictionary("'|O'", "(1,)"), 8), /"\|O"/],
    ["a truncated array", goldenBytes("f4.npy").subarray(0, 170), /takes 48 bytes, and 42 follow/],
    ["bytes after the array", npyOf(dictionary("'<f4'", "(1,)"), 5), /takes 4 bytes, and 5 follow/],
    ["a shape beyond the file", npyOf(dictionary("'<f4'", "(4294967296,)"), 4), /truncated/],
    [
      "a shape beyond doubles",
      npyOf(dictionary("'<f4'", "(4294967296, 4294967296)"), 4),
      /too large/,
    ],
    ["a negative shape", npyOf(dictionary("'<f4'", "(-1,)"), 4), /no readable 'shape'/],
    ["a missing key", npyOf("{'descr': '<f4'}", 4), /no readable 'shape'/],
    ["version 4", npyOf(dictionary("'<f4'", "(1,)"), 4, 4), /4 is not 1, 2 or 3/],
    ["a header beyond the file", npyOf("", 0).fill(0xff, 8), /truncated|above/],
    ["foreign bytes", new Uint8Array(200), /magic/],
  ];
  for (const [what, bytes, message] of refused) {
    it(`refuses ${what}`, async () => {
      const error = await rejection(openNpy(bytesSource("x.npy", bytes)));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message)
        .to.match(message)
        .and.to.match(/^x\.npy/);
    });
  }
});
