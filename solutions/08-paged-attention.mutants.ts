/** Project 8: the mistakes that students make, each as a change to the worked answer. */
import type { Mutant } from "infinity-inference/course/mutants";

export const mutants: readonly Mutant[] = [
  {
    name: "gives the last block a key",
    exercise: "hashChain",
    mistake: "A block that is not full will change; nobody may start on it.",
    killedBy: "has a key for each full block",
    replace: ["end <= tokens.length;", "end < tokens.length + blockSize;"],
  },
  {
    name: "leaves the last full block out",
    exercise: "hashChain",
    mistake: "Where the tokens end with a block, that block is full, too.",
    killedBy: "has a key for each full block",
    replace: ["end <= tokens.length;", "end < tokens.length;"],
  },
  {
    name: "puts digits together",
    exercise: "hashChain",
    mistake: "[1, 23] and [12, 3] become the same text.",
    killedBy: "tells different tokens apart",
    replace: ['.join(",")', '.join("")'],
  },
  {
    name: "adds tokens up",
    exercise: "hashChain",
    mistake: "The order of words is lost. A hit is believed, so another text's memory is used.",
    killedBy: "tells different tokens apart",
    replace: ['.join(",")', ".reduce((sum, token) => sum + token, 0)"],
  },
  {
    name: "takes each block alone",
    exercise: "hashChain",
    mistake: "The syllabus's hint read literally: what a token remembers depends on all before it.",
    killedBy: "knows what came before",
    replace: ["    before = `${before}|", "    before = `${JSON.stringify(salt)}|"],
  },
  {
    name: "forgets the salt",
    exercise: "hashChain",
    mistake: "One customer's hit tells that another has sent the same text.",
    killedBy: "keeps tenants apart",
    replace: ["JSON.stringify(salt)", '""'],
  },
  {
    name: "gives the newest first",
    exercise: "freeQueue",
    mistake: "A stack forgets what was used last, and keeps what nobody asks for.",
    killedBy: "gives the block first that was freed first",
    replace: ["const first = next[end]!;", "const first = previous[end]!;"],
  },
  {
    name: "adds at the front",
    exercise: "freeQueue",
    mistake: "What was just freed is the next to be forgotten.",
    killedBy: "gives the block first that was freed first",
    replace: [
      "link(previous[end]!, block);\n      link(block, end);",
      "const first = next[end]!;\n      link(end, block);\n      link(block, first);",
    ],
  },
  {
    name: "links one way only",
    exercise: "freeQueue",
    mistake: "A list that is linked both ways has two links to mend.",
    killedBy: "lets a block leave from anywhere",
    replace: ["link(previous[block]!, next[block]!);", "next[previous[block]!] = next[block]!;"],
  },
  {
    name: "frees twice",
    exercise: "freeQueue",
    mistake: "The block is given to two sequences.",
    killedBy: "notices a block that is freed twice or taken twice",
    replace: ["if (has(block)) throw new Error(`Block ${block} is free already.`);\n", ""],
  },
  {
    name: "removes what is not there",
    exercise: "freeQueue",
    mistake: "A block with an owner is handed over without a word.",
    killedBy: "notices a block that is freed twice or taken twice",
    replace: ["if (!has(block)) throw new Error(`Block ${block} is not free.`);\n", ""],
  },
  {
    name: "searches the row",
    exercise: "freeQueue",
    mistake: "indexOf looks at every block, and splice moves every block.",
    killedBy: "takes as long with many blocks as with few",
    code: `export function freeQueue(numBlocks: number): FreeQueue {
  const row = Array.from({ length: numBlocks }, (_, block) => block);
  return {
    pop: () => row.shift(),
    remove: (blocks) => {
      for (const block of blocks) {
        const at = row.indexOf(block);
        if (at < 0) throw new Error("not free");
        row.splice(at, 1);
      }
    },
    append: (blocks) => {
      for (const block of blocks) {
        if (row.includes(block)) throw new Error("free already");
        row.push(block);
      }
    },
  };
}`,
  },
  {
    name: "rounds blocks down",
    exercise: "allocate",
    mistake: "The tokens behind the last full block have no place.",
    killedBy: "takes blocks for all tokens from the front",
    replace: [
      "Math.ceil(prompt.numTokens / blockSize)",
      "Math.floor(prompt.numTokens / blockSize)",
    ],
  },
  {
    name: "counts no user",
    exercise: "allocate",
    mistake: "Whoever ends first frees what another still reads.",
    killedBy: "takes blocks for all tokens from the front",
    replace: ["references[block] = 1;", "references[block] = 0;"],
  },
  {
    name: "takes from the end",
    exercise: "allocate",
    mistake: "The end holds what was freed last, which is asked for most.",
    killedBy: "takes blocks for all tokens from the front",
    replace: ["free.splice(0, numNew)", "free.splice(free.length - numNew)"],
  },
  {
    name: "goes on behind a gap",
    exercise: "allocate",
    mistake: "A block that is found behind one that is not has a place that is not its own.",
    killedBy: "shares the beginning that others have computed",
    replace: ["if (found < 0) break;", "if (found < 0) continue;"],
  },
  {
    name: "does not count the second user",
    exercise: "allocate",
    mistake: "When the first one ends, the block is free and the second reads rubbish.",
    killedBy: "shares the beginning that others have computed",
    replace: [
      "for (const block of table) references[block]! += 1;",
      "for (const block of revived) references[block] = 1;",
    ],
  },
  {
    name: "finds the whole prompt",
    exercise: "allocate",
    mistake: "Nothing is left to compute, so there are no logits to draw the next token from.",
    killedBy: "leaves a token to compute",
    replace: ["(prompt.numTokens - 1) / blockSize", "prompt.numTokens / blockSize"],
  },
  {
    name: "takes before it touches",
    exercise: "allocate",
    mistake: "A found block is at the front of the row, and is taken for something else.",
    killedBy: "brings back a free block before it takes others",
    replace: ["for (const block of revived) free.splice(free.indexOf(block), 1);\n", ""],
  },
  {
    name: "leaves the old key",
    exercise: "allocate",
    mistake: "Somebody who looks for the old prefix gets the new one's memory.",
    killedBy: "names what its full blocks hold, and forgets what they held",
    replace: ["prompt.keys[table.length] ?? null", "prompt.keys[table.length] ?? keys[block]!"],
  },
  {
    name: "shares with nobody",
    exercise: "allocate",
    mistake: "Without keys, the next request with the same beginning computes it again.",
    killedBy: "names what its full blocks hold, and forgets what they held",
    replace: ["prompt.keys[table.length] ?? null", "null"],
  },
  {
    name: "counts revived blocks as free",
    exercise: "allocate",
    mistake: "A found block that is free is needed itself, and cannot be taken for the rest.",
    killedBy: "changes nothing where memory is short",
    replace: ["numNew + revived.length > free.length", "numNew > free.length"],
  },
  {
    name: "takes what there is",
    exercise: "allocate",
    mistake: "Half a prompt in memory helps nobody, and its blocks are lost while it waits.",
    killedBy: "changes nothing where memory is short",
    replace: ["if (numNew + revived.length > free.length) return null;\n", ""],
  },
  {
    name: "takes a block for every token",
    exercise: "appendToken",
    mistake: "The last block has room until it is full.",
    killedBy: "writes into the last block while it has room",
    replace: ["const last = table[index];", "const last = table[length];"],
  },
  {
    name: "does not count the token",
    exercise: "appendToken",
    mistake: "The next token gets the same slot.",
    killedBy: "writes into the last block while it has room",
    replace: ["sequence.length += 1;\n", ""],
  },
  {
    name: "keeps the key of what it overwrites",
    exercise: "appendToken",
    mistake: "The block is still found under what it held before.",
    killedBy: "takes a block where the last is full, and forgets what it held",
    replace: ["keys[taken] = null;\n", ""],
  },
  {
    name: "copies full blocks",
    exercise: "appendToken",
    mistake: "Nobody writes into a full block, so it may stay shared for ever.",
    killedBy: "takes a block where the last is full, and forgets what it held",
    replace: [
      "const index = Math.floor(length / blockSize);",
      "const index = Math.min(table.length - 1, Math.floor(length / blockSize));",
    ],
  },
  {
    name: "writes into a shared block",
    exercise: "appendToken",
    mistake: "The other text's memory holds a word that it does not contain.",
    killedBy: "copies a block that others use before it writes",
    replace: ["last === undefined || references[last]! > 1", "last === undefined"],
  },
  {
    name: "keeps the old count",
    exercise: "appendToken",
    mistake: "The old block seems shared for ever: it is copied without need and never free again.",
    killedBy: "copies a block that others use before it writes",
    replace: ["references[last]! -= 1;\n", ""],
  },
  {
    name: "forgets to tell what to copy",
    exercise: "appendToken",
    mistake: "The new block lacks the tokens before.",
    killedBy: "copies a block that others use before it writes",
    replace: ["copy = { from: last, to: taken };\n", ""],
  },
  {
    name: "counts before it knows",
    exercise: "appendToken",
    mistake: "The token waits, and its place is counted already.",
    killedBy: "changes nothing where no block is free",
    replace: [
      "if (taken === undefined) return null;",
      "if (taken === undefined) {\n      sequence.length += 1;\n      return null;\n    }",
    ],
  },
  {
    name: "reads as if in one piece",
    exercise: "pagedAttention",
    mistake: "Without the table it reads other sequences' tokens.",
    killedBy: "sees the same through any table as in one piece",
    replace: [
      "const slot = block * kv.blockSize + (token % kv.blockSize);",
      "const slot = token + 0 * block;",
    ],
  },
  {
    name: "takes the block for the slot",
    exercise: "pagedAttention",
    mistake: "The table holds numbers of blocks; a slot is a place in one.",
    killedBy: "sees the same through any table as in one piece",
    replace: ["block * kv.blockSize + (token", "block + (token"],
  },
  {
    name: "forgets the root",
    exercise: "pagedAttention",
    mistake: "Scores are √headDim times too large, and attention too sharp.",
    killedBy: "sees the same through any table as in one piece",
    replace: ["dot / Math.sqrt(headDim)", "dot"],
  },
  {
    name: "looks at whole blocks",
    exercise: "pagedAttention",
    mistake: "The rest of the last block holds what an earlier sequence left there.",
    killedBy: "does not look beyond the last token",
    replace: [
      "Array.from({ length }, (_, token) => {",
      "Array.from({ length: table.length * kv.blockSize }, (_, token) => {",
    ],
  },
  {
    name: "deals key heads round robin",
    exercise: "pagedAttention",
    mistake: "Neighbouring query heads share a stored head; it is not every other one.",
    killedBy: "lets query heads in a row share a key head",
    replace: ["Math.floor((head * kvHeads) / heads)", "head % kvHeads"],
  },
  {
    name: "lets exponentials overflow",
    exercise: "pagedAttention",
    mistake: "e to the 1000 is Infinity, and Infinity over Infinity is NaN.",
    killedBy: "stays finite where scores are large",
    replace: ["Math.exp(score - largest)", "Math.exp(score - 0 * largest)"],
  },
  {
    name: "serves in the order of arrival",
    exercise: "schedule",
    mistake: "A long prompt takes the whole budget, and everybody's text stands still.",
    killedBy: "lets those that write go first",
    replace: ["[...writing, ...reading]", "[...running.filter(({ pending }) => pending > 0)]"],
  },
  {
    name: "runs prompts whole",
    exercise: "schedule",
    mistake: "A step then takes as long as the longest prompt.",
    killedBy: "never plans more than the budget",
    replace: ["Math.min(sequence.pending, left)", "sequence.pending"],
  },
  {
    name: "spends no budget",
    exercise: "schedule",
    mistake: "Every sequence gets the whole budget.",
    killedBy: "never plans more than the budget",
    replace: ["    left -= count;\n", ""],
  },
  {
    name: "sends the oldest away",
    exercise: "schedule",
    mistake: "It has the most to compute again, and may never end.",
    killedBy: "sends the newest away where blocks are missing",
    replace: ["running.pop()!", "running.shift()!"],
  },
  {
    name: "keeps what is stored as if it were there",
    exercise: "schedule",
    mistake: "The blocks are gone: all its tokens have to go through the model again.",
    killedBy: "sends the newest away where blocks are missing",
    replace: ["newest.pending += newest.stored;\n", ""],
  },
  {
    name: "loses its blocks",
    exercise: "schedule",
    mistake: "Memory shrinks with every preemption until nothing runs.",
    killedBy: "sends the newest away where blocks are missing",
    code: `export function schedule(state: SchedulerState, budget: number): StepPlan {
  const { blockSize, running, waiting } = state;
  const preempted: number[] = [];
  const parts: { id: number; count: number }[] = [];
  for (const one of [...running]) {
    const needed = Math.ceil((one.stored + 1) / blockSize) - Math.ceil(one.stored / blockSize);
    if (needed > state.freeBlocks) {
      const newest = running.pop()!;
      newest.pending += newest.stored;
      newest.stored = 0;
      preempted.push(newest.id);
      waiting.unshift(newest);
    }
    parts.push({ id: one.id, count: Math.min(one.pending, budget) });
  }
  return { parts, preempted };
}`,
  },
  {
    name: "runs what has lost its blocks",
    exercise: "schedule",
    mistake: "The step would write into blocks that belong to another.",
    killedBy: "takes back what the preempted one had got",
    replace: ["if (at >= 0) left += parts.splice(at, 1)[0]!.count;\n", ""],
  },
  {
    name: "forgets the budget that comes back",
    exercise: "schedule",
    mistake: "The step is smaller than it could be.",
    killedBy: "takes back what the preempted one had got",
    replace: [
      "if (at >= 0) left += parts.splice(at, 1)[0]!.count;",
      "if (at >= 0) parts.splice(at, 1);",
    ],
  },
  {
    name: "fills the gap at once",
    exercise: "schedule",
    mistake: "Who starts on what was just taken away is the next to be sent away.",
    killedBy: "starts nobody in a step that sent somebody away",
    replace: ["preempted.length === 0 && left > 0", "left > 0"],
  },
  {
    name: "lets short ones overtake",
    exercise: "schedule",
    mistake: "A long prompt waits for as long as short ones keep coming.",
    killedBy: "starts in order, and nobody overtakes",
    replace: [
      "while (preempted.length === 0 && left > 0 && waiting.length > 0 && grow(waiting[0]!)) {\n    running.push(waiting.shift()!);\n  }",
      "for (const one of preempted.length === 0 ? [...waiting] : []) {\n    if (left === 0 || !grow(one)) continue;\n    waiting.splice(waiting.indexOf(one), 1);\n    running.push(one);\n  }",
    ],
  },
  {
    name: "grows what it has sent away",
    exercise: "schedule",
    mistake: "A sequence that waits holds blocks, and nobody will give them back.",
    killedBy: "does what the engine's scheduler does",
    replace: [
      "left > 0 && running.includes(sequence) && !grow(sequence)",
      "left > 0 && running.length > 0 && !grow(sequence)",
    ],
  },
  {
    name: "sends to the end of the line",
    exercise: "schedule",
    mistake: "Who had begun waits for everybody who came later.",
    killedBy: "does what the engine's scheduler does",
    replace: ["    waiting.sort((a, b) => a.id - b.id);\n", ""],
  },
];
