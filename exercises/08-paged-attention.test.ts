/** Project 8, graded: each test names one promise of a memory in blocks. */
import { randomInt, type Rng } from "infinity-inference/core/rng";
import {
  expectClose,
  expectEqual,
  expectThat,
  expectThrows,
  gradedExercise,
} from "infinity-inference/course/graded-test";
import { BlockManager } from "infinity-inference/runtime/block-manager";
import { Scheduler } from "infinity-inference/runtime/scheduler";
import { Sequence } from "infinity-inference/runtime/sequence";
import { mutable } from "infinity-inference/sandbox/remote";
import { z } from "zod";
import type * as Exercise from "./08-paged-attention.ts";

gradedExercise<typeof Exercise>(
  "hashChain",
  (graded) => {
    graded(
      "has a key for each full block",
      {
        points: 1,
        hints: [
          "Ten tokens in blocks of four: how many keys?",
          "Two. The third block is not full; somebody will write into it, so it has no key yet.",
          "for (let end = blockSize; end <= tokens.length; end += blockSize) …",
        ],
      },
      async (student, random) => {
        for (const length of [0, 3, 4, 5, 8, 10]) {
          const keys = await student.hashChain(someTokens(random, length), 4, "");
          expectEqual(keys.length, Math.floor(length / 4), `the keys of ${length} tokens`);
        }
      },
    );
    graded(
      "tells different tokens apart",
      {
        points: 2,
        hints: [
          "Are [1, 23] and [12, 3] the same block?",
          "They are where their digits are only put together. So are two orders of the same tokens, where they are added.",
          'Put something between the tokens that no number has: block.join(",").',
        ],
      },
      async (student) => {
        const keyOf = async (...tokens: number[]): Promise<string> =>
          (await student.hashChain(Int32Array.from(tokens), 2, ""))[0]!;
        for (const [one, other] of [
          [
            [1, 23],
            [12, 3],
          ],
          [
            [5, 9],
            [9, 5],
          ],
          [
            [4, 4],
            [3, 5],
          ],
          [
            [0, 7],
            [1, 7],
          ],
        ] as const) {
          const keys = [await keyOf(...one), await keyOf(...other)];
          expectThat(
            keys[0] !== keys[1],
            `[${one.join(", ")}] and [${other.join(", ")}] have one key`,
            { got: keys },
          );
        }
        expectEqual(await keyOf(5, 9), await keyOf(5, 9), "the key of the same tokens again");
      },
    );
    graded(
      "knows what came before",
      {
        points: 2,
        hints: [
          "The same words in another text: are their keys and values the same?",
          "No: what a token remembers depends on all tokens before it. A block's key must, too.",
          "Build each key from the key of the block before it and the block's own tokens.",
        ],
      },
      async (student, random) => {
        const [first, second, same] = [1, 2, 3].map((n) => someTokens(random, 4, 100 * n));
        const one = await student.hashChain(joined(first!, same!, same!), 4, "");
        const other = await student.hashChain(joined(second!, same!, same!), 4, "");
        const keys = [...one, ...other];
        expectThat(new Set(keys).size === 6, "six different prefixes have fewer keys", {
          got: keys,
        });
        const longer = await student.hashChain(joined(first!, same!, second!), 4, "");
        expectEqual(longer.slice(0, 2), one.slice(0, 2), "the keys of the same beginning");
      },
    );
    graded(
      "keeps tenants apart",
      {
        points: 1,
        hints: [
          "Two customers send the same prompt. May one find out that the other did?",
          "Not if a hit is faster and they do not share: the salt has to be part of every key.",
          "Let the salt stand for the block before the first one; JSON.stringify(salt) cannot be mistaken for tokens.",
        ],
      },
      async (student, random) => {
        const tokens = someTokens(random, 8);
        const keys: string[] = [];
        for (const salt of ["", "a", "b"]) keys.push(...(await student.hashChain(tokens, 4, salt)));
        expectThat(new Set(keys).size === 6, "three salts and two blocks have fewer than 6 keys", {
          got: keys,
        });
      },
    );
  },
  { answers: { hashChain: z.array(z.string()) } },
);

gradedExercise<typeof Exercise>("freeQueue", (graded) => {
  graded(
    "gives the block first that was freed first",
    {
      points: 2,
      hints: [
        "Which free block's contents are least likely to be asked for again?",
        "Those that were freed longest ago. Take from one end, add at the other.",
        "pop takes what stands behind the end mark; append links before it.",
      ],
    },
    async (student) => {
      const queue = await student.freeQueue(4);
      const popped = [await queue.pop(), await queue.pop(), await queue.pop()];
      expectEqual(popped, [0, 1, 2], "the first three of four");
      await queue.append([2, 0]);
      expectEqual(
        [await queue.pop(), await queue.pop(), await queue.pop(), await queue.pop()],
        [3, 2, 0, undefined],
        "what comes after 2 and 0 are added",
      );
    },
  );
  graded(
    "lets a block leave from anywhere",
    {
      points: 2,
      hints: [
        "The first, the last, one in the middle, and one that has come back: does each leave no trace?",
        "Its two neighbours have to know each other, and it has to know that it is gone.",
        "next[previous[block]] = next[block]; previous[next[block]] = previous[block]; then mark the block.",
      ],
    },
    async (student, random) => {
      const queue = await student.freeQueue(40);
      let expected = Array.from({ length: 40 }, (_, block) => block);
      for (let i = 0; i < 12; i++) {
        const leaving = [0, randomInt(random, expected.length), expected.length - 1].map(
          (at) => expected[at]!,
        );
        const blocks = [...new Set(leaving)];
        await queue.remove(blocks);
        expected = expected.filter((block) => !blocks.includes(block));
        if (i % 3 === 0) {
          await queue.append([blocks[0]!]);
          expected.push(blocks[0]!);
        }
      }
      const popped: (number | undefined)[] = [];
      for (let i = 0; i <= expected.length; i++) popped.push(await queue.pop());
      expectEqual(popped, [...expected, undefined], "what is left, in order");
    },
  );
  graded(
    "notices a block that is freed twice or taken twice",
    {
      points: 1,
      hints: [
        "Two sequences get the same block, and read each other's text. How could that happen?",
        "It was freed twice. Refuse it, and refuse to remove what is not there.",
        "if (has(block)) throw new Error(…) before it is added; if (!has(block)) before it is removed.",
      ],
    },
    async (student) => {
      const queue = await student.freeQueue(3);
      await expectThrows(queue.append([1]));
      await queue.remove([1]);
      await expectThrows(queue.remove([1]));
      expectEqual(await queue.pop(), 0, "the first one");
      await expectThrows(queue.remove([0]));
      await queue.append([0]);
      await expectThrows(queue.append([0]));
    },
  );
  graded(
    "takes as long with many blocks as with few",
    {
      points: 2,
      hints: [
        "A memory has hundreds of thousands of blocks. Does yours look for each from the beginning?",
        "indexOf and splice walk through the list. Remember for each block which ones stand beside it.",
        "Two arrays, next and previous, indexed by block; one more place in each is the end mark.",
      ],
      deadlineMs: 6000,
    },
    async (student, random) => {
      const numBlocks = 300_000;
      const queue = await student.freeQueue(numBlocks);
      const blocks = Array.from({ length: numBlocks }, (_, block) => block);
      for (let i = numBlocks - 1; i > 0; i--) {
        const j = randomInt(random, i + 1);
        [blocks[i], blocks[j]] = [blocks[j]!, blocks[i]!];
      }
      const leaving = blocks.slice(0, numBlocks - 3);
      await queue.remove(leaving);
      await queue.append([leaving[0]!]);
      const left = blocks.slice(numBlocks - 3).sort((a, b) => a - b);
      const popped = [await queue.pop(), await queue.pop(), await queue.pop(), await queue.pop()];
      expectEqual(popped, [...left, leaving[0]!], "the blocks that are left");
    },
  );
});

gradedExercise<typeof Exercise>("allocate", (graded) => {
  graded(
    "takes blocks for all tokens from the front",
    {
      points: 1,
      hints: [
        "How many blocks do nine tokens take, in blocks of four?",
        "Three: the last is partly filled. They come from the front of `free`, and have one user now.",
        "free.splice(0, Math.ceil(prompt.numTokens / pool.blockSize))",
      ],
    },
    async (student) => {
      const pool = somePool([6, 2, 0, 7]);
      expectEqual(
        await student.allocate(promptOf(9, "a", "b"), mutable(pool)),
        { table: [6, 2, 0], cachedTokens: 0 },
        "nine tokens",
      );
      expectEqual(pool.free, [7], "the free blocks");
      expectEqual(
        [6, 2, 0].map((block) => pool.references[block]),
        [1, 1, 1],
        "their users",
      );
    },
  );
  graded(
    "shares the beginning that others have computed",
    {
      points: 2,
      hints: [
        "Two requests begin with the same system prompt. How often does it lie in memory?",
        "Once. Look for the first key, then the second, up to the first that the pool does not have.",
        "const found = pool.keys.indexOf(key); if (found < 0) break; then count one user more.",
      ],
    },
    async (student) => {
      const pool = somePool([6, 2, 0, 7], { 4: "a", 5: "b", 1: "d" });
      for (const block of [4, 5, 1]) pool.references[block] = 1;
      expectEqual(
        await student.allocate(promptOf(18, "a", "b", "c", "d"), mutable(pool)),
        { table: [4, 5, 6, 2, 0], cachedTokens: 8 },
        "a prompt whose third block is not there",
      );
      expectEqual(
        [4, 5, 1].map((block) => pool.references[block]),
        [2, 2, 1],
        "users of 4, 5, 1",
      );
    },
  );
  graded(
    "leaves a token to compute",
    {
      points: 2,
      hints: [
        "The whole prompt is found. From what is the next token drawn?",
        "From the logits of the last token, which nobody has kept: it must go through the model. So at most ⌊(numTokens − 1) / blockSize⌋ blocks are shared.",
        "prompt.keys.slice(0, Math.floor((prompt.numTokens - 1) / pool.blockSize))",
      ],
    },
    async (student) => {
      for (const [numTokens, cachedTokens] of [
        [8, 4],
        [9, 8],
      ] as const) {
        const pool = somePool([6, 2, 0, 7], { 4: "a", 5: "b" });
        for (const block of [4, 5]) pool.references[block] = 1;
        const given = await student.allocate(promptOf(numTokens, "a", "b"), mutable(pool));
        expectEqual(given?.cachedTokens, cachedTokens, `the found ones of ${numTokens} tokens`);
      }
    },
  );
  graded(
    "brings back a free block before it takes others",
    {
      points: 3,
      hints: [
        "The found block is itself the first of the free ones. What do you take next?",
        "First take all found blocks out of `free`, then take new ones from the front: or one block is in the table twice.",
        "for (const block of found) if (references[block] === 0) free.splice(free.indexOf(block), 1); and only then free.splice(0, numNew).",
      ],
    },
    async (student) => {
      const pool = somePool([4, 6, 5, 2], { 4: "a", 5: "b" });
      expectEqual(
        await student.allocate(promptOf(14, "a", "b", "c"), mutable(pool)),
        { table: [4, 5, 6, 2], cachedTokens: 8 },
        "a prompt whose first two blocks are free",
      );
      expectEqual(pool.free, [], "the free blocks");
      expectEqual(
        [4, 5, 6, 2].map((block) => pool.references[block]),
        [1, 1, 1, 1],
        "users",
      );
    },
  );
  graded(
    "names what its full blocks hold, and forgets what they held",
    {
      points: 2,
      hints: [
        "Block 6 held the prefix x. Now something else is written there. What if somebody asks for x?",
        "Its key has to go. A full block gets its new key, the last, partly filled one gets none: it will still change.",
        "keys[block] = prompt.keys[index] ?? null",
      ],
    },
    async (student) => {
      const pool = somePool([6, 2, 0, 7], { 6: "x", 0: "y", 7: "z" });
      await student.allocate(promptOf(10, "a", "b"), mutable(pool));
      expectEqual(
        [6, 2, 0, 7].map((block) => pool.keys[block]),
        ["a", "b", null, "z"],
        "the keys",
      );
    },
  );
  graded(
    "changes nothing where memory is short",
    {
      points: 2,
      hints: [
        "The request waits. What of the blocks that it had got already?",
        "They would be lost. Count first: new blocks, and found ones that are free, against `free.length`.",
        "if (numNew + revived.length > pool.free.length) return null; before anything is changed.",
      ],
    },
    async (student) => {
      const pool = somePool([4, 6], { 4: "a", 5: "b" });
      pool.references[5] = 1;
      const before = structuredClone(pool);
      const answer = await student.allocate(promptOf(13, "a", "b", "c"), mutable(pool));
      expectEqual(answer, null, "a prompt that needs block 4 and two more, with 4 and 6 free");
      expectEqual(pool, before, "the pool afterwards");
      const small = somePool([6]);
      expectEqual(await student.allocate(promptOf(5), mutable(small)), null, "5 tokens, one block");
      expectEqual(small.free, [6], "the free blocks");
    },
  );
});

gradedExercise<typeof Exercise>("appendToken", (graded) => {
  graded(
    "writes into the last block while it has room",
    {
      points: 2,
      hints: [
        "Six tokens in blocks of four: where does the seventh go?",
        "Into the second block, place 2. Nothing has to be taken or copied.",
        "slot = table[Math.floor(length / blockSize)] · blockSize + length % blockSize",
      ],
    },
    async (student) => {
      const pool = somePool([6, 2]);
      for (const block of [3, 5]) pool.references[block] = 1;
      const sequence = { length: 6, table: [3, 5] };
      for (const slot of [22, 23]) {
        const placed = await student.appendToken(mutable(sequence), mutable(pool));
        expectEqual(placed, { slot, copy: null }, `token ${sequence.length - 1}`);
      }
      expectEqual(sequence, { length: 8, table: [3, 5] }, "the sequence");
      expectEqual(pool.free, [6, 2], "the free blocks");
    },
  );
  graded(
    "takes a block where the last is full, and forgets what it held",
    {
      points: 2,
      hints: [
        "Eight tokens fill two blocks of four. Where is the ninth?",
        "In the first place of a block from the front of `free`, which has one user and no key now.",
        "if (table[index] === undefined) { const block = free.shift(); references[block] = 1; keys[block] = null; … }",
      ],
    },
    async (student) => {
      const pool = somePool([6, 2], { 6: "x", 5: "b" });
      // Another uses both blocks, too; they are full, and nobody writes into them.
      for (const block of [3, 5]) pool.references[block] = 2;
      const sequence = { length: 8, table: [3, 5] };
      const placed = await student.appendToken(mutable(sequence), mutable(pool));
      expectEqual(placed, { slot: 24, copy: null }, "the ninth token");
      expectEqual(sequence, { length: 9, table: [3, 5, 6] }, "the sequence");
      expectEqual([pool.references[6], pool.keys[6], pool.keys[5]], [1, null, "b"], "block 6, 5");
    },
  );
  graded(
    "copies a block that others use before it writes",
    {
      points: 3,
      hints: [
        "Two texts share a half filled block and go on differently. Who may write there?",
        "Nobody, while two use it. The writer takes a free block in its place, and the old one has a user less.",
        "if (references[last] > 1) { references[last] -= 1; table[index] = taken; copy = { from: last, to: taken }; }",
      ],
    },
    async (student) => {
      const pool = somePool([6, 2]);
      pool.references[3] = 2;
      pool.references[5] = 2;
      const [parent, child] = [0, 1].map(() => ({ length: 6, table: [3, 5] }));
      expectEqual(
        await student.appendToken(mutable(child!), mutable(pool)),
        { slot: 26, copy: { from: 5, to: 6 } },
        "the child's token",
      );
      expectEqual(child!.table, [3, 6], "the child's blocks");
      expectEqual(
        [3, 5, 6].map((block) => pool.references[block]),
        [2, 1, 1],
        "users of 3, 5, 6",
      );
      expectEqual(
        await student.appendToken(mutable(parent!), mutable(pool)),
        { slot: 22, copy: null },
        "the parent's token: it is alone in block 5 now",
      );
    },
  );
  graded(
    "changes nothing where no block is free",
    {
      points: 1,
      hints: [
        "There is no block to copy to. What has happened to the counts already?",
        "Take the free block first; where there is none, return null before anything else.",
        "const taken = free.shift(); if (taken === undefined) return null;",
      ],
    },
    async (student) => {
      for (const length of [6, 8]) {
        const pool = somePool([]);
        for (const block of [3, 5]) pool.references[block] = 2;
        const [sequence, before] = [{ length, table: [3, 5] }, structuredClone(pool)];
        const placed = await student.appendToken(mutable(sequence), mutable(pool));
        expectEqual(placed, null, `a token after ${length}`);
        expectEqual(sequence, { length, table: [3, 5] }, "the sequence");
        expectEqual(pool, before, "the pool");
      }
    },
  );
});

gradedExercise<typeof Exercise>(
  "pagedAttention",
  (graded) => {
    graded(
      "sees the same through any table as in one piece",
      {
        points: 4,
        hints: [
          "Which block holds token 5, and which place in it, where blocks have two places?",
          "Logical block 2, place 1. Its slot is table[2] · 2 + 1, and its key begins at slot · kvHeads · headDim.",
          "const slot = table[Math.floor(t / blockSize)] * blockSize + (t % blockSize)",
        ],
      },
      async (student, random) => {
        for (const blockSize of [1, 2, 4, 16]) {
          const shape = { heads: 2, kvHeads: 2, headDim: 4 };
          await expectAttention(student, random, { shape, blockSize, length: 16 });
        }
      },
    );
    graded(
      "does not look beyond the last token",
      {
        points: 2,
        hints: [
          "The last block has four places and one token. What lies in the other three?",
          "Anything: what an earlier sequence left there. The loop runs over tokens, not over blocks.",
          "for (let t = 0; t < length; t++): not up to table.length · blockSize.",
        ],
      },
      async (student, random) => {
        const shape = { heads: 2, kvHeads: 2, headDim: 4 };
        for (const length of [1, 5, 7]) {
          await expectAttention(student, random, { shape, blockSize: 4, length });
        }
      },
    );
    graded(
      "lets query heads in a row share a key head",
      {
        points: 2,
        hints: [
          "Six query heads, two stored heads: which does query head 4 read?",
          "The first three read head 0, the others head 1.",
          "const kvHead = Math.floor(head / (heads / kvHeads))",
        ],
      },
      async (student, random) => {
        const shape = { heads: 6, kvHeads: 2, headDim: 4 };
        await expectAttention(student, random, { shape, blockSize: 4, length: 8 });
      },
    );
    graded(
      "stays finite where scores are large",
      {
        points: 1,
        hints: [
          "What is Math.exp(1000)?",
          "Infinity, and Infinity / Infinity is NaN. Softmax does not change where the same is subtracted from all scores.",
          "Subtract the largest score before Math.exp.",
        ],
      },
      async (student, random) => {
        const shape = { heads: 2, kvHeads: 2, headDim: 4 };
        await expectAttention(student, random, { shape, blockSize: 4, length: 8, scale: 300 });
      },
    );
  },
  { answers: { pagedAttention: z.instanceof(Float32Array) } },
);

gradedExercise<typeof Exercise>("schedule", (graded) => {
  graded(
    "lets those that write go first",
    {
      points: 2,
      hints: [
        "Someone reads a prompt of a thousand tokens; ten others wait for their next word. Who goes first?",
        "The ten: together they take ten tokens of the budget. The prompt gets what is left.",
        "Go through running twice: those with pending === 1, then the others.",
      ],
    },
    async (student) => {
      const state = stateOf(100, [
        [1, 20, 30],
        [2, 5, 1],
        [3, 9, 1],
      ]);
      const { parts } = await student.schedule(mutable(state), 8);
      expectEqual(
        parts,
        [
          { id: 2, count: 1 },
          { id: 3, count: 1 },
          { id: 1, count: 6 },
        ],
        "the parts of a step of 8 tokens",
      );
      expectEqual(state.running[0], { id: 1, stored: 26, pending: 24 }, "the sequence that reads");
    },
  );
  graded(
    "never plans more than the budget",
    {
      points: 2,
      hints: [
        "Three prompts of ten tokens, a budget of sixteen. What does the second get?",
        "Six: the rest of the budget. It goes on in the next step, and the third waits.",
        "const count = Math.min(sequence.pending, left); left -= count; and stop where left is 0.",
      ],
    },
    async (student) => {
      const state = stateOf(
        100,
        [],
        [
          [1, 0, 10],
          [2, 0, 10],
          [3, 0, 10],
        ],
      );
      const first = await student.schedule(mutable(state), 16);
      expectEqual(
        first.parts,
        [
          { id: 1, count: 10 },
          { id: 2, count: 6 },
        ],
        "the first step",
      );
      expectEqual(
        state.waiting.map(({ id }) => id),
        [3],
        "those that wait",
      );
      const { parts } = await student.schedule(mutable(state), 5);
      expectEqual(
        parts,
        [
          { id: 2, count: 4 },
          { id: 3, count: 1 },
        ],
        "the second step",
      );
    },
  );
  graded(
    "sends the newest away where blocks are missing",
    {
      points: 3,
      hints: [
        "The first sequence needs a block and none is free. Who gives one up?",
        "Whoever came last: it has the least to lose, and the oldest is never held up. All its blocks go, and its tokens are pending again.",
        "const newest = running.pop(); freeBlocks += blocks of newest.stored; newest.pending += newest.stored; newest.stored = 0; waiting gets it.",
      ],
    },
    async (student) => {
      const state = stateOf(0, [
        [1, 4, 1],
        [2, 7, 1],
        [3, 6, 1],
      ]);
      const plan = await student.schedule(mutable(state), 8);
      expectEqual(plan.preempted, [3], "who gives blocks back");
      expectEqual(
        plan.parts,
        [
          { id: 1, count: 1 },
          { id: 2, count: 1 },
        ],
        "the parts",
      );
      expectEqual(state.waiting, [{ id: 3, stored: 0, pending: 7 }], "those that wait");
      expectEqual(state.freeBlocks, 1, "free blocks: two came back, one was taken");
    },
  );
  graded(
    "takes back what the preempted one had got",
    {
      points: 2,
      hints: [
        "A sequence got its slot in this step, and then lost its blocks to an older one. Does it run?",
        "No: there is nothing left to run on. Its part goes, and its share of the budget is free again.",
        "Find its part in `parts`, splice it out, and add its count to what is left.",
      ],
    },
    async (student) => {
      const state = stateOf(0, [
        [1, 4, 9],
        [2, 6, 1],
      ]);
      const plan = await student.schedule(mutable(state), 5);
      expectEqual(plan.parts, [{ id: 1, count: 5 }], "the parts: 2 had got a token before");
      expectEqual(plan.preempted, [2], "who gives blocks back");
      expectEqual(state.waiting, [{ id: 2, stored: 0, pending: 7 }], "those that wait");
    },
  );
  graded(
    "starts nobody in a step that sent somebody away",
    {
      points: 2,
      hints: [
        "A sequence gave three blocks back, one was needed. Who takes the other two?",
        "Not one that waits: the next step would send it away again. It starts when a step went without.",
        "if (preempted.length === 0) { … start those that wait … }",
      ],
    },
    async (student) => {
      const state = stateOf(0, [
        [1, 4, 1],
        [2, 8, 1],
      ]);
      const plan = await student.schedule(mutable(state), 5);
      expectEqual(plan.parts, [{ id: 1, count: 1 }], "the parts");
      expectEqual(state.waiting, [{ id: 2, stored: 0, pending: 9 }], "those that wait");
      expectEqual(state.freeBlocks, 1, "the free blocks");
    },
  );
  graded(
    "starts in order, and nobody overtakes",
    {
      points: 2,
      hints: [
        "The first that waits is too long for what is free, the second would fit. Who starts?",
        "Neither. If short ones overtake, a long one may wait for ever.",
        "Stop at the first that has no room: while (… && grow(waiting[0])) …",
      ],
    },
    async (student) => {
      const state = stateOf(
        3,
        [],
        [
          [1, 0, 4],
          [2, 0, 12],
          [3, 0, 4],
        ],
      );
      const { parts } = await student.schedule(mutable(state), 100);
      expectEqual(parts, [{ id: 1, count: 4 }], "the parts, with three blocks of four free");
      expectEqual(
        state.waiting.map(({ id }) => id),
        [2, 3],
        "those that wait",
      );
    },
  );
  graded(
    "does what the engine's scheduler does",
    {
      points: 3,
      hints: [
        "Each rule holds alone. What if several apply in one step?",
        "A sequence may send itself away; one that was sent away must not get slots later in the same step; those that wait stand in the order of their ids.",
        "while (left > 0 && running.includes(sequence) && !grow(sequence)) stop the newest; then waiting.sort((a, b) => a.id - b.id).",
      ],
    },
    async (student, random) => {
      const [blockSize, numBlocks, budget] = [4, 13, 12];
      const blocks = new BlockManager({
        numBlocks,
        blockSize,
        watermark: 0,
        sharesPrefixes: false,
      });
      const engine = new Scheduler({ tokenBudget: budget, maxSequences: 99 });
      const state = stateOf(numBlocks, []);
      for (let id = 1; id <= 9; id++) {
        const length = 2 + randomInt(random, 20);
        engine.add(new Sequence(blocks, { id, request: id, tokens: new Int32Array(length) }));
        state.waiting.push({ id, stored: 0, pending: length });
      }
      for (let step = 1; step <= 60; step++) {
        const want = engine.schedule().parts.map(({ sequence: { id }, count }) => ({ id, count }));
        const { parts } = await student.schedule(mutable(state), budget);
        expectEqual(parts, want, `the parts of step ${step}`);
        expectEqual(state.freeBlocks, blocks.numFree, `free blocks after step ${step}`);
        for (const { id, count } of want) {
          const sequence = engine.running.find((one) => one.id === id)!;
          sequence.paged.compute(count);
          const own = state.running.find((one) => one.id === id)!;
          if (sequence.numPending > 0) continue;
          if (sequence.tokens.length < 40) {
            sequence.tokens.push(0);
            own.pending = 1;
            continue;
          }
          engine.remove(sequence);
          state.freeBlocks += Math.ceil(own.stored / blockSize);
          state.running.splice(state.running.indexOf(own), 1);
        }
      }
    },
  );
});

function someTokens(random: Rng, length: number, from = 0): Int32Array {
  return Int32Array.from({ length }, () => from + randomInt(random, 50));
}

function joined(...parts: readonly Int32Array[]): Int32Array {
  return Int32Array.from(parts.flatMap((part) => [...part]));
}

interface TestPool {
  blockSize: number;
  references: number[];
  keys: (string | null)[];
  free: number[];
}

/** Eight blocks of four. */
function somePool(free: number[], keys: Readonly<Record<number, string>> = {}): TestPool {
  return {
    blockSize: 4,
    references: new Array<number>(8).fill(0),
    keys: Array.from({ length: 8 }, (_, block) => keys[block] ?? null),
    free,
  };
}

function promptOf(numTokens: number, ...keys: string[]): { numTokens: number; keys: string[] } {
  return { numTokens, keys: [...keys, "e", "f", "g"].slice(0, Math.floor(numTokens / 4)) };
}

interface TestState {
  blockSize: number;
  freeBlocks: number;
  running: { id: number; stored: number; pending: number }[];
  waiting: { id: number; stored: number; pending: number }[];
}

type Row = readonly [id: number, stored: number, pending: number];

/** Blocks of four. */
function stateOf(
  freeBlocks: number,
  running: readonly Row[],
  waiting: readonly Row[] = [],
): TestState {
  const sequences = (rows: readonly Row[]): TestState["running"] =>
    rows.map(([id, stored, pending]) => ({ id, stored, pending }));
  return { blockSize: 4, freeBlocks, running: sequences(running), waiting: sequences(waiting) };
}

interface Shape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Lays random tokens out in shuffled blocks, with rubbish around them, and compares. */
async function expectAttention(
  student: {
    pagedAttention: (...args: Parameters<typeof Exercise.pagedAttention>) => Promise<Float32Array>;
  },
  random: Rng,
  {
    shape,
    blockSize,
    length,
    scale = 2,
  }: { shape: Shape; blockSize: number; length: number; scale?: number },
): Promise<void> {
  const { heads, kvHeads, headDim } = shape;
  const width = kvHeads * headDim;
  const some = (count: number, size = 1): Float32Array =>
    Float32Array.from({ length: count }, () => (random() - 0.5) * size);
  const [q, k, v] = [
    some(heads * headDim, scale),
    some(length * width, scale),
    some(length * width),
  ];
  const numBlocks = Math.ceil(length / blockSize) + 3;
  const table = shuffled(numBlocks, random).slice(0, Math.ceil(length / blockSize));
  const keys = new Float32Array(numBlocks * blockSize * width).fill(7);
  const values = new Float32Array(numBlocks * blockSize * width).fill(99);
  for (let t = 0; t < length; t++) {
    const slot = table[Math.floor(t / blockSize)]! * blockSize + (t % blockSize);
    keys.set(k.subarray(t * width, (t + 1) * width), slot * width);
    values.set(v.subarray(t * width, (t + 1) * width), slot * width);
  }
  const kv = { blockSize, keys, values };
  expectClose(
    await student.pagedAttention(q, kv, Int32Array.from(table), length, shape),
    attention(q, k, v, length, shape),
    {
      label: `what ${heads} heads see of ${length} tokens in blocks of ${blockSize}`,
      tolerance: 1e-5,
    },
  );
}

/** The same over rows in one piece. */
function attention(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  length: number,
  { heads, kvHeads, headDim }: Shape,
): Float32Array {
  const out = new Float32Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const at = (t: number): number =>
      (t * kvHeads + Math.floor(head / (heads / kvHeads))) * headDim;
    const scores = Array.from({ length }, (_, t) => {
      const products = Array.from(
        { length: headDim },
        (_, d) => q[head * headDim + d]! * k[at(t) + d]!,
      );
      return products.reduce((sum, product) => sum + product, 0) / Math.sqrt(headDim);
    });
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let d = 0; d < headDim; d++) {
      out[head * headDim + d] = weights.reduce((seen, w, t) => seen + (w / sum) * v[at(t) + d]!, 0);
    }
  }
  return out;
}

function shuffled(count: number, random: Rng): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = randomInt(random, i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}
