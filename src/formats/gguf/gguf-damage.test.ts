/**
 * Hostile GGUF files: thousands of mutations of a sound one are read to the end or refused with an
 * InputError, fast, and without asking for more bytes than the file has.
 */
import { expect } from "chai";
import { InputError } from "../../core/errors.ts";
import { randomInt, seededRng, type Rng } from "../../core/rng.ts";
import { dequantizeBlocks } from "../../quant/blocks/dequantize.ts";
import { rejection } from "../../testing.ts";
import { MemorySink } from "../byte-sink.ts";
import { bytesSource, type ByteSource } from "../byte-source.ts";
import { openGguf } from "./gguf-file.ts";
import { layOutGguf, writeGguf, type GgufOutline } from "./gguf-writer.ts";
import type { GgufArray, GgufValue } from "./metadata.ts";

const numMutations = 10_000;
const deadlineMs = 100;
/** What damaged counts, sizes and offsets look like. */
const hostileNumbers = [0n, 1n, 31n, 2n ** 20n, 2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 53n].concat([
  2n ** 62n,
  2n ** 63n,
  2n ** 64n - 1n,
]);

const sound: GgufOutline = {
  version: 3,
  littleEndian: true,
  metadata: new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: "llama" }],
    ["general.alignment", { type: "u32", value: 32 }],
    ["llama.block_count", { type: "u32", value: 2 }],
    ["tokens", { type: "array", itemType: "string", items: ["<s>", "Grüße", "a", ""] }],
    ["scores", { type: "array", itemType: "f32", items: new Float32Array(16) }],
    [
      "nested",
      {
        type: "array",
        itemType: "array",
        items: [{ type: "array", itemType: "u64", items: BigUint64Array.of(1n, 2n) }],
      },
    ],
  ]),
  tensors: [
    { name: "token_embd.weight", shape: [4, 256], dtype: "Q4_K" },
    { name: "blk.0.attn_q.weight", shape: [8, 32], dtype: "Q8_0" },
    { name: "blk.0.attn_norm.weight", shape: [32], dtype: "F32" },
    { name: "blk.1.attn_q.weight", shape: [2, 4, 32], dtype: "F16" },
  ],
};

async function soundFile(): Promise<{ bytes: Uint8Array; headerBytes: number }> {
  const sink = new MemorySink();
  const { header, tensorBytes } = layOutGguf(sound);
  const sizes = new Map(sound.tensors.map(({ name }, i) => [name, tensorBytes[i]!]));
  await writeGguf(sink, sound, ({ name }) => [new Uint8Array(sizes.get(name)!).fill(0x3c)]);
  return { bytes: sink.bytes(), headerBytes: header.length };
}

/** Where the header of the sound file holds a u64 that counts or places something. */
function sizeFields(bytes: Uint8Array, headerBytes: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields = [8, 16];
  for (let at = 24; at + 8 <= headerBytes; at++) {
    if (view.getBigUint64(at, true) < 4096n) fields.push(at);
  }
  return fields;
}

function mutated(bytes: Uint8Array, headerBytes: number, fields: number[], rng: Rng): Uint8Array {
  const copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  for (let i = randomInt(rng, 3); i >= 0; i--) {
    const at = randomInt(rng, headerBytes - 8);
    const kind = randomInt(rng, 5);
    if (kind === 0) copy[at]! ^= 1 << randomInt(rng, 8);
    if (kind === 1) copy.fill(randomInt(rng, 2) * 0xff, at, at + 1 + randomInt(rng, 8));
    if (kind === 2) copy.copyWithin(at, randomInt(rng, headerBytes), headerBytes);
    if (kind >= 3) {
      const number = hostileNumbers[randomInt(rng, hostileNumbers.length)]!;
      view.setBigUint64(fields[randomInt(rng, fields.length)]!, number, true);
    }
  }
  return rng() < 0.2 ? copy.subarray(0, randomInt(rng, copy.length)) : copy;
}

/** A file in memory that refuses to hand out more than it has. */
function countedSource(bytes: Uint8Array): ByteSource & { most: () => number } {
  const source = bytesSource("x.gguf", bytes);
  let most = 0;
  return {
    ...source,
    read: (offset, length) => {
      most = Math.max(most, length);
      return source.read(offset, length);
    },
    most: () => most,
  };
}

function bytesOf(value: GgufValue | GgufArray): number {
  if (value.type === "string") return value.value.length;
  if (value.type !== "array") return 0;
  if (ArrayBuffer.isView(value.items)) return value.items.byteLength;
  if (value.itemType === "array") return value.items.reduce((sum, item) => sum + bytesOf(item), 0);
  return value.items.length;
}

/** Reads everything; true where the file was understood as a whole. */
async function isReadable(bytes: Uint8Array): Promise<boolean> {
  const source = countedSource(bytes);
  try {
    const file = await openGguf(source, dequantizeBlocks);
    const held = [...file.metadata.values()].reduce((sum, value) => sum + bytesOf(value), 0);
    expect(held).to.be.at.most(bytes.length);
    for (const { name, numBytes } of file.tensors) {
      expect(numBytes).to.be.at.most(bytes.length);
      await file.readFloat32(name);
    }
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  } finally {
    expect(source.most()).to.be.at.most(bytes.length);
  }
}

describe("damaged GGUF files", () => {
  it(`${numMutations} mutations are read or refused within ${deadlineMs} ms each`, async () => {
    const { bytes, headerBytes } = await soundFile();
    const fields = sizeFields(bytes, headerBytes);
    const rng = seededRng(20_264);
    let refused = 0;
    for (let i = 0; i < numMutations; i++) {
      const damaged = mutated(bytes, headerBytes, fields, rng);
      const timed = async (): Promise<number> => {
        const start = performance.now();
        if (!(await isReadable(damaged))) refused++;
        return performance.now() - start;
      };
      // A busy machine may be slow once; a slow parser is slow again.
      if ((await timed()) > deadlineMs) expect(await timed()).to.be.below(deadlineMs);
    }
    expect(refused).to.be.within(numMutations / 2, numMutations - numMutations / 50);
  });

  for (const [what, part] of [
    ["key", 0],
    ["tensor name", 1],
  ] as const) {
    it(`refuses a ${what} of 1 MB`, async () => {
      const long = "n".repeat(2 ** 20);
      const length = [...new Uint8Array(BigUint64Array.of(2n ** 20n).buffer)];
      const counts = [part, 0, 0, 0, 0, 0, 0, 0, 1 - part, 0, 0, 0, 0, 0, 0, 0];
      const header = Uint8Array.from([...Buffer.from("GGUF"), 3, 0, 0, 0, ...counts, ...length]);
      const bytes = Buffer.concat([header, Buffer.from(long), Buffer.alloc(64)]);
      const error = await rejection(openGguf(bytesSource("x.gguf", bytes)));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/1048576 is above the limit of 65535/);
    });
  }

  it("refuses an array of more arrays than any file has", async () => {
    const count = 5000;
    const empty = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const header = [
      ...Buffer.from("GGUF"),
      3,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
    ];
    const key = [1, 0, 0, 0, 0, 0, 0, 0, 0x6b, 9, 0, 0, 0, 9, 0, 0, 0];
    const length = [...new Uint8Array(BigUint64Array.of(BigInt(count)).buffer)];
    const items = Array.from({ length: count }, () => empty).flat();
    const bytes = Uint8Array.from([...header, ...key, ...length, ...items]);
    const error = await rejection(openGguf(bytesSource("x.gguf", bytes)));
    expect(error.message).to.match(/5000 is above the limit/);
  });
});
