/** The scheduler on a memory that is only numbers: each slot says which prefix it holds. */
import { expect } from "chai";
import { UsageError } from "../core/errors.ts";
import { randomInt, seededRng, type Rng } from "../core/rng.ts";
import { BlockManager } from "./block-manager.ts";
import {
  Scheduler,
  type ScheduleEvent,
  type SchedulerOptions,
  type StepPlan,
} from "./scheduler.ts";
import { Sequence } from "./sequence.ts";

interface BenchOptions extends Partial<SchedulerOptions> {
  readonly numBlocks: number;
  readonly blockSize?: number;
  readonly watermark?: number;
}

/** A number for every prefix of `tokens`. */
function prefixNumbers(tokens: readonly number[]): number[] {
  let hash = 17;
  return tokens.map((token) => (hash = (Math.imul(hash, 31) + token + 1) | 0));
}

/** Runs a scheduler's steps without a model. */
class Bench {
  readonly blocks: BlockManager;
  readonly scheduler: Scheduler;
  readonly events: ScheduleEvent[] = [];
  readonly #content: Int32Array;
  readonly #saved = new Map<Sequence, Int32Array>();
  #numSequences = 0;

  constructor({ numBlocks, blockSize = 4, watermark = 0, ...options }: BenchOptions) {
    this.blocks = new BlockManager({ numBlocks, blockSize, watermark });
    this.#content = new Int32Array(numBlocks * blockSize);
    this.scheduler = new Scheduler({
      ...{ tokenBudget: 16, maxSequences: 8 },
      observe: (event) => this.events.push(event),
      ...options,
    });
  }

  add(tokens: readonly number[], request = this.#numSequences + 1, salt = ""): Sequence {
    const id = ++this.#numSequences;
    const sequence = new Sequence(this.blocks, { id, request, tokens, salt });
    this.scheduler.add(sequence);
    return sequence;
  }

  fork(parent: Sequence): Sequence {
    const id = ++this.#numSequences;
    const paged = parent.status === "running" ? parent.paged.fork(id) : undefined;
    const { request, tokens, salt } = parent;
    const child = new Sequence(this.blocks, { id, request, tokens, salt }, paged);
    this.scheduler.addFork(parent, child);
    return child;
  }

  /** One step, in which every part is computed; drafts are accepted as far as `accepts` says. */
  step(accepts: (draft: readonly number[]) => number = () => 0): StepPlan {
    const plan = this.scheduler.schedule();
    this.#move(plan);
    for (const { sequence, count, draft } of plan.parts) {
      const { paged, tokens } = sequence;
      const begin = paged.numComputed;
      const all = prefixNumbers([...tokens.slice(0, begin + count), ...draft]);
      paged.slots.subarray(begin).forEach((slot, i) => {
        this.#content[slot] = all[begin + i]!;
      });
      expect(paged.numReserved).to.equal(all.length);
      paged.compute(count + draft.length);
    }
    for (const { sequence, draft } of plan.parts) {
      const accepted = draft.slice(0, accepts(draft));
      if (draft.length > 0) sequence.paged.truncate(sequence.tokens.length + accepted.length);
      sequence.tokens.push(...accepted);
      sequence.draft = [];
      sequence.paged.commit();
    }
    for (const { sequence } of plan.parts) this.#checkContent(sequence);
    return plan;
  }

  remove(sequence: Sequence): void {
    this.scheduler.remove(sequence);
    this.#saved.delete(sequence);
  }

  /** Blocks are named by as many tables as they have owners, and free where there is none. */
  checkBlocks(): void {
    const owners = new Int32Array(this.blocks.numBlocks);
    for (const id of this.blocks.ids) {
      for (const block of this.blocks.blockTable(id)) owners[block]!++;
    }
    const used = owners.filter((count) => count > 0).length;
    expect(this.blocks.numFree).to.equal(this.blocks.numBlocks - used);
    owners.forEach((count, block) => {
      if (count !== this.blocks.numOwners(block)) expect.fail(`block ${block} has ${count} owners`);
    });
    expect(this.blocks.ids.length).to.equal(this.scheduler.running.length);
  }

  #move({ moves }: StepPlan): void {
    const { blockSize } = this.blocks;
    for (const move of moves) {
      if (move.type === "copy") {
        const begin = move.from * blockSize;
        this.#content.copyWithin(move.to * blockSize, begin, begin + blockSize);
      } else if (move.type === "save") {
        this.#saved.set(
          move.sequence,
          move.slots.map((slot) => this.#content[slot]!),
        );
      } else {
        const saved = this.#saved.get(move.sequence)!;
        move.slots.forEach((slot, i) => (this.#content[slot] = saved[move.first + i]!));
        this.#saved.delete(move.sequence);
      }
    }
  }

  #checkContent({ id, paged, tokens }: Sequence): void {
    const wanted = prefixNumbers(tokens);
    const { slots, numComputed } = paged;
    for (let i = 0; i < numComputed; i++) {
      if (this.#content[slots[i]!] !== wanted[i])
        expect.fail(`token ${i} of sequence ${id} is lost`);
    }
  }
}

const range = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, i) => from + i);
const idsOf = (sequences: readonly Sequence[]): number[] => sequences.map(({ id }) => id);
const partsOf = ({ parts }: StepPlan): (readonly number[])[] =>
  parts.map(({ sequence, count }) => [sequence.id, count]);

describe("scheduler", () => {
  it("lets those that write go first, and reads prompts with what is left", () => {
    const bench = new Bench({ numBlocks: 32, tokenBudget: 8 });
    const first = bench.add(range(3));
    expect(partsOf(bench.step())).to.deep.equal([[1, 3]]);
    bench.add(range(20, 100));
    bench.add(range(4, 200));
    first.tokens.push(50);
    expect(partsOf(bench.step())).to.deep.equal([
      [1, 1],
      [2, 7],
    ]);
    first.tokens.push(51);
    expect(partsOf(bench.step())).to.deep.equal([
      [1, 1],
      [2, 7],
    ]);
    first.tokens.push(52);
    expect(partsOf(bench.step())).to.deep.equal([
      [1, 1],
      [2, 6],
      [3, 1],
    ]);
  });

  it("runs no more sequences at once than it may, counting those that a request will become", () => {
    const bench = new Bench({ numBlocks: 32, maxSequences: 3 });
    const pair = new Sequence(bench.blocks, { id: 90, request: 1, tokens: [1, 2], numSeats: 2 });
    bench.scheduler.add(pair);
    bench.add([3], 2);
    bench.add([4], 3);
    bench.step();
    expect(idsOf(bench.scheduler.running)).to.deep.equal([90, 1]);
    bench.fork(pair);
    expect(pair.numSeats).to.equal(1);
    expect(bench.step().parts).to.deep.equal([]);
    bench.remove(pair);
    bench.step();
    expect(idsOf(bench.scheduler.running)).to.deep.equal([3, 1, 2]);
  });

  for (const preemption of ["recompute", "swap"] as const) {
    it(`stops the newest for older ones, and lets it go on in its turn, by ${preemption}`, () => {
      const bench = new Bench({ numBlocks: 4, preemption });
      const [first, second] = [bench.add(range(7)), bench.add(range(7, 50))];
      bench.add(range(2, 90));
      bench.step();
      for (const sequence of [first, second]) sequence.tokens.push(1);
      bench.step();
      // Each has filled its two blocks: the first may grow, and the second has to wait.
      for (const sequence of [first, second]) sequence.tokens.push(2);
      expect(partsOf(bench.step())).to.deep.equal([[1, 1]]);
      expect(idsOf(bench.scheduler.waiting)).to.deep.equal([2, 3]);
      expect(bench.events.at(-1)).to.deep.equal({
        ...{ type: "preempted", sequence: 2, numTokens: 8 },
        how: preemption === "swap" ? "swap" : "recompute",
      });
      // Three blocks are needed for the second, and the third does not overtake it.
      bench.step();
      expect(idsOf(bench.scheduler.running)).to.deep.equal([1]);
      bench.remove(first);
      const plan = bench.step();
      // Of what it had computed, what lay in a block that nobody took is found again.
      const found = preemption === "swap" ? 8 : 4;
      expect(second.paged.numComputed).to.equal(9);
      expect(partsOf(plan)[0]).to.deep.equal([2, 9 - found]);
      bench.checkBlocks();
    });
  }

  it("computes again what it may not save", () => {
    const bench = new Bench({ numBlocks: 4, preemption: "swap", maxSavedTokens: 7 });
    const sequences = [bench.add(range(8)), bench.add(range(8, 50))];
    bench.step();
    for (const sequence of sequences) sequence.tokens.push(1);
    bench.step();
    const stopped = bench.events.filter((event) => event.type === "preempted");
    expect(stopped.map(({ how }) => how)).to.deep.equal(["recompute"]);
  });

  it("drops a draft before it stops a sequence for it", () => {
    const bench = new Bench({ numBlocks: 4 });
    const [first, second] = [bench.add(range(6)), bench.add(range(6, 50))];
    bench.step();
    first.tokens.push(1);
    second.tokens.push(1);
    first.draft = [7, 8];
    const { parts } = bench.step(() => 1);
    expect(parts.map(({ draft }) => draft)).to.deep.equal([[], []]);
    first.tokens.push(2);
    bench.remove(second);
    first.draft = [7, 8];
    expect(bench.step(() => 1).parts.map(({ draft }) => draft)).to.deep.equal([[7, 8]]);
    expect(first.paged.numComputed).to.equal(9);
  });

  it("says what was asked wrongly", () => {
    expect(() => new Scheduler({ tokenBudget: 0, maxSequences: 1 })).to.throw(
      UsageError,
      /tokenBudget is 0/,
    );
    expect(() => new Scheduler({ tokenBudget: 1, maxSequences: 1.5 })).to.throw(
      UsageError,
      /maxSequences is 1.5/,
    );
  });

  for (const preemption of ["recompute", "swap"] as const) {
    it(`survives 50,000 random operations by ${preemption}: nothing is lost, leaks or starves`, () => {
      const bench = new Bench({
        ...{ numBlocks: 24, blockSize: 4, watermark: 0.05, preemption },
        ...{ tokenBudget: 12, maxSequences: 6, maxSavedTokens: 40 },
      });
      const rng = seededRng(preemption === "swap" ? 1 : 2);
      const live = new Set<Sequence>();
      const counts = { fork: 0, draft: 0, abort: 0 };
      for (let i = 0; i < 50_000; i++) {
        const { running, waiting } = bench.scheduler;
        const action = rng();
        if (action < 0.12 && waiting.length < 8)
          live.add(bench.add(randomPrompt(rng), undefined, rng() < 0.8 ? "" : "salt"));
        else if (action < 0.15 && running.length > 0) {
          live.add(bench.fork(running[randomInt(rng, running.length)]!));
          counts.fork++;
        } else if (action < 0.16 && live.size > 0) {
          end(bench, live, [...live][randomInt(rng, live.size)]!);
          counts.abort++;
        } else {
          for (const sequence of running) {
            if (sequence.numPending !== 1 || rng() < 0.8) continue;
            sequence.draft = Array.from({ length: 1 + randomInt(rng, 4) }, () => randomInt(rng, 2));
            counts.draft++;
          }
          for (const { sequence } of bench.step((draft) => randomInt(rng, draft.length + 1))
            .parts) {
            if (sequence.numPending > 0) continue;
            // Alone, each would fit.
            if (sequence.tokens.length >= 90 || rng() < 0.05) end(bench, live, sequence);
            else sequence.tokens.push(randomInt(rng, 2));
          }
        }
        if (i % 20 === 0) bench.checkBlocks();
      }
      expect(Math.min(...Object.values(counts))).to.be.at.least(500);
      const stopped = bench.events.filter((event) => event.type === "preempted");
      expect(stopped.length).to.be.at.least(500);
      expect(new Set(stopped.map(({ how }) => how)).size).to.equal(preemption === "swap" ? 2 : 1);
      expectAllToEnd(bench, live);
      expect(bench.blocks.numFree).to.equal(24);
    });
  }
});

function end(bench: Bench, live: Set<Sequence>, sequence: Sequence): void {
  bench.remove(sequence);
  live.delete(sequence);
}

/** Few different tokens, so that prefixes are shared. */
function randomPrompt(rng: Rng): number[] {
  return Array.from({ length: 1 + randomInt(rng, 40) }, (_, i) => (i < 12 ? i : randomInt(rng, 2)));
}

/** With nothing new to do, every sequence is written to its end, the oldest in every step. */
function expectAllToEnd(bench: Bench, live: Set<Sequence>): void {
  while (live.size > 0) {
    const oldest = [...live].reduce((a, b) => (a.isAfter(b) ? b : a));
    // What it lacks may be a full budget away, and a step for those that were just stopped.
    for (let steps = 0; live.has(oldest); steps++) {
      expect(steps, `the steps of sequence ${oldest.id}`).to.be.below(200);
      for (const { sequence } of bench.step().parts) {
        if (sequence.numPending > 0) continue;
        if (sequence.tokens.length >= 90) end(bench, live, sequence);
        else sequence.tokens.push(0);
      }
    }
  }
}
