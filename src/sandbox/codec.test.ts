import { expect } from "chai";
import fc from "fast-check";
import { isDeepStrictEqual } from "node:util";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { FrameReader, frame } from "./frames.ts";
import { maxDepth, maxFrameBytes, maxValues } from "./limits.ts";
import { CodecError } from "./value-format.ts";

const views = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
];

describe("value codec", () => {
  it("brings every kind of value back (property)", () => {
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        fc.oneof(fc.double(), fc.bigInt(), fc.boolean(), fc.constantFrom(null, undefined, -0)),
        fc.string({ unit: "binary" }),
        fc.array(tie("value"), { maxLength: 6 }),
        fc.dictionary(fc.string(), tie("value"), { maxKeys: 6 }),
        fc.array(fc.tuple(tie("value"), tie("value"))).map((entries) => new Map(entries)),
        fc.array(tie("value")).map((values) => new Set(values)),
        fc.float32Array(),
        fc.bigInt64Array(),
      ),
    }));
    fc.assert(
      fc.property(value, (before) => {
        const after = decode(encode(before));
        // A dictionary may be without a prototype, a decoded one never is.
        return isDeepStrictEqual(after, structuredClone(before));
      }),
    );
  });

  it("keeps −0, NaN, infinities and lone surrogates bit for bit", () => {
    for (const value of [
      -0,
      0,
      NaN,
      Infinity,
      -Infinity,
      "\ud800",
      "a\u0000é😀",
      2n ** 200n,
      -1n,
    ]) {
      expect(Object.is(decode(encode(value)), value), String(value)).to.equal(true);
    }
  });

  it("keeps kind and elements of every typed array, of a part of a buffer too", () => {
    for (const View of views) {
      const bytes = Uint8Array.from({ length: 48 }, (_, i) => i * 5);
      const view = new View(bytes.buffer, 8, 3);
      const after = decode(encode(view)) as typeof view;
      expect(after.constructor, View.name).to.equal(View);
      expect(Buffer.from(after.buffer).equals(bytes.subarray(8, 8 + view.byteLength))).to.equal(
        true,
      );
    }
    expect(decode(encode(new Uint8Array([1, 2]).buffer))).to.deep.equal(
      new Uint8Array([1, 2]).buffer,
    );
  });

  it("keeps the name and the message of an error", () => {
    const error = decode(encode(new RangeError("too far"))) as Error;
    expect(error).to.be.instanceOf(Error);
    expect([error.name, error.message]).to.deep.equal(["RangeError", "too far"]);
  });

  it("makes __proto__ a member like any other", () => {
    const hostile: unknown = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}');
    const after = decode(encode(hostile)) as Record<string, unknown>;
    expect(Object.keys(after)).to.deep.equal(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(after)).to.equal(Object.prototype);
    expect(({} as Record<string, unknown>)["polluted"]).to.equal(undefined);
  });

  it("refuses what cannot cross, and says what it was", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const refused: [unknown, RegExp][] = [
      [() => 1, /a function/],
      [Symbol("s"), /a symbol/],
      [new Date(0), /a Date/],
      [Promise.resolve(1), /a Promise/],
      [cycle, /deeper than|cycle/],
      [new DataView(new ArrayBuffer(2)), /a DataView/],
    ];
    for (const [value, reason] of refused) expect(() => encode(value)).to.throw(CodecError, reason);
  });

  it("bounds depth, count and bytes on both sides", () => {
    const nested = (levels: number): Uint8Array => Uint8Array.from([...deep(levels), 1]);
    expect(() => decode(nested(maxDepth))).not.to.throw();
    expect(() => decode(nested(maxDepth + 1))).to.throw(CodecError, /deeper/);
    expect(() => encode(new Array(maxValues).fill(0))).to.throw(CodecError, /values at once/);
    expect(() => encode(new Uint8Array(maxFrameBytes))).to.throw(CodecError, /64 MB/);
    const many = new Uint8Array(5 + maxValues);
    many.set([9, 0, 0, 16, 0]);
    expect(() => decode(many)).to.throw(CodecError, /values at once/);
  });

  it("believes no count that the bytes cannot hold", () => {
    for (const kind of [5, 7, 8, 9, 10, 11, 12]) {
      const claim = Uint8Array.from([kind, ...(kind === 7 ? [0] : []), 255, 255, 255, 255]);
      expect(() => decode(claim), `kind ${kind}`).to.throw(CodecError, /too early/);
    }
  });

  it("throws nothing but CodecError for bytes that are no value (property)", () => {
    const harmless = (bytes: Uint8Array): boolean => {
      try {
        decode(bytes);
      } catch (error) {
        return error instanceof CodecError;
      }
      return true;
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), harmless), { numRuns: 2000 });
    const valid = encode([
      new Map([[1n, "x"]]),
      { a: new Float64Array(2) },
      new Error("e"),
      new Set(),
    ]);
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, byte) =>
        harmless(valid.with(at, byte)),
      ),
      { numRuns: 2000 },
    );
  });
});

/** The bytes of `levels` arrays of one element, one in the other. */
function deep(levels: number): number[] {
  return Array.from({ length: levels }, () => [9, 1, 0, 0, 0]).flat();
}

describe("frames", () => {
  it("come out whole, however the stream was cut (property)", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (payloads, cuts) => {
          const stream = Buffer.concat(payloads.map(frame));
          const reader = new FrameReader();
          const out: Uint8Array[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = cuts[i % cuts.length]!;
            out.push(...reader.push(stream.subarray(at, at + size)));
            at += size;
          }
          return isDeepStrictEqual(
            out.map((part) => [...part]),
            payloads.map((part) => [...part]),
          );
        },
      ),
    );
  });

  it("refuse a length beyond the limit before anything follows", () => {
    expect(() => new FrameReader().push(Uint8Array.of(1, 0, 0, 4))).to.throw(
      CodecError,
      /67108865 bytes/,
    );
  });
});
