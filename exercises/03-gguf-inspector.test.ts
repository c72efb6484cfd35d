/** Project 3, graded: each test names one promise of a reader or writer of GGUF. */
import { normal, randomInt, type Rng } from "infinity-inference/core/rng";
import {
  expectEqual,
  expectThat,
  expectThrows,
  gradedExercise,
} from "infinity-inference/course/graded-test";
import { MemorySink } from "infinity-inference/formats/byte-sink";
import { bytesSource } from "infinity-inference/formats/byte-source";
import { openGguf, type GgufFile } from "infinity-inference/formats/gguf/gguf-file";
import type { GgufValue } from "infinity-inference/formats/gguf/metadata";
import { writeGguf, type GgufTensor } from "infinity-inference/formats/gguf/gguf-writer";
import { dequantizeBlocks } from "infinity-inference/quant/blocks/dequantize";
import { quantizeBlocks } from "infinity-inference/quant/blocks/quantize";
import { mutable } from "infinity-inference/sandbox/remote";
import { z } from "zod";
import type * as Exercise from "./03-gguf-inspector.ts";

interface TestCursor {
  bytes: Uint8Array;
  offset: number;
  littleEndian: boolean;
}

/** A cursor at the start of `bytes`, or further on. */
function cursorAt(bytes: Uint8Array, offset = 0, littleEndian = true): TestCursor {
  return { bytes, offset, littleEndian };
}

/** Bytes of whole numbers, lowest byte first unless `little` is false. */
function u(value: bigint | number, numBytes: number, little = true): number[] {
  const bytes = Array.from({ length: numBytes }, (_, i) =>
    Number((BigInt(value) >> BigInt(8 * i)) & 255n),
  );
  return little ? bytes : bytes.reverse();
}

/** A string as GGUF stores it. */
function text(value: string, little = true): number[] {
  const utf8 = new TextEncoder().encode(value);
  return [...u(utf8.length, 8, little), ...utf8];
}

gradedExercise<typeof Exercise>(
  "readString",
  (graded) => {
    graded(
      "reads a length and then so many bytes",
      {
        points: 2,
        hints: [
          "Look at the bytes of a key in the dump of the header: what stands before its first letter?",
          "A DataView reads numbers from bytes: getBigUint64(offset, true) reads the length, low byte first. Nothing marks the end of the text; the length says it.",
          "length = view.getBigUint64(cursor.offset, cursor.littleEndian); then decode the bytes from offset + 8 to offset + 8 + Number(length) with new TextDecoder().",
        ],
      },
      async (student) => {
        for (const value of ["general.architecture", "", "a", "with\0zero"]) {
          const bytes = Uint8Array.from([...text(value), 33, 33, 33]);
          expectEqual(
            await student.readString(cursorAt(bytes)),
            value,
            `the text of ${value.length} letters`,
          );
        }
      },
    );
    graded(
      "starts at the cursor and leaves it behind the text",
      {
        points: 2,
        hints: [
          "Whoever calls you reads on where you stopped. Where is that?",
          "The text takes 8 bytes for its length and as many bytes as that length says.",
          "Set cursor.offset = start + 8 + length, where start was cursor.offset when you began.",
        ],
      },
      async (student) => {
        const bytes = Uint8Array.from([7, 7, 7, ...text("first"), ...text("second"), 9]);
        const cursor = cursorAt(bytes, 3);
        expectEqual(await student.readString(mutable(cursor)), "first", "the first text");
        expectEqual(cursor.offset, 16, "the offset behind the first text");
        expectEqual(await student.readString(mutable(cursor)), "second", "the second text");
        expectEqual(cursor.offset, 30, "the offset behind the second text");
      },
    );
    graded(
      "counts bytes, not letters",
      {
        points: 1,
        hints: [
          "How many bytes has ü in UTF-8, and how many has 世?",
          "The length in the file counts bytes. One letter takes 1 to 4 of them, so text.length is another number.",
          "Decode with new TextDecoder(), and move the cursor by the length that stands in the file.",
        ],
      },
      async (student) => {
        const cursor = cursorAt(Uint8Array.from([...text("Grüße, 世界 🙂"), ...text("next")]));
        expectEqual(await student.readString(mutable(cursor)), "Grüße, 世界 🙂", "the text");
        expectEqual(await student.readString(mutable(cursor)), "next", "the text after it");
      },
    );
    graded(
      "reads the length in the file's byte order",
      {
        points: 1,
        hints: [
          "A big-endian file writes the length 5 as 00 00 00 00 00 00 00 05.",
          "cursor.littleEndian says which order the file has. The letters of a text have no order to change.",
          "Pass cursor.littleEndian as the second argument of getBigUint64.",
        ],
      },
      async (student) => {
        const bytes = Uint8Array.from([...text("llama", false), 1, 2]);
        expectEqual(
          await student.readString(cursorAt(bytes, 0, false)),
          "llama",
          "a big-endian text",
        );
      },
    );
    graded(
      "refuses a text that the file does not hold",
      {
        points: 2,
        hints: [
          "A damaged file says that a text has a million bytes, and ends after ten. What does subarray do there?",
          "subarray gives what is there and says nothing. Compare the length with the bytes that are left before you use it, as bigint: 2n ** 63n is a length too.",
          "if (length > BigInt(bytes.length - start)) throw new Error(…), where start is where the letters begin.",
        ],
      },
      async (student) => {
        for (const length of [6n, 2n ** 32n, 2n ** 32n + 3n, 2n ** 63n, 2n ** 64n - 1n]) {
          const bytes = Uint8Array.from([...u(length, 8), ...new TextEncoder().encode("short")]);
          await expectThrows(student.readString(cursorAt(bytes)));
        }
      },
    );
  },
  { answers: { readString: z.string() } },
);

/** Each number type: its number in the file, its bytes in little-endian order, its value. */
const numbers: readonly (readonly [type: number, bytes: number[], value: number])[] = [
  [0, [200], 200],
  [1, [200], -56],
  [2, [0x60, 0xea], 60_000],
  [3, [0xd0, 0x8a], -30_000],
  [4, [0x00, 0x28, 0x6b, 0xee], 4_000_000_000],
  [5, [0x00, 0x6c, 0xca, 0x88], -2_000_000_000],
  [6, [0x00, 0x00, 0x20, 0x3f], 0.625],
  [12, [0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f], 0.1],
];

gradedExercise<typeof Exercise>("readValue", (graded) => {
  graded(
    "reads numbers of every type and width",
    {
      points: 3,
      hints: [
        "DataView has a method for each of them: getUint8, getInt8, getUint16 … Which type number stands for which?",
        "Choose by type with a switch. Every method but the 8-bit ones takes the byte order as its second argument, and every read moves the cursor by the number's width.",
        "For example: case 4: value = view.getUint32(cursor.offset, cursor.littleEndian); then cursor.offset += 4.",
      ],
    },
    async (student) => {
      for (const [type, bytes, value] of numbers) {
        const cursor = cursorAt(Uint8Array.from([9, ...bytes, 9]), 1);
        expectEqual(
          await student.readValue(mutable(cursor), type),
          value,
          `a value of type ${type}`,
        );
        expectEqual(cursor.offset, 1 + bytes.length, `the offset behind a value of type ${type}`);
        const big = cursorAt(Uint8Array.from([9, ...[...bytes].reverse(), 9]), 1, false);
        expectEqual(
          await student.readValue(big, type),
          value,
          `a big-endian value of type ${type}`,
        );
      }
    },
  );
  graded(
    "keeps all 64 bits of a whole number",
    {
      points: 1,
      hints: [
        "What is 2 ** 53 + 1 in JavaScript?",
        "A number holds whole numbers exactly up to 2⁵³ only. What type does getBigUint64 return?",
        "Return the bigint as it is, for the types 10 and 11; do not convert it with Number.",
      ],
    },
    async (student) => {
      const unsigned = 2n ** 53n + 1n;
      const read = (value: bigint, type: number): Promise<unknown> =>
        student.readValue(cursorAt(Uint8Array.from(u(value, 8))), type);
      expectEqual(await read(unsigned, 10), unsigned, "2⁵³ + 1 as u64");
      expectEqual(await read(2n ** 64n - 1n, 10), 2n ** 64n - 1n, "2⁶⁴ − 1 as u64");
      expectEqual(await read(2n ** 64n - 5n, 11), -5n, "−5 as i64");
    },
  );
  graded(
    "reads strings and bools",
    {
      points: 1,
      hints: [
        "You have written a function for strings already. A bool is one byte.",
        "A bool must come back as true or false, not as 1 or 0.",
        "case 8: return readString(cursor). case 7: read one byte and return byte === 1.",
      ],
    },
    async (student) => {
      const cursor = cursorAt(Uint8Array.from([1, 0, ...text("gpt2"), 1]));
      expectEqual(await student.readValue(mutable(cursor), 7), true, "the byte 01 as bool");
      expectEqual(await student.readValue(mutable(cursor), 7), false, "the byte 00 as bool");
      expectEqual(await student.readValue(mutable(cursor), 8), "gpt2", "the string");
      expectEqual(await student.readValue(cursor, 7), true, "the bool behind the string");
    },
  );
  graded(
    "refuses a bool that is neither 0 nor 1",
    {
      points: 1,
      hints: [
        "The byte is 2. Is that true?",
        "A writer never writes it, so something is wrong: you are reading in the wrong place, or the file is damaged.",
        "Before you return, if (byte > 1) throw new Error(…).",
      ],
    },
    async (student) => {
      for (const byte of [2, 84, 255]) {
        await expectThrows(student.readValue(cursorAt(Uint8Array.from([byte])), 7));
      }
    },
  );
  graded(
    "reads arrays",
    {
      points: 2,
      hints: [
        "What two things must you know before you can read the first item?",
        "The type of the items comes first, as u32, then their number, as u64. After that the items follow each other, without types of their own.",
        "const itemType = readValue(cursor, 4); const count = readValue(cursor, 10); then push readValue(cursor, itemType) count times.",
      ],
    },
    async (student) => {
      const array = [...u(5, 4), ...u(3, 8), ...u(7, 4), ...u(2n ** 32n - 1n, 4), ...u(0, 4), 77];
      const cursor = cursorAt(Uint8Array.from(array));
      expectEqual(await student.readValue(mutable(cursor), 9), [7, -1, 0], "an array of i32");
      expectEqual(cursor.offset, 24, "the offset behind the array");
      const words = Uint8Array.from([...u(8, 4), ...u(2, 8), ...text("▁the"), ...text("")]);
      expectEqual(await student.readValue(cursorAt(words), 9), ["▁the", ""], "an array of strings");
      const none = Uint8Array.from([...u(8, 4), ...u(0, 8)]);
      expectEqual(await student.readValue(cursorAt(none), 9), [], "an empty array");
    },
  );
  graded(
    "reads arrays of arrays",
    {
      points: 1,
      hints: [
        "An item may be an array again. Who can read it?",
        "The function that reads a value can read an item, if it calls itself.",
        "Read each item with readValue(cursor, itemType), whatever its type: 9 then works by itself.",
      ],
    },
    async (student) => {
      const row = (...items: number[]): number[] => [
        ...[...u(0, 4), ...u(items.length, 8)],
        ...items,
      ];
      const nested = Uint8Array.from([...u(9, 4), ...u(3, 8), ...row(1, 2), ...row(), ...row(3)]);
      expectEqual(await student.readValue(cursorAt(nested), 9), [[1, 2], [], [3]], "the array");
    },
  );
  graded(
    "refuses a type that does not exist",
    {
      points: 1,
      hints: [
        "Types run from 0 to 12. What do you return for 13?",
        "You cannot know how many bytes an unknown value takes, so you cannot go on reading after it.",
        "End the switch with default: throw new Error(…).",
      ],
    },
    async (student) => {
      await expectThrows(student.readValue(cursorAt(new Uint8Array(16)), 13));
      const array = Uint8Array.from([...u(99, 4), ...u(1, 8), 1, 2, 3, 4]);
      await expectThrows(student.readValue(cursorAt(array), 9));
    },
  );
});

gradedExercise<typeof Exercise>(
  "alignUp",
  (graded) => {
    graded(
      "goes up to the next multiple",
      {
        points: 1,
        hints: [
          "How many whole alignments fit into the offset, and how many are needed to cover it?",
          "Division of bigint drops the fraction. Adding alignment − 1 before the division turns down into up.",
          "((offset + alignment − 1n) / alignment) * alignment.",
        ],
      },
      async (student, random) => {
        expectEqual(await student.alignUp(1n, 32n), 32n, "alignUp(1n, 32n)");
        expectEqual(await student.alignUp(490n, 32n), 512n, "alignUp(490n, 32n)");
        for (let i = 0; i < 20; i++) {
          const alignment = 2n ** BigInt(3 + randomInt(random, 6));
          const [whole, rest] = [
            BigInt(randomInt(random, 1000)),
            1n + BigInt(randomInt(random, 7)),
          ];
          expectEqual(
            await student.alignUp(whole * alignment + rest, alignment),
            (whole + 1n) * alignment,
            `alignUp(${whole * alignment + rest}n, ${alignment}n)`,
          );
        }
      },
    );
    graded(
      "leaves an offset alone that is aligned already",
      {
        points: 1,
        hints: [
          "What should alignUp(64n, 32n) be, and alignUp(0n, 32n)?",
          "If you always add alignment − offset % alignment, what do you add when the rest is 0?",
          "Add (alignment − offset % alignment) % alignment: the second % turns a whole alignment into 0.",
        ],
      },
      async (student) => {
        for (const [offset, alignment] of [
          [0n, 32n],
          [64n, 32n],
          [64n, 64n],
          [4096n, 8n],
        ] as const) {
          const call = `alignUp(${offset}n, ${alignment}n)`;
          expectEqual(await student.alignUp(offset, alignment), offset, call);
        }
      },
    );
    graded(
      "is exact in files of any size",
      {
        points: 1,
        hints: [
          "Offsets are bigint here. Do you convert them on the way?",
          "Number holds whole numbers exactly up to 2⁵³, and | and & work on 32 bits: 5 GB are too many for them.",
          "Compute with bigint throughout: 1n, not 1.",
        ],
      },
      async (student) => {
        expectEqual(await student.alignUp(2n ** 32n + 1n, 32n), 2n ** 32n + 32n, "beyond 4 GiB");
        expectEqual(await student.alignUp(2n ** 60n + 1n, 32n), 2n ** 60n + 32n, "at 2⁶⁰ + 1");
      },
    );
  },
  { answers: { alignUp: z.bigint() } },
);

gradedExercise<typeof Exercise>(
  "tensorBytes",
  (graded) => {
    graded(
      "multiplies all dimensions by the bytes of a value",
      {
        points: 1,
        hints: [
          "How many values has a tensor of 4096 × 128256, and how many bytes has each in F16?",
          "A tensor has up to four dimensions; multiply all of them. Without any, there is one value.",
          "ne.reduce((product, dimension) => product * dimension, 1n), times 4n for F32 and 2n for F16.",
        ],
      },
      async (student) => {
        for (const [type, ne, want] of [
          [0, [256n], 1024n],
          [1, [4096n, 128_256n], 1_050_673_152n],
          [0, [3n, 5n, 7n, 2n], 840n],
          [0, [], 4n],
        ] as const) {
          const call = `tensorBytes(${type}, [${ne.join(", ")}])`;
          expectEqual(await student.tensorBytes(type, [...ne]), want, call);
        }
      },
    );
    graded(
      "counts blocks where values share one",
      {
        points: 2,
        hints: [
          "32 values in Q4_0 take 4 bits each and share a scale of 2 bytes. How many bytes is that?",
          "The comment above the function lists how many values share a block and how many bytes it has.",
          "(number of values / values of a block) * bytes of a block, all as bigint.",
        ],
      },
      async (student) => {
        for (const [type, ne, want] of [
          [2, [64n, 3n], 108n],
          [8, [32n], 34n],
          [12, [256n, 784n], 112_896n],
          [14, [4096n, 128_256n], 430_940_160n],
        ] as const) {
          const call = `tensorBytes(${type}, [${ne.join(", ")}])`;
          expectEqual(await student.tensorBytes(type, [...ne]), want, call);
        }
      },
    );
    graded(
      "refuses a row that is not made of whole blocks",
      {
        points: 2,
        hints: [
          "784 × 256 values divide by 256. Do rows of 784?",
          "A block never crosses a row. The row is ne[0], the first dimension in the file.",
          "if (ne[0] % valuesOfABlock !== 0n) throw new Error(…); look at ne[0] and at nothing else.",
        ],
      },
      async (student) => {
        await expectThrows(student.tensorBytes(12, [784n, 256n]));
        await expectThrows(student.tensorBytes(8, [80n, 32n]));
        await expectThrows(student.tensorBytes(2, [16n]));
        expectEqual(
          await student.tensorBytes(14, [256n, 10n]),
          2100n,
          "tensorBytes(14, [256, 10])",
        );
      },
    );
    graded(
      "refuses a type that it does not know",
      {
        points: 1,
        hints: [
          "ggml has some forty types, and you know six. What happens for number 99?",
          "A guess would put every later tensor in the wrong place.",
          "Look the type up in a table, and throw an Error where the table has nothing.",
        ],
      },
      async (student) => {
        await expectThrows(student.tensorBytes(99, [256n]));
        await expectThrows(student.tensorBytes(4, [256n]));
      },
    );
    graded(
      "is exact for any size",
      {
        points: 1,
        hints: [
          "Is there a Number on the way from ne to the answer?",
          "A Number cannot hold every whole number above 2⁵³; a bigint can.",
          "Keep the table's entries as bigint, 256n and 144n, and never call Number.",
        ],
      },
      async (student) => {
        const rows = 2n ** 50n + 1n;
        expectEqual(await student.tensorBytes(8, [32n, rows]), 34n * rows, "2⁵⁰ + 1 rows of Q8_0");
      },
    );
  },
  { answers: { tensorBytes: z.bigint() } },
);

/** A file with metadata of several types and three tensors; names and values vary with `random`. */
async function someFile(
  random: Rng,
  { littleEndian = true, alignment = 0, version = 3 } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const id = String(randomInt(random, 1000));
  const metadata = new Map<string, GgufValue>([
    ["general.architecture", { type: "string", value: `model${id}` }],
    ["a.count", { type: "u32", value: randomInt(random, 1e6) }],
    ["a.flag", { type: "bool", value: true }],
    ["a.long", { type: "u64", value: 2n ** 60n + BigInt(id) }],
    ["tokens", { type: "array", itemType: "string", items: ["<s>", `tök${id}`] }],
  ]);
  if (alignment > 0) metadata.set("general.alignment", { type: "u32", value: alignment });
  const tensors: GgufTensor[] = [
    { name: `token_embd.${id}`, shape: [3, 5], dtype: "F32" },
    { name: "blk.0.attn_q.weight", shape: [2, 256], dtype: "Q4_K" },
    { name: "scale", shape: [7], dtype: "F16" },
  ];
  const sink = new MemorySink();
  const numBytes = [60, 288, 14];
  await writeGguf(sink, { version, littleEndian, metadata, tensors }, (tensor) => [
    new Uint8Array(numBytes[tensors.indexOf(tensor)]!),
  ]);
  return sink.bytes();
}

/** What the engine's reader says of `bytes`, in the form that the exercise asks for. */
async function engineHeader(bytes: Uint8Array): Promise<z.infer<typeof headerAnswer>> {
  const file = await openGguf(bytesSource("test.gguf", bytes));
  const ids: Readonly<Record<string, number>> = { F32: 0, F16: 1, Q4_K: 12 };
  return {
    version: file.version,
    littleEndian: file.littleEndian,
    metadata: new Map([...file.metadata].map(([key, value]) => [key, plain(value)])),
    tensors: file.tensors.map(({ name, shape, dtype, offset }) => ({
      name,
      ne: [...shape].reverse().map(BigInt),
      type: ids[dtype]!,
      offset: BigInt(offset),
    })),
  };
}

function plain(value: GgufValue): unknown {
  return value.type === "array" ? Array.from<unknown>(value.items) : value.value;
}

const headerAnswer = z.object({
  version: z.number(),
  littleEndian: z.boolean(),
  metadata: z.map(z.string(), z.unknown()),
  tensors: z.array(
    z.object({ name: z.string(), ne: z.array(z.bigint()), type: z.number(), offset: z.bigint() }),
  ),
});

gradedExercise<typeof Exercise>(
  "readHeader",
  (graded) => {
    graded(
      "finds the version and the metadata",
      {
        points: 2,
        hints: [
          "The magic and the version take 8 bytes. What stands in the next 16?",
          "First the number of tensors, then the number of keys: both u64. Then the keys, each a string, a type and a value.",
          "Make a cursor at offset 8, read both counts with readValue(cursor, 10), and for each key: readString, readValue(cursor, 4) for the type, readValue(cursor, type).",
        ],
      },
      async (student, random) => {
        for (const version of [3, 2]) {
          const bytes = await someFile(random, { version });
          const [got, want] = [await student.readHeader(bytes), await engineHeader(bytes)];
          expectEqual(got.version, want.version, "the version");
          expectEqual(got.metadata, want.metadata, "the metadata");
        }
      },
    );
    graded(
      "lists the tensors as they are described",
      {
        points: 2,
        hints: [
          "The tensors' descriptions begin right behind the last value. What is the order of the fields?",
          "Name, number of dimensions (u32), each dimension (u64), type (u32), offset (u64). Keep the dimensions in the file's order.",
          "const ne = []; for as many dimensions as there are, ne.push(readValue(cursor, 10)).",
        ],
      },
      async (student, random) => {
        const bytes = await someFile(random);
        const { tensors } = await student.readHeader(bytes);
        const want = (await engineHeader(bytes)).tensors;
        const described = (tensor: (typeof tensors)[number]): unknown[] => [
          tensor.name,
          tensor.ne,
          tensor.type,
        ];
        expectEqual(tensors.map(described), want.map(described), "names, dimensions and types");
      },
    );
    graded(
      "says where each tensor begins in the file",
      {
        points: 2,
        hints: [
          "The first tensor's stored offset is 0, and byte 0 of the file is a G. From where does the offset count?",
          "From the start of the data: the first multiple of the alignment behind all descriptions.",
          "After the last description, start = alignUp(BigInt(cursor.offset), 32n); then add start to each offset.",
        ],
      },
      async (student, random) => {
        const bytes = await someFile(random);
        const offsets = (await student.readHeader(bytes)).tensors.map(({ offset }) => offset);
        const want = (await engineHeader(bytes)).tensors.map(({ offset }) => offset);
        expectEqual(offsets, want, "offsets from the start of the file");
      },
    );
    graded(
      "aligns the data as the file says",
      {
        points: 1,
        hints: [
          "32 is only what holds where the file says nothing.",
          "The metadata key general.alignment holds another alignment.",
          'const alignment = BigInt(metadata.get("general.alignment") ?? 32), with a type assertion to number.',
        ],
      },
      async (student, random) => {
        for (const alignment of [256, 8, 1024]) {
          const bytes = await someFile(random, { alignment });
          const offsets = (await student.readHeader(bytes)).tensors.map(({ offset }) => offset);
          const want = (await engineHeader(bytes)).tensors.map(({ offset }) => offset);
          expectEqual(offsets, want, `offsets with an alignment of ${alignment}`);
        }
      },
    );
    graded(
      "reads files of either byte order",
      {
        points: 2,
        hints: [
          "A big-endian file has no mark. Which of its first fields do you know beforehand?",
          "The version is 2 or 3. Read in the wrong order, 3 becomes 50,331,648: no version will ever be that high.",
          "littleEndian = view.getUint32(4, true) < 65536; read the version and everything behind it in that order.",
        ],
      },
      async (student, random) => {
        const bytes = await someFile(random, { littleEndian: false });
        expectEqual(await student.readHeader(bytes), await engineHeader(bytes), "the header");
      },
    );
    graded(
      "refuses what is no GGUF of version 2 or 3",
      {
        points: 1,
        hints: [
          "What would your function say about a photograph?",
          "Check the four letters first. Then the version: a version 1 file has other widths, and version 4 is not known yet.",
          'Throw unless the first four bytes are "GGUF", and unless the version is 2 or 3.',
        ],
      },
      async (student, random) => {
        const good = await someFile(random);
        const changed = (at: number, ...bytes: number[]): Uint8Array => {
          const copy = new Uint8Array(good);
          copy.set(bytes, at);
          return copy;
        };
        await expectThrows(student.readHeader(changed(0, 0x67, 0x67, 0x75, 0x66)));
        await expectThrows(student.readHeader(changed(3, 0x4c)));
        for (const version of [0, 1, 4]) {
          await expectThrows(student.readHeader(changed(4, version)));
        }
      },
    );
  },
  { answers: { readHeader: headerAnswer } },
);

/** A block of Q4_K: d = 1, dmin = 1, the twelve bytes of scales, the codes. */
function block(scales: readonly number[], codes: (at: number) => number): Uint8Array {
  const bytes = new Uint8Array(144);
  bytes.set([0x00, 0x3c, 0x00, 0x3c]);
  bytes.set(scales, 4);
  for (let i = 0; i < 128; i++) bytes[16 + i] = codes(i);
  return bytes;
}

/** Weights as a trained layer has them, in Q4_K. */
function someBlocks(count: number, random: Rng): Uint8Array {
  const values = Float32Array.from({ length: 256 * count }, () => 0.045 * normal(random) + 0.01);
  return quantizeBlocks("Q4_K", values);
}

gradedExercise<typeof Exercise>(
  "dequantQ4K",
  (graded) => {
    graded(
      "scales the codes and takes the minimum away",
      {
        points: 2,
        hints: [
          "Take a block whose codes are all 5, with d = 1, scale 3, dmin = 1 and min 2. What are its values?",
          "The minimum is stored as a positive number that is subtracted: 3 · 5 − 2.",
          "value = d * scale * code − dmin * min; d is bytes[0] | (bytes[1] << 8) as half float, dmin the same from byte 2.",
        ],
      },
      async (student) => {
        const bytes = block([3, 3, 3, 3, 2, 2, 2, 2, 0x23, 0x23, 0x23, 0x23], () => 0x55);
        expectEqual(await student.dequantQ4K(bytes), new Float32Array(256).fill(13), "codes of 5");
        bytes.set([0x00, 0x38, 0x00, 0xc0]);
        expectEqual(
          await student.dequantQ4K(bytes),
          new Float32Array(256).fill(11.5),
          "the same with d = 0.5 and dmin = −2",
        );
      },
    );
    graded(
      "finds the two codes of a byte in two sub-blocks",
      {
        points: 2,
        hints: [
          "In project 1 the two halves of a byte were neighbours. Are they here?",
          "The low halves of 32 bytes are the 32 codes of one sub-block, the high halves those of the next.",
          "Sub-block j uses the bytes 32 · (j >> 1) to 32 · (j >> 1) + 31: byte & 15 for even j, byte >> 4 for odd j.",
        ],
      },
      async (student) => {
        const bytes = block([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1], (at) => (at * 7 + 3) & 255);
        const code = (i: number): number => {
          const [j, k] = [Math.floor(i / 32), i % 32];
          const byte = ((32 * Math.floor(j / 2) + k) * 7 + 3) & 255;
          return j % 2 === 0 ? byte & 15 : byte >> 4;
        };
        const want = Float32Array.from({ length: 256 }, (_, i) => code(i));
        expectEqual(await student.dequantQ4K(bytes), want, "codes with a scale of 1");
      },
    );
    graded(
      "puts the last four scales and minima together",
      {
        points: 3,
        hints: [
          "Eight scales and eight minima of 6 bits are 96 bits: twelve bytes, with no bit to spare. Where do the last four hide?",
          "Their low four bits share the bytes s[8] to s[11]; their high two bits sit above the first four, in the top of s[0] to s[7].",
          "For j ≥ 4: scale = (s[j + 4] & 15) | ((s[j − 4] >> 6) << 4) and min = (s[j + 4] >> 4) | ((s[j] >> 6) << 4).",
        ],
      },
      async (student) => {
        const scales = [1, 2, 3, 4, 33, 18, 51, 63];
        const mins = [5, 6, 7, 8, 20, 35, 50, 1];
        const high = (value: number): number => (value >> 4) << 6;
        const packed = [
          ...[0, 1, 2, 3].map((j) => scales[j]! | high(scales[j + 4]!)),
          ...[0, 1, 2, 3].map((j) => mins[j]! | high(mins[j + 4]!)),
          ...[4, 5, 6, 7].map((j) => (scales[j]! & 15) | ((mins[j]! & 15) << 4)),
        ];
        const want = Float32Array.from({ length: 256 }, (_, i) => {
          const j = Math.floor(i / 32);
          return 2 * scales[j]! - mins[j]!;
        });
        const got = await student.dequantQ4K(block(packed, () => 0x22));
        for (const j of [4, 5, 6, 7, 0, 1, 2, 3]) {
          expectEqual(
            got[32 * j],
            want[32 * j],
            `sub-block ${j}, scale ${scales[j]!}, min ${mins[j]!}`,
          );
        }
        expectEqual(got, want, "all values");
      },
    );
    graded(
      "reads one block after the other, exactly",
      {
        points: 2,
        hints: [
          "How many blocks are in 432 bytes?",
          "Block b begins at byte 144 · b and gives the values from 256 · b on. Each has a d and a dmin of its own.",
          "Make a Float32Array of (bytes.length / 144) * 256 and loop over the blocks.",
        ],
      },
      async (student, random) => {
        for (const count of [1, 3, 8]) {
          const bytes = someBlocks(count, random);
          const want = dequantizeBlocks("Q4_K", bytes, 256 * count);
          expectEqual(await student.dequantQ4K(bytes), want, `values of ${count} blocks`);
        }
      },
    );
  },
  { answers: { dequantQ4K: z.instanceof(Float32Array) } },
);

interface WrittenTensor {
  readonly name: string;
  readonly ne: bigint[];
  readonly type: number;
  readonly data: Uint8Array;
}

/** Tensors of F32 with `counts` values each, and bytes that are not 0. */
function f32Tensors(random: Rng, ...counts: number[]): WrittenTensor[] {
  return counts.map((count, i) => ({
    name: `tensor.${i}`,
    ne: [BigInt(count)],
    type: 0,
    data: Uint8Array.from({ length: 4 * count }, () => 1 + randomInt(random, 255)),
  }));
}

/** What the engine reads from the student's bytes; its refusal becomes the test's failure. */
async function opened(bytes: Uint8Array): Promise<GgufFile> {
  try {
    return await openGguf(bytesSource("your file", bytes));
  } catch (error) {
    const reason = (error as Error).message.replace(/\.$/, "");
    expectThat(false, `the engine must be able to open the file, and says: ${reason}`);
    throw error;
  }
}

const architecture: readonly [string, string] = ["general.architecture", "test"];

gradedExercise<typeof Exercise>(
  "writeGguf",
  (graded) => {
    graded(
      "writes a header without tensors",
      {
        points: 2,
        hints: [
          "Write by hand what the file must begin with: four letters and three numbers.",
          "GGUF · u32 3 · u64 number of tensors · u64 number of keys, all with the low byte first; then each key as string, u32 type (4 for a number, 8 for a text) and value.",
          "Collect pieces (Uint8Array) in a list, and make numbers with a DataView over 8 bytes: setBigUint64(0, value, true), of which a u32 takes the first 4.",
        ],
      },
      async (student) => {
        const metadata = new Map<string, number | string>([
          architecture,
          ["test.context_length", 4_000_000_000],
          ["test.layers", 0],
        ]);
        const bytes = await student.writeGguf({ metadata, tensors: [] });
        const { version, littleEndian, metadata: read } = await opened(bytes);
        expectEqual(version, 3, "the version");
        expectThat(littleEndian, "numbers must have their low byte first");
        expectEqual(
          new Map([...read].map(([key, value]) => [key, plain(value)])),
          metadata,
          "the metadata",
        );
        expectEqual(read.get("test.layers")?.type, "u32", "the type of a number");
      },
    );
    graded(
      "gives texts their length in bytes",
      {
        points: 1,
        hints: [
          "How long is “Grüße” in the file?",
          "text.length counts UTF-16 units; the file counts bytes of UTF-8.",
          "const utf8 = new TextEncoder().encode(text): write utf8.length, then utf8.",
        ],
      },
      async (student) => {
        const metadata = new Map<string, number | string>([architecture, ["größe", "世界 🙂"]]);
        const { metadata: read } = await opened(await student.writeGguf({ metadata, tensors: [] }));
        expectEqual(read.get("größe"), { type: "string", value: "世界 🙂" }, "the text");
      },
    );
    graded(
      "describes each tensor",
      {
        points: 2,
        hints: [
          "Which fields describe a tensor, and in which order?",
          "String name · u32 number of dimensions · u64 each dimension in the order of ne · u32 type · u64 offset.",
          "All descriptions come before all weights: two loops over the tensors.",
        ],
      },
      async (student, random) => {
        const data = someBlocks(6, random);
        const tensors: WrittenTensor[] = [
          { name: "blk.0.attn_q.weight", ne: [512n, 3n], type: 12, data },
          ...f32Tensors(random, 8),
        ];
        const file = await opened(
          await student.writeGguf({ metadata: new Map([architecture]), tensors }),
        );
        expectEqual(
          file.tensors.map(({ name, shape, dtype }) => ({ name, shape: [...shape], dtype })),
          [
            { name: "blk.0.attn_q.weight", shape: [3, 512], dtype: "Q4_K" },
            { name: "tensor.0", shape: [8], dtype: "F32" },
          ],
          "what the engine reads",
        );
        expectEqual(await file.readBytes("blk.0.attn_q.weight"), data, "the bytes of the tensor");
      },
    );
    graded(
      "counts offsets from the start of the data",
      {
        points: 2,
        hints: [
          "What is the offset of the first tensor, whatever stands before it?",
          "Offsets do not know how long the header is: the first is 0, so that a header may grow without changing them.",
          "Begin with offset = 0n, and after each tensor go on at alignUp(offset + BigInt(data.length), alignment).",
        ],
      },
      async (student, random) => {
        const tensors = f32Tensors(random, 8, 16, 8);
        const bytes = await student.writeGguf({ metadata: new Map([architecture]), tensors });
        const file = await opened(bytes);
        const offsets = file.tensors.map(({ offset }) => offset - file.dataOffset);
        expectEqual(offsets, [0, 32, 96], "offsets in the data");
        for (const { name, data } of tensors) {
          expectEqual(await file.readBytes(name), data, `the bytes of ${name}`);
        }
      },
    );
    graded(
      "fills the gaps with zeros",
      {
        points: 2,
        hints: [
          "A tensor of 5 values takes 20 bytes. Where does the next one begin?",
          "At byte 32 of the data: 12 zeros stand between them. The file ends on a multiple too.",
          "After the descriptions and after each tensor, put new Uint8Array(n) with n = alignUp(length, alignment) − length.",
        ],
      },
      async (student, random) => {
        const tensors = f32Tensors(random, 5, 9, 1);
        const bytes = await student.writeGguf({ metadata: new Map([architecture]), tensors });
        const file = await opened(bytes);
        const offsets = file.tensors.map(({ offset }) => offset - file.dataOffset);
        expectEqual(offsets, [0, 32, 96], "offsets of tensors of 20, 36 and 4 bytes");
        const padded = tensors.flatMap(({ data }) => [
          ...data,
          ...new Uint8Array((32 - (data.length % 32)) % 32),
        ]);
        expectEqual(bytes.slice(file.dataOffset), Uint8Array.from(padded), "the data");
      },
    );
    graded(
      "uses the alignment that the metadata gives",
      {
        points: 1,
        hints: [
          "A reader will look at general.alignment. Does your writer?",
          "Where the metadata has that key, it replaces 32 everywhere: before the data and behind each tensor.",
          'const alignment = BigInt(model.metadata.get("general.alignment") ?? 32).',
        ],
      },
      async (student, random) => {
        for (const alignment of [64, 8, 512]) {
          const tensors = f32Tensors(random, 5, 9, 1);
          const metadata = new Map<string, number | string>([
            architecture,
            ["general.alignment", alignment],
          ]);
          const bytes = await student.writeGguf({ metadata, tensors });
          const file = await opened(bytes);
          expectEqual(bytes.length % alignment, 0, `the file's length modulo ${alignment}`);
          for (const { name, data } of tensors) {
            expectEqual(await file.readBytes(name), data, `${name}, aligned to ${alignment}`);
          }
        }
      },
    );
  },
  { answers: { writeGguf: z.instanceof(Uint8Array) } },
);
