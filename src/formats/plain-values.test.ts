import { expect } from "chai";
import fc from "fast-check";
import type { PlainDtype } from "../core/dtypes.ts";
import { littleEndianBytes, plainToFloat32 } from "./plain-values.ts";

const bytesOf = (array: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

const samples: readonly (readonly [PlainDtype, ArrayBufferView<ArrayBuffer>, number[]])[] = [
  ["F64", Float64Array.of(-0.1, 1e300), [Math.fround(-0.1), Infinity]],
  ["F32", Float32Array.of(-0.1, 3), [Math.fround(-0.1), 3]],
  ["F16", Uint16Array.of(0x3c01, 0xc000), [1 + 2 ** -10, -2]],
  ["BF16", Uint16Array.of(0x3f81, 0xc000), [1 + 2 ** -7, -2]],
  ["I64", BigInt64Array.of(-3n, 2n ** 40n), [-3, 2 ** 40]],
  ["U64", BigUint64Array.of(3n, 2n ** 64n - 1n), [3, 2 ** 64]],
  ["I32", Int32Array.of(-3, 2 ** 24 + 1), [-3, 2 ** 24]],
  ["U32", Uint32Array.of(3, 2 ** 32 - 1), [3, 2 ** 32]],
  ["I16", Int16Array.of(-3, 30_000), [-3, 30_000]],
  ["U16", Uint16Array.of(3, 60_000), [3, 60_000]],
  ["I8", Int8Array.of(-3, 100), [-3, 100]],
  ["U8", Uint8Array.of(3, 200), [3, 200]],
  ["BOOL", Uint8Array.of(0, 1), [0, 1]],
];

describe("plain values", () => {
  for (const [dtype, array, expected] of samples) {
    it(`${dtype} is read, at any place and in either byte order`, () => {
      const bytes = bytesOf(array);
      const itemBytes = bytes.length / 2;
      const shifted = new Uint8Array([0xaa, ...bytes]).subarray(1);
      const swapped = new Uint8Array([
        ...bytes.slice(0, itemBytes).reverse(),
        ...bytes.slice(itemBytes).reverse(),
      ]);
      expect([...plainToFloat32(bytes.slice(), dtype)]).to.deep.equal(expected);
      expect([...plainToFloat32(shifted, dtype)]).to.deep.equal(expected);
      expect([...plainToFloat32(swapped, dtype, false)]).to.deep.equal(expected);
    });
  }

  it("a large integer is rounded once", () => {
    // Just above the middle of two floats; as a double it is the middle, which would go down.
    const value = 2n ** 62n + 2n ** 38n + 1n;
    expect(Number(value)).to.equal(2 ** 62 + 2 ** 38);
    expect([...plainToFloat32(bytesOf(BigInt64Array.of(value, -value)), "I64")]).to.deep.equal([
      2 ** 62 + 2 ** 39,
      -(2 ** 62) - 2 ** 39,
    ]);
  });

  it("no float32 is nearer to an integer than the one it becomes", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const nearest = plainToFloat32(bytesOf(BigInt64Array.of(value)), "I64");
        const distance = (float: number): bigint => {
          const difference = BigInt(float) - value;
          return difference < 0n ? -difference : difference;
        };
        const bits = new Int32Array(nearest.buffer.slice(0));
        for (const step of [-1, 1]) {
          const neighbour = new Float32Array(bits.map((word) => word + step).buffer)[0]!;
          if (!Number.isInteger(neighbour)) continue;
          expect(distance(nearest[0]!) <= distance(neighbour)).to.equal(true);
        }
      }),
    );
  });

  it("are written in little-endian order", () => {
    expect([...littleEndianBytes(Float32Array.of(1), 4)]).to.deep.equal([0, 0, 0x80, 0x3f]);
  });
});
