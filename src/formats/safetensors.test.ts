import { expect } from "chai";
import type { PlainDtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { rejection } from "../testing.ts";
import { bytesSource } from "./byte-source.ts";
import { even, golden, grid, integers, steps } from "./fixtures/golden.ts";
import { openSafetensors, writeSafetensors } from "./safetensors.ts";

const written: readonly (readonly [string, PlainDtype, readonly number[], Float32Array])[] = [
  ["grid.f32", "F32", [3, 4], grid],
  ["grid.f64", "F64", [3, 4], grid],
  ["grid.f16", "F16", [3, 4], grid],
  ["grid.bf16", "BF16", [3, 4], grid],
  ["grid.i64", "I64", [3, 4], integers],
  ["grid.i16", "I16", [3, 4], integers],
  ["grid.u8", "U8", [3, 4], steps],
  ["even", "BOOL", [3, 4], even],
  ["scalar", "F32", [], Float32Array.of(0.625)],
  ["empty", "F32", [0, 4], new Float32Array(0)],
];

/** A file with this header and `numBytes` zeros as data. */
function fileOf(header: unknown, numBytes: number): Uint8Array {
  const text = typeof header === "string" ? header : JSON.stringify(header);
  const file = new Uint8Array(8 + text.length + numBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(Buffer.from(text), 8);
  return file;
}

const entry = (shape: unknown, offsets: unknown, dtype: unknown = "F32"): unknown => ({
  dtype,
  shape,
  data_offsets: offsets,
});

describe("safetensors", () => {
  it("reads what the safetensors package writes", async () => {
    const file = await openSafetensors(golden("grid.safetensors"));
    expect([...file.metadata]).to.deep.equal([["made by", "safetensors"]]);
    expect(file.tensors).to.have.length(written.length);
    for (const [name, dtype, shape, values] of written) {
      const tensor = file.tensors.find((one) => one.name === name)!;
      expect([tensor.dtype, tensor.shape]).to.deep.equal([dtype, shape]);
      expect(await file.readFloat32(name)).to.deep.equal(values);
    }
  });

  it("reads what it wrote; every tensor is aligned to its items", async () => {
    const bytes = writeSafetensors(
      [
        { name: "b", dtype: "I8", shape: [3], data: Int8Array.of(-1, 0, 1) },
        { name: "a", dtype: "F32", shape: [2, 1], data: Float32Array.of(0.5, -2) },
        { name: "__proto__", dtype: "F64", shape: [], data: Float64Array.of(0.25) },
      ],
      { note: "Grüße" },
    );
    const file = await openSafetensors(bytesSource("x.safetensors", bytes));
    expect(file.metadata.get("note")).to.equal("Grüße");
    expect(file.tensors.map(({ name }) => name)).to.have.members(["__proto__", "a", "b"]);
    const values = file.tensors.map(async ({ name }) => [...(await file.readFloat32(name))]);
    expect(await Promise.all(values)).to.deep.equal([[0.25], [0.5, -2], [-1, 0, 1]]);
    const dataOffset = bytes.length - 8 - 8 - 3;
    expect(dataOffset % 8).to.equal(0);
  });

  it("refuses to write data that does not fit, and one name twice", () => {
    const one = { name: "a", dtype: "F32", shape: [2], data: Float32Array.of(1, 2) } as const;
    expect(() => writeSafetensors([{ ...one, shape: [3] }])).to.throw(InputError, /needs 12/);
    expect(() => writeSafetensors([one, one])).to.throw(InputError, /name is taken/);
    expect(() => writeSafetensors([{ ...one, name: "__metadata__" }])).to.throw(
      InputError,
      /taken/,
    );
  });

  const refused: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["an empty file", new Uint8Array(0), /truncated/],
    ["a header beyond the file", new Uint8Array(8).fill(0x10), /too large|limit/],
    ["a header above the format's limit", fileOf("", 0).fill(0xff, 0, 4), /limit of 100000000/],
    ["a header that is no JSON", fileOf("{", 0), /no JSON object/],
    ["a header that is a list", fileOf([], 0), /no JSON object/],
    ["a tensor that is no object", fileOf({ a: 1 }, 0), /"a" is no JSON object/],
    ["an unknown dtype", fileOf({ a: entry([1], [0, 4], "F7") }, 4), /unknown dtype "F7"/],
    ["a block format as dtype", fileOf({ a: entry([32], [0, 18], "Q4_0") }, 18), /unknown dtype/],
    ["a dtype of Object.prototype", fileOf({ a: entry([1], [0, 4], "valueOf") }, 4), /unknown/],
    ["a negative size", fileOf({ a: entry([-1], [0, 4]) }, 4), /no list of sizes/],
    ["a size that is no integer", fileOf({ a: entry([0.5], [0, 2]) }, 2), /no list of sizes/],
    ["one offset", fileOf({ a: entry([1], [4]) }, 4), /no two data_offsets/],
    ["offsets in the wrong order", fileOf({ a: entry([1], [4, 0]) }, 4), /takes -4 bytes/],
    ["a shape that does not fit", fileOf({ a: entry([2], [0, 4]) }, 4), /takes 4 bytes.*needs 8/],
    ["a shape beyond doubles", fileOf({ a: entry([2 ** 40, 2 ** 40], [0, 4]) }, 4), /too large/],
    ["a gap", fileOf({ a: entry([1], [0, 4]), b: entry([1], [8, 12]) }, 12), /instead of/],
    ["an overlap", fileOf({ a: entry([1], [0, 4]), b: entry([1], [2, 6]) }, 6), /instead of/],
    ["missing data", fileOf({ a: entry([1], [0, 4]) }, 3), /truncated/],
    ["bytes after the data", fileOf({ a: entry([1], [0, 4]) }, 5), /1 bytes follow/],
    ["metadata that is no text", fileOf({ __metadata__: { a: 1 } }, 0), /"a" is no string/],
  ];
  for (const [what, bytes, message] of refused) {
    it(`refuses ${what}`, async () => {
      const error = await rejection(openSafetensors(bytesSource("x.safetensors", bytes)));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message)
        .to.match(message)
        .and.to.match(/^x\.safetensors/);
    });
  }
});
