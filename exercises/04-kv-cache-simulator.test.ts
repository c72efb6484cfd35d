/** Project 4, graded: each test names one promise of a memory manager for keys and values. */
import { randomInt, type Rng } from "infinity-inference/core/rng";
import {
  expectClose,
  expectEqual,
  expectThat,
  expectThrows,
  gradedExercise,
} from "infinity-inference/course/graded-test";
import { kvBytesPerToken, llamaModels } from "infinity-inference/planning/llama-sizes";
import type { Allocator } from "infinity-inference/runtime/allocators/allocator";
import { ContiguousAllocator } from "infinity-inference/runtime/allocators/contiguous";
import { HoleList, type Hole } from "infinity-inference/runtime/allocators/hole-list";
import { PagedAllocator } from "infinity-inference/runtime/allocators/paged";
import { simulate, type MemoryEvent } from "infinity-inference/runtime/allocators/simulate";
import type { TraceRequest } from "infinity-inference/runtime/allocators/trace";
import { mutable } from "infinity-inference/sandbox/remote";
import { z } from "zod";
import type * as Exercise from "./04-kv-cache-simulator.ts";

gradedExercise<typeof Exercise>("kvBytesPerToken", (graded) => {
  graded(
    "counts keys and values of every layer",
    {
      points: 2,
      hints: [
        "Which two things does attention keep of each token, and how often?",
        "Each layer has a key and a value of its own for the token, and each of them has kvHeads rows of headDim numbers.",
        "The product has five factors: 2 for key and value, the layers, the heads that are stored, headDim, the bytes of a number.",
      ],
    },
    async (student, random) => {
      for (let i = 0; i < 10; i++) {
        const kvHeads = 1 + randomInt(random, 16);
        const [layers, headDim] = [1 + randomInt(random, 80), 8 * (1 + randomInt(random, 32))];
        const sizes = { layers, heads: kvHeads, kvHeads, headDim, bytes: 2 };
        const want = kvBytesPerToken({ numLayers: layers, numKvHeads: kvHeads, headDim });
        expectEqual(await student.kvBytesPerToken(sizes), want, JSON.stringify(sizes));
      }
    },
  );
  graded(
    "counts the heads that are stored",
    {
      points: 2,
      hints: [
        "Llama 3 8B has 32 heads of queries. How many keys does it store of a token in one layer?",
        "With grouped-query attention several heads of queries look at the same key. Nothing is stored twice.",
        "Multiply by kvHeads, not by heads: 8 and not 32 for Llama 3 8B.",
      ],
    },
    async (student) => {
      for (const [name, sizes] of Object.entries(llamaModels)) {
        const { numLayers: layers, numHeads: heads, numKvHeads: kvHeads, headDim } = sizes;
        const got = await student.kvBytesPerToken({ layers, heads, kvHeads, headDim, bytes: 2 });
        expectEqual(got, kvBytesPerToken(sizes), `${name} in F16`);
      }
    },
  );
  graded(
    "counts the bytes of the format",
    {
      points: 1,
      hints: [
        "A cache may be stored in other formats than F16. What is in config.bytes?",
        "Q8_0 stores 32 numbers in 34 bytes, so a number takes 34 / 32 of a byte; F32 takes 4.",
        "Multiply by config.bytes as it is: no 2 for F16, and no rounding.",
      ],
    },
    async (student) => {
      const sizes = { layers: 32, heads: 8, kvHeads: 8, headDim: 128 };
      for (const [dtype, bytes] of [
        ["F32", 4],
        ["Q8_0", 34 / 32],
        ["Q4_0", 18 / 32],
      ] as const) {
        const want = kvBytesPerToken({ numLayers: 32, numKvHeads: 8, headDim: 128 }, dtype);
        expectEqual(
          await student.kvBytesPerToken({ ...sizes, bytes }),
          want,
          `a token in ${dtype}`,
        );
      }
    },
  );
});

/** Holes with the given lengths, two slots that are taken between them. */
function holesOf(...lengths: number[]): Hole[] {
  let end = 0;
  return lengths.map((length) => {
    const start = end + 2;
    end = start + length;
    return { start, length };
  });
}

/** Holes that a memory has after some time. */
function someHoles(random: Rng): Hole[] {
  return holesOf(
    ...Array.from({ length: 2 + randomInt(random, 8) }, () => 1 + randomInt(random, 30)),
  );
}

gradedExercise<typeof Exercise>(
  "contiguousAlloc",
  (graded) => {
    graded(
      "first fit takes the lowest hole with room",
      {
        points: 1,
        hints: [
          "The holes have 2, 9 and 5 slots. Which of them can hold 4?",
          "Look at the holes in order and stop at the first that is large enough.",
          "const hole = holes.find(({ length }) => length >= n); its start is the answer.",
        ],
      },
      async (student) => {
        for (const [n, want] of [
          [4, 6],
          [1, 2],
          [8, 6],
        ] as const) {
          const got = await student.contiguousAlloc(holesOf(2, 9, 5), n, "first");
          expectEqual(got, { start: want }, `where ${n} slots begin`);
        }
      },
    );
    graded(
      "best fit takes the smallest hole with room",
      {
        points: 2,
        hints: [
          "The holes have 9, 2 and 5 slots. Which of them fits 4 best, so that the large one stays whole?",
          "Of all holes that are large enough, the smallest: compare lengths, and only among those with room.",
          "Filter the holes with length >= n, then keep the one with the least length; of equal ones the first.",
        ],
      },
      async (student) => {
        for (const [n, want] of [
          [4, 17],
          [1, 13],
          [6, 24],
          [8, 2],
        ] as const) {
          const got = await student.contiguousAlloc(holesOf(9, 2, 5, 7, 5), n, "best");
          expectEqual(got, { start: want }, `where ${n} slots begin`);
        }
      },
    );
    graded(
      "takes the slots out of the hole",
      {
        points: 2,
        hints: [
          "Ask twice for the same number of slots. Do you get the same place twice?",
          "The request takes the beginning of the hole; what is left begins n slots later and is n slots shorter.",
          "hole.start += n and hole.length −= n, after you have kept the old start for the answer.",
        ],
      },
      async (student) => {
        const holes = holesOf(20);
        for (const [n, rest] of [
          [4, { start: 6, length: 16 }],
          [7, { start: 13, length: 9 }],
        ] as const) {
          const start = holes[0]?.start;
          const got = await student.contiguousAlloc(mutable(holes), n, "first");
          expectEqual(got, { start }, `where ${n} slots begin`);
          expectEqual(holes, [rest], `the holes after ${n} slots`);
        }
      },
    );
    graded(
      "fills a hole to its last slot",
      {
        points: 1,
        hints: [
          "A hole has 5 slots and 5 are wanted. Is there room? What is left?",
          "Equal is enough. A hole of no slots is no hole: it must go from the list.",
          "Test length >= n, and after shrinking: if (hole.length === 0) holes.splice(holes.indexOf(hole), 1).",
        ],
      },
      async (student) => {
        for (const fit of ["first", "best"] as const) {
          const holes = holesOf(3, 5, 4);
          const got = await student.contiguousAlloc(mutable(holes), 5, fit);
          expectEqual(got, { start: 7 }, `where 5 slots begin by ${fit} fit`);
          expectEqual(holes, [holesOf(3)[0], holesOf(3, 5, 4)[2]], "the holes that are left");
        }
      },
    );
    graded(
      "answers null where no hole is large enough",
      {
        points: 2,
        hints: [
          "12 slots are free, in holes of 4, 5 and 3. Can a request of 6 start?",
          "One request needs its slots in one piece. What is free in all does not help it.",
          "Where no hole has room return null, before anything has changed.",
        ],
      },
      async (student) => {
        for (const fit of ["first", "best"] as const) {
          const holes = holesOf(4, 5, 3);
          const got = await student.contiguousAlloc(mutable(holes), 6, fit);
          expectEqual(got, null, `6 slots by ${fit} fit from holes of 4, 5 and 3`);
          expectEqual(holes, holesOf(4, 5, 3), "the holes");
          expectEqual(await student.contiguousAlloc([], 1, fit), null, "a slot of a full memory");
        }
      },
    );
    graded(
      "leaves the other holes in their places",
      {
        points: 1,
        hints: [
          "Call it with best fit, and look at the whole list afterwards.",
          "Array.sort changes the list it is called on, and yours has to stay sorted by start.",
          "Sort a copy, as in [...holes].sort(…), or find the smallest with a loop.",
        ],
      },
      async (student, random) => {
        for (let i = 0; i < 8; i++) {
          const fit = i % 2 === 0 ? "best" : "first";
          const holes = someHoles(random);
          const before = structuredClone(holes);
          const n = 1 + randomInt(random, 12);
          const got = await student.contiguousAlloc(mutable(holes), n, fit);
          const others = before.filter(({ start }) => start !== got?.start);
          const kept = holes.filter(({ start }) => others.some((hole) => hole.start === start));
          expectEqual(kept, others, `the holes that ${n} slots by ${fit} fit do not touch`);
        }
      },
    );
  },
  { answers: { contiguousAlloc: z.object({ start: z.number() }).nullable() } },
);

gradedExercise<typeof Exercise>("contiguousFree", (graded) => {
  graded(
    "puts the slots where they belong",
    {
      points: 1,
      hints: [
        "The holes begin at 2 and at 40, and slots from 20 on come back. Where in the list do they go?",
        "The list is sorted by start, so that first fit and neighbours are easy to find.",
        "Add the new hole and sort by start: holes.push({ start, length }); holes.sort((a, b) => a.start − b.start).",
      ],
    },
    async (student) => {
      const holes: Hole[] = [];
      for (const start of [20, 2, 40, 30, 11])
        await student.contiguousFree(mutable(holes), start, 5);
      const want = [2, 11, 20, 30, 40].map((start) => ({ start, length: 5 }));
      expectEqual(holes, want, "the holes");
    },
  );
  graded(
    "joins holes that touch",
    {
      points: 3,
      hints: [
        "Two requests with 5 slots each end, side by side. Can a request of 10 start now?",
        "A hole ends at start + length. If another begins exactly there, the two are one; look to both sides.",
        "After sorting, walk through the holes: where the last kept hole ends at this one's start, add the length to it instead of keeping another.",
      ],
    },
    async (student) => {
      for (const [start, length, want, what] of [
        [
          7,
          3,
          [
            { start: 2, length: 8 },
            { start: 20, length: 5 },
          ],
          "behind a hole",
        ],
        [
          16,
          4,
          [
            { start: 2, length: 5 },
            { start: 16, length: 9 },
          ],
          "before a hole",
        ],
        [7, 13, [{ start: 2, length: 23 }], "between two holes"],
        [
          9,
          4,
          [
            { start: 2, length: 5 },
            { start: 9, length: 4 },
            { start: 20, length: 5 },
          ],
          "alone",
        ],
      ] as const) {
        const holes = [
          { start: 2, length: 5 },
          { start: 20, length: 5 },
        ];
        await student.contiguousFree(mutable(holes), start, length);
        expectEqual(holes, want, `the holes after slots ${what}`);
      }
    },
  );
  graded(
    "makes one hole of a memory that is given back",
    {
      points: 2,
      hints: [
        "All requests have ended. What must the list look like?",
        "Whatever the order in which slots come back, no two holes may touch in the end.",
        "Join on both sides: the returned slots may close the gap between two holes, and then three become one.",
      ],
    },
    async (student, random) => {
      const [holes, engine] = [[{ start: 0, length: 200 }], new HoleList(200)];
      const taken: Hole[] = [];
      for (let i = 0; i < 60; i++) {
        const length = 1 + randomInt(random, 40);
        const start = i < 45 && random() < 0.6 ? engine.take(length, "first") : undefined;
        if (start === undefined) {
          const [given] = taken.splice(randomInt(random, taken.length), 1);
          if (!given) continue;
          engine.give(given.start, given.length);
          await student.contiguousFree(mutable(holes), given.start, given.length);
          expectEqual(holes, [...engine.holes], "the holes");
        } else {
          taken.push({ start, length });
          // What is taken is the engine's business here.
          holes.splice(0, holes.length, ...structuredClone(engine.holes));
        }
      }
    },
  );
  graded(
    "refuses slots that are free already",
    {
      points: 1,
      hints: [
        "The same request is ended twice. What would be in the list?",
        "Two holes over the same slots would give these slots to two requests, which then write over each other's keys.",
        "Two pieces overlap if each begins before the other ends: hole.start < start + length && start < hole.start + hole.length. Throw then.",
      ],
    },
    async (student) => {
      for (const [start, length] of [
        [10, 5],
        [8, 3],
        [14, 3],
        [12, 1],
        [5, 20],
      ] as const) {
        await expectThrows(student.contiguousFree([{ start: 10, length: 5 }], start, length));
      }
    },
  );
});

gradedExercise<typeof Exercise>(
  "fragmentation",
  (graded) => {
    graded(
      "tells reserved slots from those that are never used",
      {
        points: 2,
        hints: [
          "A request holds 100 slots, has 20 tokens and will end with 30. How many empty slots does it have, and what becomes of them?",
          "10 will be filled: they are reserved. 70 will not, whatever happens: they are internal waste.",
          "For each region add final − live to reserved and length − final to internal.",
        ],
      },
      async (student, random) => {
        const regions = Array.from({ length: 6 }, () => {
          const [live, later, never] = [1, 2, 3].map(() => randomInt(random, 40));
          return { live: live!, final: live! + later!, length: live! + later! + never! };
        });
        const got = await student.fragmentation({ regions, holes: [] });
        const slots = regions.flatMap(({ live, final, length }) =>
          Array.from({ length }, (_, i) => (i < live ? "live" : i < final ? "later" : "never")),
        );
        const count = (kind: string): number => slots.filter((slot) => slot === kind).length;
        expectEqual(got.reserved, count("later"), "the reserved slots");
        expectEqual(got.internal, count("never"), "the slots that are never used");
      },
    );
    graded(
      "measures external waste by the largest hole",
      {
        points: 2,
        hints: [
          "100 slots are free: once in one hole, once in ten holes of 10. How long a request can start in each case?",
          "The largest hole is what one request can have. The rest of the free slots is of no use to it.",
          "external = 1 − largest / free, where free is the sum of all holes.",
        ],
      },
      async (student, random) => {
        const external = async (holes: Hole[]): Promise<number> =>
          (await student.fragmentation({ regions: [{ length: 50, live: 3, final: 9 }], holes }))
            .external;
        expectEqual(await external(holesOf(100)), 0, "external waste of one hole");
        expectClose(
          await external(holesOf(...new Array<number>(10).fill(10))),
          0.9,
          "of ten holes",
        );
        expectClose(await external(holesOf(30, 10, 20)), 0.5, "of holes of 30, 10 and 20");
        const holes = someHoles(random);
        const lengths = holes.map(({ length }) => length).sort((a, b) => a - b);
        const free = lengths.reduce((sum, length) => sum + length, 0);
        expectClose(await external(holes), (free - lengths.at(-1)!) / free, "of some holes");
      },
    );
    graded(
      "has no external waste in a full memory",
      {
        points: 1,
        hints: [
          "What is 0 / 0 in JavaScript?",
          "Where nothing is free, nothing is scattered either.",
          "Return 0 for external where free is 0, before you divide.",
        ],
      },
      async (student) => {
        const full = { regions: [{ length: 10, live: 4, final: 7 }], holes: [] };
        const want = { reserved: 3, internal: 3, external: 0 };
        expectEqual(await student.fragmentation(full), want, "the waste in a full memory");
        const nothing = { reserved: 0, internal: 0, external: 0 };
        expectEqual(await student.fragmentation({ regions: [], holes: [] }), nothing, "no memory");
      },
    );
  },
  {
    answers: {
      fragmentation: z.object({ reserved: z.number(), internal: z.number(), external: z.number() }),
    },
  },
);

gradedExercise<typeof Exercise>("blocksNeeded", (graded) => {
  graded(
    "has room for the last token",
    {
      points: 1,
      hints: [
        "17 tokens, blocks of 16. Where does token 17 go?",
        "A block that is begun is a whole block.",
        "Divide and round up: Math.ceil.",
      ],
    },
    async (student) => {
      for (const [length, size, want] of [
        [17, 16, 2],
        [1, 16, 1],
        [15, 16, 1],
        [100, 7, 15],
      ] as const) {
        expectEqual(await student.blocksNeeded(length, size), want, `${length} tokens in ${size}s`);
      }
    },
  );
  graded(
    "takes no block more than it needs",
    {
      points: 1,
      hints: [
        "16 tokens, blocks of 16. And no tokens at all?",
        "A whole number of blocks is full, and no further one is begun.",
        "Math.floor(length / blockSize) + 1 is one too many there; Math.ceil is not.",
      ],
    },
    async (student) => {
      for (const [length, size, want] of [
        [16, 16, 1],
        [32, 16, 2],
        [5, 1, 5],
        [0, 16, 0],
      ] as const) {
        expectEqual(await student.blocksNeeded(length, size), want, `${length} tokens in ${size}s`);
      }
    },
  );
});

gradedExercise<typeof Exercise>("physicalSlot", (graded) => {
  graded(
    "looks the block up in the table",
    {
      points: 2,
      hints: [
        "The table is 7, 2, 5 with blocks of 4. In which physical block is token 4?",
        "Token 4 is the first of logical block 1, and table[1] says that this is physical block 2.",
        "table[Math.floor(token / blockSize)] is the block; its first slot is block * blockSize.",
      ],
    },
    async (student, random) => {
      const table = [7, 2, 5, 0, 9];
      for (let i = 0; i < 5; i++) {
        const got = await student.physicalSlot(table, 4 * i, 4);
        expectEqual(got, 4 * table[i]!, `the slot of token ${4 * i}`);
      }
      const blocks = Array.from({ length: 30 }, () => randomInt(random, 1000));
      const first = randomInt(random, 30);
      const got = await student.physicalSlot(blocks, 16 * first, 16);
      expectEqual(got, 16 * blocks[first]!, `the slot of token ${16 * first}`);
    },
  );
  graded(
    "keeps the place within the block",
    {
      points: 1,
      hints: [
        "Tokens 4, 5 and 6 are in the same block of 4. Do they have the same slot?",
        "Within a block tokens follow each other: what is left of token after whole blocks is the place.",
        "Add token % blockSize.",
      ],
    },
    async (student) => {
      const table = [3, 0, 6];
      const slots: number[] = [];
      for (let token = 0; token < 15; token++) {
        slots.push(await student.physicalSlot(table, token, 5));
      }
      const want = table.flatMap((block) => [0, 1, 2, 3, 4].map((i) => 5 * block + i));
      expectEqual(slots, want, "the slots of all tokens");
    },
  );
  graded(
    "refuses a token that no block holds",
    {
      points: 1,
      hints: [
        "The table has two blocks of 16. Where is token 32?",
        "table[2] is undefined there, and undefined times 16 is NaN: a slot that is nowhere.",
        "if (block === undefined) throw new Error(…).",
      ],
    },
    async (student) => {
      await expectThrows(student.physicalSlot([4, 1], 32, 16));
      await expectThrows(student.physicalSlot([], 0, 16));
      expectEqual(await student.physicalSlot([4, 1], 31, 16), 31, "the last token that has a slot");
    },
  );
});

/** 10⁶ bytes, of which weights and overhead take a part; requests of one length. */
const plan = {
  ...{ vram: "0.001GB", weights: 300_000, overhead: 60_000 },
  ...{ lengths: [20], blockSize: 10, kv: 100 },
};

gradedExercise<typeof Exercise>("maxBatch", (graded) => {
  graded(
    "shares what weights and overhead leave",
    {
      points: 2,
      hints: [
        "Work one out by hand: how many bytes are left, how many blocks are that, how many does a request take?",
        "The room is the memory less weights and overhead. A block takes blockSize * kv bytes.",
        "numBlocks = Math.floor(room / (blockSize * kv)); then divide by the mean of blocksNeeded(length, blockSize).",
      ],
    },
    async (student) => {
      for (const [change, want, what] of [
        [{}, 320, "requests of 20 tokens"],
        [{ weights: 0 }, 470, "requests without weights"],
        [{ overhead: 0 }, 350, "requests without overhead"],
        [{ lengths: [80, 20, 40, 20] }, 160, "requests of 80, 20, 40 and 20 tokens"],
      ] as const) {
        expectEqual(await student.maxBatch({ ...plan, ...change }), want, what);
      }
    },
  );
  graded(
    "counts whole requests and whole blocks",
    {
      points: 2,
      hints: [
        "There is room for 2.9 requests. How many can run? And how many blocks are 2.9 blocks?",
        "Nobody can use a part of a block or of a request.",
        "Math.floor twice: once for the blocks, once for the requests.",
      ],
    },
    async (student) => {
      const small = { ...plan, weights: 0, overhead: 0, vram: "0.00001GB", kv: 100 };
      expectEqual(await student.maxBatch({ ...small, lengths: [40] }), 2, "10 blocks by 4");
      expectEqual(await student.maxBatch({ ...small, lengths: [60] }), 1, "10 blocks by 6");
      const odd = { ...small, kv: 129, lengths: [20, 30] };
      expectEqual(await student.maxBatch(odd), 2, "7.75 blocks by 2.5");
    },
  );
  graded(
    "tells GB from GiB",
    {
      points: 2,
      hints: [
        "Is a 24 GB card larger than one with 24 GiB? By how much?",
        "GB is 10⁹ bytes, GiB is 2³⁰, seven per cent more. Sellers and tools use both.",
        'const unit = vram.endsWith("GiB") ? 2 ** 30 : 1e9; parseFloat(vram) reads the number before it.',
      ],
    },
    async (student) => {
      const llama = { weights: 4.9e9, overhead: 1e9, lengths: [500], blockSize: 16, kv: 131_072 };
      expectEqual(await student.maxBatch({ ...llama, vram: "16GB" }), 150, "of 16GB");
      expectEqual(await student.maxBatch({ ...llama, vram: "16GiB" }), 168, "of 16GiB");
      expectEqual(await student.maxBatch({ ...llama, vram: "23.5GiB" }), 288, "of 23.5GiB");
    },
  );
  graded(
    "rounds each request up to whole blocks",
    {
      points: 2,
      hints: [
        "Requests have 11 and 29 tokens, blocks have 10 slots. How many blocks do they take together?",
        "Five, and not four: each of them begins a block that it does not fill. The mean length hides that.",
        "Average blocksNeeded(length, blockSize) over the lengths; do not average the lengths first.",
      ],
    },
    async (student) => {
      expectEqual(await student.maxBatch({ ...plan, lengths: [11, 29] }), 256, "11 and 29 tokens");
      expectEqual(await student.maxBatch({ ...plan, lengths: [1] }), 640, "requests of one token");
    },
  );
  graded(
    "is 0 where the weights do not fit",
    {
      points: 1,
      hints: [
        "Llama 3 8B in 16 bits has 16.06 GB of weights. How many requests fit on 16 GB?",
        "Less than nothing is left, and the number of requests would be negative.",
        "Take Math.max(0, …) of the blocks.",
      ],
    },
    async (student) => {
      const llama = { weights: 16.06e9, overhead: 1e9, lengths: [500], blockSize: 16, kv: 131_072 };
      expectEqual(await student.maxBatch({ ...llama, vram: "16GB" }), 0, "of 16GB");
    },
  );
});

interface TestRequest {
  readonly id: number;
  readonly arrival: number;
  readonly prompt: number;
  readonly output: number;
  readonly maxOutput: number;
}

/** `[arrival, prompt, output, maxOutput]` of each request. */
function traceOf(...rows: (readonly [number, number, number, number])[]): TestRequest[] {
  return rows.map(([arrival, prompt, output, maxOutput], i) => ({
    ...{ id: i + 1, arrival, prompt, output, maxOutput },
  }));
}

/** Requests of at most 40 tokens that crowd a memory of 48 to 96 slots. */
function someTrace(random: Rng): TestRequest[] {
  let arrival = 0;
  return traceOf(
    ...Array.from({ length: 12 }, () => {
      arrival += randomInt(random, 4);
      const [prompt, output] = [1 + randomInt(random, 16), 1 + randomInt(random, 12)];
      return [arrival, prompt, output, output + randomInt(random, 12)] as const;
    }),
  );
}

type TestPolicy =
  | { readonly kind: "reserve"; readonly numSlots: number }
  | { readonly kind: "paged"; readonly numSlots: number; readonly blockSize: number };

interface TestEvent {
  readonly step: number;
  readonly type: MemoryEvent["type"];
  readonly request: number;
  readonly live: number;
  readonly empty: number;
  readonly free: number;
}

/** What the engine does, in the words of the exercise. */
function engineEvents(trace: readonly TestRequest[], policy: TestPolicy): TestEvent[] {
  const allocator: Allocator =
    policy.kind === "paged"
      ? new PagedAllocator(policy.numSlots, policy.blockSize, 0)
      : new ContiguousAllocator("reserve", policy.numSlots, {
          ...{ fit: "first", reserve: ({ limit }) => limit, compacts: false },
        });
  const requests = trace.map(({ id, arrival, prompt, output, maxOutput }): TraceRequest => ({
    ...{ id, arrival, promptTokens: prompt, outputTokens: output, maxTokens: maxOutput },
  }));
  const events: TestEvent[] = [];
  simulate({ maxLength: 1000, requests }, allocator, {
    onEvent: ({ step, type, request }) => {
      const { numFree: free, numSlots } = allocator;
      const live = allocator.spans().reduce((sum, { numLive }) => sum + numLive, 0);
      events.push({ step, type, request, live, empty: numSlots - free - live, free });
    },
  });
  return events;
}

/** Events as short lines, such as "3 start 2": in step 3 request 2 started. */
function lines(events: readonly Omit<TestEvent, "live" | "empty" | "free">[]): string[] {
  return events.map(({ step, type, request }) => `${step} ${type} ${request}`);
}

const eventAnswer = z.array(
  z.object({
    step: z.number(),
    type: z.enum(["start", "wait", "preempt", "finish"]),
    request: z.number(),
    live: z.number(),
    empty: z.number(),
    free: z.number(),
  }),
);

gradedExercise<typeof Exercise>(
  "simulate",
  (graded) => {
    graded(
      "lets a request start, grow and finish",
      {
        points: 2,
        hints: [
          "One request arrives in step 3, with a prompt of 4 and an output of 2. Go through the steps on paper.",
          "In the step in which it starts it already stores one token more. It finishes in the step in which it has stored prompt + output.",
          "Per step: arrivals, starts, one token for each running request, finishes. Steps without events pass as well.",
        ],
      },
      async (student) => {
        const trace = traceOf([3, 4, 2, 5], [20, 2, 1, 1]);
        for (const policy of [
          { kind: "reserve", numSlots: 24 },
          { kind: "paged", numSlots: 24, blockSize: 4 },
        ] as const) {
          const got = lines(await student.simulate(trace, policy));
          const want = ["3 start 1", "4 finish 1", "20 start 2", "20 finish 2"];
          expectEqual(got, want, `the events of ${policy.kind}`);
        }
      },
    );
    graded(
      "reserves the limit in one piece",
      {
        points: 3,
        hints: [
          "How many slots does a request take whose prompt has 10 tokens and that may generate 50, but will generate 3?",
          "Nobody knows the 3. It takes 60 from the first step to the last, in one piece: contiguousAlloc when it starts, contiguousFree when it ends.",
          'contiguousAlloc(holes, prompt + maxOutput, "first"), with holes that begin as one of numSlots slots.',
        ],
      },
      async (student, random) => {
        const trace = traceOf([0, 1, 1, 3], [0, 2, 2, 2], [0, 4, 1, 1]);
        const got = lines(await student.simulate(trace, { kind: "reserve", numSlots: 9 }));
        const want = [
          ...["0 start 1", "0 start 2", "0 wait 3", "0 finish 1"],
          ...["1 wait 3", "1 finish 2", "2 start 3", "2 finish 3"],
        ];
        expectEqual(got, want, "the events of three requests in 9 slots");
        // Best fit would keep the six slots of request 1 together, and request 6 would not wait.
        const places = traceOf(
          ...([
            [0, 5, 1, 1],
            [0, 1, 3, 3],
            [0, 2, 1, 1],
            [0, 2, 5, 5],
          ] as const),
          ...([
            [1, 1, 2, 2],
            [1, 3, 3, 3],
          ] as const),
        );
        const wantPlaces = [
          ...["0 start 1", "0 start 2", "0 start 3", "0 start 4", "0 finish 1", "0 finish 3"],
          ...["1 start 5", "1 wait 6", "2 wait 6", "2 finish 2", "2 finish 5"],
          ...["3 start 6", "4 finish 4", "5 finish 6"],
        ];
        const placed = await student.simulate(places, { kind: "reserve", numSlots: 20 });
        expectEqual(lines(placed), wantPlaces, "the events of six requests in 20 slots");
        for (const numSlots of [48, 64, 90]) {
          const requests = someTrace(random);
          const policy = { kind: "reserve", numSlots } as const;
          const events = await student.simulate(requests, policy);
          expectEqual(lines(events), lines(engineEvents(requests, policy)), `in ${numSlots} slots`);
        }
      },
    );
    graded(
      "lets nobody overtake",
      {
        points: 1,
        hints: [
          "The first in the line waits for a large place. A small request behind it would fit. May it start?",
          "Not here: a large request would wait for ever if small ones kept overtaking it.",
          "Stop at the first request that finds no room: a while loop on line[0], not a loop over the line.",
        ],
      },
      async (student) => {
        const trace = traceOf([0, 4, 2, 2], [0, 4, 1, 4], [0, 1, 1, 1]);
        const got = lines(await student.simulate(trace, { kind: "reserve", numSlots: 10 }));
        const want = [
          ...["0 start 1", "0 wait 2", "1 wait 2", "1 finish 1"],
          ...["2 start 2", "2 start 3", "2 finish 2", "2 finish 3"],
        ];
        expectEqual(got, want, "the events");
      },
    );
    graded(
      "takes a block only when the last is full",
      {
        points: 3,
        hints: [
          "A prompt of 16 tokens, blocks of 16: how many blocks in the first step, before and after the first new token?",
          "One at the start. The first new token finds it full and takes the second; the next fifteen take none.",
          "Before you add a token: if tokens === slots of this request, take one block from the free ones.",
        ],
      },
      async (student) => {
        const trace = traceOf([0, 4, 5, 9], [0, 3, 6, 9], [1, 1, 1, 1], [2, 6, 1, 1]);
        const policy = { kind: "paged", numSlots: 40, blockSize: 4 } as const;
        const table = (events: readonly TestEvent[]): string[] =>
          events.map(
            ({ step, type, request, live, empty, free }) =>
              `${step} ${type} ${request}: ${live} live, ${empty} empty, ${free} free`,
          );
        expectEqual(
          table(await student.simulate(trace, policy)),
          table(engineEvents(trace, policy)),
          "the events with blocks of 4",
        );
      },
    );
    graded(
      "sends the newest away where no block is free",
      {
        points: 3,
        hints: [
          "Two requests share three blocks, and both need another one. Who gives way?",
          "The one that started last gives all its blocks back and waits at the front of the line. It keeps its tokens: they need room again when it starts again.",
          "while there is no free block: newest = running.at(−1); free its blocks; line.unshift(newest). Stop if newest was the request that wanted to grow.",
        ],
      },
      async (student, random) => {
        const trace = traceOf([0, 4, 4, 4], [0, 4, 4, 4], [0, 1, 1, 1]);
        const tight = { kind: "paged", numSlots: 12, blockSize: 4 } as const;
        const want = [
          ...["0 start 1", "0 start 2", "0 start 3", "0 preempt 3", "0 preempt 2"],
          ...["1 start 2", "1 wait 3", "1 preempt 2", "2 start 2", "2 wait 3", "2 preempt 2"],
          ...["3 start 2", "3 wait 3", "3 preempt 2", "3 finish 1"],
          ...["4 start 2", "4 start 3", "4 finish 3", "7 finish 2"],
        ];
        expectEqual(
          lines(await student.simulate(trace, tight)),
          want,
          "the events in three blocks",
        );
        for (const numSlots of [48, 64]) {
          const requests = someTrace(random);
          const policy = { kind: "paged", numSlots, blockSize: 4 } as const;
          const events = await student.simulate(requests, policy);
          expectEqual(lines(events), lines(engineEvents(requests, policy)), `in ${numSlots} slots`);
        }
      },
    );
    graded(
      "accounts for every slot",
      {
        points: 2,
        hints: [
          "Add live, empty and free of one event. What must it be?",
          "Every slot holds a token, or belongs to a request and is empty, or is free; none is two of these. In the end all are free.",
          "live is the sum of tokens over the running requests, empty the sum of their slots less live, and free is numSlots less all their slots.",
        ],
      },
      async (student, random) => {
        for (const policy of [
          { kind: "reserve", numSlots: 72 },
          { kind: "paged", numSlots: 72, blockSize: 8 },
          { kind: "paged", numSlots: 60, blockSize: 1 },
        ] as const) {
          const requests = someTrace(random);
          const events = await student.simulate(requests, policy);
          for (const { step, type, request, live, empty, free } of events) {
            const what = `${policy.kind}, ${step} ${type} ${request}`;
            expectEqual(live + empty + free, policy.numSlots, `${what}: live + empty + free`);
            expectThat(Math.min(live, empty, free) >= 0, `${what}: no count may be negative`);
          }
          expectEqual(events.at(-1)?.free, policy.numSlots, "the free slots in the end");
          expectEqual(events, engineEvents(requests, policy), `the events of ${policy.kind}`);
        }
      },
    );
    graded(
      "does the same every time, and leaves the trace alone",
      {
        points: 1,
        hints: [
          "Call it twice with the same trace. Does the second call begin with an empty memory?",
          "What a call needs lives in that call: holes, lines and counts inside the function. And the trace belongs to the caller: shift() would take requests out of it.",
          "Begin with const arriving = [...trace], and declare everything else inside simulate.",
        ],
      },
      async (student, random) => {
        for (const numSlots of [48, 56, 64]) {
          const requests = someTrace(random);
          const before = structuredClone(requests);
          const policy = { kind: "paged", numSlots, blockSize: 4 } as const;
          const first = await student.simulate(mutable(requests), policy);
          expectEqual(requests, before, "the trace after the call");
          expectEqual(await student.simulate(requests, policy), first, "the second call's events");
        }
      },
    );
  },
  { answers: { simulate: eventAnswer } },
);
