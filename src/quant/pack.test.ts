import { expect } from "chai";
import { InputError } from "../core/errors.ts";
import { randomInt, seededRng } from "../core/rng.ts";
import { packCodes, packedBytes, unpackCodes } from "./pack.ts";

describe("packing", () => {
  it("keeps every pair of nibbles, signed and unsigned, in either order", () => {
    for (let a = -8; a < 8; a++) {
      for (let b = -8; b < 8; b++) {
        const signed = new Int8Array([a, b]);
        const unsigned = new Uint8Array([a + 8, b + 8]);
        expect(unpackCodes(packCodes(signed, 4), 2, 4, true)).to.deep.equal(signed);
        expect(unpackCodes(packCodes(unsigned, 4), 2, 4, false)).to.deep.equal(unsigned);
      }
    }
  });

  it("puts the first code into the low nibble", () => {
    expect([...packCodes(new Int8Array([1, -1, -8]), 4)]).to.deep.equal([0xf1, 0x08]);
  });

  for (let bits = 2; bits <= 8; bits++) {
    it(`keeps codes of ${bits} bits at every length up to 40, in as few bytes as they fit`, () => {
      const rng = seededRng(bits);
      for (let count = 0; count <= 40; count++) {
        const codes = Int8Array.from(
          { length: count },
          () => randomInt(rng, 2 ** bits) - 2 ** (bits - 1),
        );
        const packed = packCodes(codes, bits);
        expect(packed.length).to.equal(Math.ceil((count * bits) / 8));
        expect(unpackCodes(packed, count, bits, true)).to.deep.equal(codes);
        const unsigned = codes.map((code) => code & (2 ** bits - 1));
        const plain = new Uint8Array(unsigned.buffer);
        expect(unpackCodes(packed, count, bits, false)).to.deep.equal(
          plain.map((code) => code & (2 ** bits - 1)),
        );
      }
    });
  }

  it("agrees with one long binary number, lowest bit first", () => {
    const codes = new Uint8Array([5, 1, 7, 0, 3, 6]);
    const number = codes.reduce((sum, code, i) => sum | (BigInt(code) << BigInt(3 * i)), 0n);
    const bytes = [0, 8, 16].map((shift) => Number((number >> BigInt(shift)) & 0xffn));
    expect([...packCodes(codes, 3)]).to.deep.equal(bytes);
  });

  it("refuses a stream of another length", () => {
    expect(packedBytes(3, 4)).to.equal(2);
    expect(() => unpackCodes(new Uint8Array(1), 3, 4, true)).to.throw(
      InputError,
      /take 2 bytes, not 1/,
    );
  });
});
