import { expect } from "chai";
import { readFileSync } from "node:fs";
import { InputError } from "../../core/errors.ts";
import { randomInt, seededRng } from "../../core/rng.ts";
import { outsideData, rejection } from "../../testing.ts";
import { bytesSource, type ByteSource } from "../byte-source.ts";
import { cube, golden, goldenBytes, grid } from "../fixtures/golden.ts";
import { openGguf } from "./gguf-file.ts";
import { layOutGguf } from "./gguf-writer.ts";
import type { GgufValue } from "./metadata.ts";

const metadata = [
  ["general.architecture", { type: "string", value: "golden" }],
  ["a.u8", { type: "u8", value: 200 }],
  ["a.i8", { type: "i8", value: -100 }],
  ["a.u16", { type: "u16", value: 60_000 }],
  ["a.i16", { type: "i16", value: -30_000 }],
  ["a.u32", { type: "u32", value: 4_000_000_000 }],
  ["a.i32", { type: "i32", value: -2_000_000_000 }],
  ["a.f32", { type: "f32", value: 0.625 }],
  ["a.bool", { type: "bool", value: true }],
  ["a.string", { type: "string", value: "Grüße, 世界" }],
  ["a.u64", { type: "u64", value: 2n ** 64n - 1n }],
  ["a.i64", { type: "i64", value: -(2n ** 63n) }],
  ["a.f64", { type: "f64", value: 0.1 }],
  ["an.array.of.strings", { type: "array", itemType: "string", items: ["", "two", "三"] }],
  ["an.array.of.i32", { type: "array", itemType: "i32", items: Int32Array.of(-1, 0, 70_000) }],
  ["an.array.of.f32", { type: "array", itemType: "f32", items: Float32Array.of(0.5, -1.5) }],
  ["an.array.of.bool", { type: "array", itemType: "bool", items: [true, false] }],
  [
    "a.nested.array",
    {
      type: "array",
      itemType: "array",
      items: [
        { type: "array", itemType: "i32", items: Int32Array.of(1, 2) },
        { type: "array", itemType: "i32", items: Int32Array.of(3) },
      ],
    },
  ],
  ["general.alignment", { type: "u32", value: 64 }],
];

/** A version 3 file in little-endian order: its parts, one after the other. */
class GgufParts {
  readonly #parts: Uint8Array[] = [];

  constructor(numTensors: bigint, numKeys: bigint, version = 3) {
    this.raw(...Buffer.from("GGUF"))
      .u32(version)
      .u64(numTensors)
      .u64(numKeys);
  }

  raw(...bytes: number[]): this {
    this.#parts.push(Uint8Array.from(bytes));
    return this;
  }

  u32(value: number): this {
    return this.raw(...new Uint8Array(Uint32Array.of(value).buffer));
  }

  u64(value: bigint): this {
    return this.raw(...new Uint8Array(BigUint64Array.of(value).buffer));
  }

  string(text: string): this {
    this.u64(BigInt(Buffer.byteLength(text))).#parts.push(Buffer.from(text));
    return this;
  }

  tensor(name: string, dimensions: bigint[], type: number, offset: bigint): this {
    this.string(name).u32(dimensions.length);
    for (const dimension of dimensions) this.u64(dimension);
    return this.u32(type).u64(offset);
  }

  /** Padded to `alignment`, with `numBytes` zeros of data. */
  source(numBytes = 0, alignment = 32): ByteSource {
    const header = Buffer.concat(this.#parts);
    const start = Math.ceil(header.length / alignment) * alignment;
    const file = new Uint8Array(numBytes > 0 ? start + numBytes : header.length);
    file.set(header);
    return bytesSource("x.gguf", file);
  }
}

describe("gguf", () => {
  for (const [name, littleEndian] of [
    ["golden.gguf", true],
    ["golden-big-endian.gguf", false],
  ] as const) {
    it(`reads the gguf package's ${name}: every metadata type, plain tensors`, async () => {
      const file = await openGguf(golden(name));
      expect([file.version, file.littleEndian, file.alignment]).to.deep.equal([
        3,
        littleEndian,
        64,
      ]);
      expect([...file.metadata]).to.deep.equal(metadata);
      expect(await file.readFloat32("grid.f32")).to.deep.equal(grid);
      expect(await file.readFloat32("grid.f16")).to.deep.equal(grid);
      expect(await file.readFloat32("cube.i32")).to.deep.equal(cube);
    });
  }

  it("reads bfloat16 and lists a block format, whose values it refuses", async () => {
    const file = await openGguf(golden("golden.gguf"));
    const row = Array.from({ length: 32 }, (_, i) => (i - 16) / 8);
    expect([...(await file.readFloat32("blocks.bf16"))]).to.deep.equal([...row, ...row]);
    const listed = file.tensors.find(({ name }) => name === "blocks.q8_0")!;
    expect([listed.dtype, listed.shape, listed.numBytes]).to.deep.equal(["Q8_0", [2, 32], 2 * 34]);
    const error = await rejection(file.readFloat32("blocks.q8_0"));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/quantised to Q8_0/);
  });

  it("reads llama.cpp's F32 and F16 of one model to the same values, rounded", async function () {
    const open = async (type: string): ReturnType<typeof openGguf> => {
      const path = outsideData(this, `models/stories260K-${type}.gguf`);
      return openGguf(bytesSource(type, readFileSync(path)));
    };
    const [full, half] = [await open("f32"), await open("f16")];
    expect(full.tensors).to.have.length(48);
    for (const { name, shape } of full.tensors) {
      expect(half.tensors.find((tensor) => tensor.name === name)!.shape).to.deep.equal(shape);
      const rounded = await half.readFloat32(name);
      const worst = (await full.readFloat32(name)).reduce(
        (most, value, i) =>
          Math.max(most, Math.abs(value - rounded[i]!) - 2 ** -11 * Math.abs(value)),
        0,
      );
      // F16 keeps 11 bits; its smallest step is 2⁻²⁴.
      expect(worst, name).to.be.at.most(2 ** -25);
    }
  });

  it("reads the weights that llama2.c stored, which llama.cpp converted", async function () {
    const floats = new Float32Array(
      readFileSync(outsideData(this, "models/stories260K.bin")).buffer.slice(28),
    );
    const path = outsideData(this, "models/stories260K-f32.gguf");
    const file = await openGguf(bytesSource("f32", readFileSync(path)));
    // The checkpoint begins with seven int32 and the embeddings.
    const embeddings = await file.readFloat32("token_embd.weight");
    expect(embeddings).to.deep.equal(floats.subarray(0, embeddings.length));
  });

  for (const vocabulary of ["deepseek-coder", "falcon", "gpt-2", "llama-spm"]) {
    it(`reads llama.cpp's vocabulary of ${vocabulary}`, async function () {
      const path = outsideData(this, `vocab/ggml-vocab-${vocabulary}.gguf`);
      const { metadata: found } = await openGguf(bytesSource("vocab", readFileSync(path)));
      const tokens = found.get("tokenizer.ggml.tokens");
      const types = found.get("tokenizer.ggml.token_type");
      if (tokens?.type !== "array" || types?.type !== "array") throw new Error("no arrays");
      expect(tokens.items.length).to.be.greaterThan(30_000).and.to.equal(types.items.length);
    });
  }

  it("reads a small part of a large file", async () => {
    const header = goldenBytes("golden.gguf");
    let numRead = 0;
    const source: ByteSource = {
      name: "large.gguf",
      size: 2 ** 36,
      read: (_, length) => {
        numRead += length;
        const bytes = new Uint8Array(length);
        bytes.set(header.subarray(0, length));
        return Promise.resolve(bytes);
      },
    };
    expect((await openGguf(source)).tensors).to.have.length(5);
    expect(numRead).to.be.below(2 ** 17);
  });

  it("reads a header that is longer than the first read", async () => {
    const parts = new GgufParts(0n, 2n);
    parts.string("text").u32(8).string("x".repeat(300_000));
    parts.string("last").u32(0).raw(7);
    const file = await openGguf(parts.source());
    expect(file.metadata.get("last")).to.deep.equal({ type: "u8", value: 7 });
  });

  it("reads the parts of a long header once each", async () => {
    const parts = new GgufParts(1n, 12n);
    for (let i = 0; i < 12; i++) parts.string(`text ${i}`).u32(8).string("x".repeat(1_000_000));
    const source = parts.tensor("t", [1n], 0, 0n).source(4);
    let [numReads, numRead] = [0, 0];
    const file = await openGguf({
      ...source,
      read: (offset, length) => {
        [numReads, numRead] = [numReads + 1, numRead + length];
        return source.read(offset, length);
      },
    });
    expect([file.metadata.size, file.tensors.length]).to.deep.equal([12, 1]);
    expect(numReads).to.equal(3);
    // What is read again is an entry that was cut off.
    expect(numRead).to.be.within(source.size, source.size + 2 * 1_000_100);
  });

  it("decodes an array's texts, whatever their lengths, alphabets and byte order", async () => {
    const rng = seededRng(4);
    const letters = ["a", "Ġ", "▁", "世", "😀"];
    const items = Array.from({ length: 2000 }, (_, i) => {
      const length = i % 100 === 0 ? 1000 : randomInt(rng, 40);
      return Array.from({ length }, () => letters[randomInt(rng, 5)]!).join("");
    });
    const tokens: GgufValue = { type: "array", itemType: "string", items };
    for (const littleEndian of [true, false]) {
      const { header } = layOutGguf({
        ...{ version: 3, littleEndian, tensors: [] },
        metadata: new Map([["tokens", tokens]]),
      });
      const read = (await openGguf(bytesSource("x.gguf", header))).metadata.get("tokens");
      expect(read).to.deep.equal(tokens);
    }
  });

  const key = (): GgufParts => new GgufParts(0n, 1n).string("k");
  const texts = (...lengths: number[]): GgufParts =>
    lengths.reduce(
      (parts, length) =>
        parts.u64(BigInt(length)).raw(0xc4, ...Buffer.from("x".repeat(length - 2)), 0xa0),
      key().u32(9).u32(8).u64(BigInt(lengths.length)),
    );
  const tensor = (dimensions: bigint[], type = 0, offset = 0n): GgufParts =>
    new GgufParts(1n, 0n).tensor("t", dimensions, type, offset);
  const refused: readonly (readonly [string, ByteSource, RegExp])[] = [
    ["foreign bytes", bytesSource("x.gguf", Buffer.from("GGML and more")), /not "GGUF"/],
    ["a truncated magic", bytesSource("x.gguf", Buffer.from("GG")), /truncated: the magic/],
    ["version 1", new GgufParts(0n, 0n, 1).source(), /1 is not 2 or 3/],
    ["2⁶³ tensors", new GgufParts(2n ** 63n, 0n).source(), /9223372036854775808 is too large/],
    ["2⁴⁰ tensors", new GgufParts(2n ** 40n, 0n).source(), /above the limit/],
    ["more keys than bytes", new GgufParts(0n, 1000n).source(), /cannot fit/],
    [
      "a string beyond the file",
      key()
        .u32(8)
        .u64(2n ** 40n)
        .source(),
      /cannot fit/,
    ],
    ["text that is not UTF-8", key().u32(8).u64(1n).raw(0xff).source(), /not UTF-8/],
    ["an array's short text that is not", texts(3, 3).source(300), /not UTF-8/],
    ["an array's last text that is not", texts(3).source(), /not UTF-8/],
    ["an array's long text that is not", texts(200).source(300), /not UTF-8/],
    [
      "texts that are UTF-8 only with their lengths between them",
      key()
        .u32(9)
        .u32(8)
        .u64(2n)
        .u64(1n)
        .raw(0xc4)
        .u64(0xa0n)
        .raw(...Buffer.alloc(160))
        .source(300),
      /not UTF-8/,
    ],
    [
      "texts beyond the file",
      key()
        .u32(9)
        .u32(8)
        .u64(2n)
        .string("a")
        .u64(2n ** 33n)
        .source(),
      /cannot fit/,
    ],
    ["an unknown value type", key().u32(13).source(), /13 is no value type/],
    ["a truth value of 2", key().u32(7).raw(2).source(), /0 or 1, and this is 2/],
    [
      "an array beyond the file",
      key()
        .u32(9)
        .u32(10)
        .u64(2n ** 50n)
        .source(),
      /cannot fit/,
    ],
    [
      "arrays in arrays without end",
      new GgufParts(0n, 1n)
        .string("k")
        .u32(9)
        .raw(...Array.from({ length: 100 }, () => [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).flat())
        .source(),
      /nested deeper/,
    ],
    [
      "a key twice",
      new GgufParts(0n, 2n).string("k").u32(0).raw(1).string("k").u32(0).raw(1).source(),
      /twice/,
    ],
    [
      "an alignment that is no power of two",
      new GgufParts(0n, 1n).string("general.alignment").u32(4).u32(24).source(),
      /power of two/,
    ],
    ["five dimensions", tensor([1n, 1n, 1n, 1n, 1n]).source(4), /5 dimensions/],
    ["an unknown tensor type", tensor([1n], 4).source(4), /4 is no tensor type/],
    ["a row of broken blocks", tensor([33n], 2).source(64), /blocks of 32/],
    ["a tensor beyond doubles", tensor([2n ** 40n, 2n ** 40n]).source(4), /too large to address/],
    ["a tensor off the alignment", tensor([1n], 0, 4n).source(64), /no multiple of 32/],
    ["a tensor beyond the file", tensor([2n]).source(4), /after the end/],
    [
      "tensors on each other",
      new GgufParts(2n, 0n).tensor("a", [9n], 0, 0n).tensor("b", [1n], 0, 32n).source(64),
      /overlaps/,
    ],
    [
      "a tensor name twice",
      new GgufParts(2n, 0n).tensor("a", [1n], 0, 0n).tensor("a", [1n], 0, 32n).source(64),
      /occurs twice/,
    ],
  ];
  for (const [what, source, message] of refused) {
    it(`refuses ${what}`, async () => {
      const error = await rejection(openGguf(source));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message)
        .to.match(message)
        .and.to.match(/^x\.gguf/);
    });
  }

  it("refuses every truncation of a file", async () => {
    const bytes = goldenBytes("golden.gguf");
    const rng = seededRng(3);
    for (let i = 0; i < 200; i++) {
      const length = Math.floor(rng() * (bytes.length - 64));
      const error = await rejection(openGguf(bytesSource("x.gguf", bytes.subarray(0, length))));
      expect(error).to.be.instanceOf(InputError);
    }
  });
});
