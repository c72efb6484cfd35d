/**
 * What speculation gains on this machine, beside plain decoding of the same target in the same process,
 * in turns; and whether the formula of `src/runtime/speculative-speed.ts` says so from what was measured.
 *
 *     make bench-decoding                      all of it
 *     make bench-decoding ARGS="--smoke"       a minute, to see that it works
 *     make bench-decoding ARGS="--draft FILE --target FILE --threads 1"
 *     make bench-decoding ARGS="--draft-weights file"   the draft as it is stored
 */
import { parseArgs } from "node:util";
import {
  tokensPerSecond,
  totalsOf,
  writePlainly,
  writeSpeculatively,
  type Guessing,
  type Pair,
  type Writing,
  type Written,
} from "../src/cli/speculate-measure.ts";
import { openPair } from "../src/cli/speculation-pair.ts";
import { shippedModel } from "../src/corpus/shipped-models.ts";
import { stories } from "../src/corpus/stories.ts";
import { roundings } from "../src/model/rounded-rows.ts";
import { AdaptiveLength } from "../src/runtime/speculative-length.ts";
import { expectedSpeedup, fastestLength } from "../src/runtime/speculative-speed.ts";
import { defaultSampling } from "../src/runtime/sampler.ts";
import { passMilliseconds } from "./decoding-costs.ts";
import { median, printTable, saveResult } from "./result.ts";

const { values } = parseArgs({
  options: {
    smoke: { type: "boolean", default: false },
    draft: { type: "string", default: shippedModel("draft") },
    target: { type: "string", default: shippedModel("target") },
    "draft-weights": { type: "string", default: "Q8_0" },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "5" },
  },
});
const rounding = roundings.find((name) => name === values["draft-weights"]);
if (!rounding) throw new Error(`--draft-weights is one of ${roundings.join(", ")}.`);
const numRounds = values.smoke ? 1 : Number(values.rounds);
const numPrompts = values.smoke ? 2 : 6;
const maxTokens = values.smoke ? 48 : 128;
const lengths = values.smoke ? [3] : [1, 2, 3, 4, 7, 11];
const batches = [1, 2, 4, 8];
const acceptances = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95];
const draftCosts = [0, 0.05, 0.1, 0.2, 0.4];

const results = [];
for (const threads of values.threads.split(",").map(Number)) {
  const { draft, target } = values;
  const { pair, draftThreads, close } = await openPair({
    ...{ draft, target, rounding, device: "cpu", threads },
  });
  try {
    results.push({ threads, draftThreads, draftWeights: rounding, ...(await measureAll(pair)) });
  } finally {
    await close();
  }
}
if (values.smoke) console.log("this was a part, so nothing was written");
else saveResult("decoding", { rounds: numRounds, maxTokens, results });

async function measureAll(pair: Pair): Promise<object> {
  const prompts = storyPrompts(pair, numPrompts);
  const rows = [];
  for (const temperature of [0, 1]) {
    for (const guessing of guessings())
      rows.push(await compare(pair, guessing, prompts, temperature));
  }
  printTable(rows);
  const copying = await compareCopying(pair, prompts[0]!);
  printTable([{ task: "a story written again", ...copying }]);
  const same = await countSameTexts(pair);
  console.log(`${same.same} of ${same.prompts} texts of ${same.tokens} tokens are the same`);
  const costs = await measureCosts(pair);
  printTable(costs.passes);
  const curve = curves(costs, rows.find(({ length }) => length === lengths[0])!.acceptance ?? 0);
  printTable(curve.byAcceptance);
  printTable(curve.byBatch);
  return { rows, copying, same, costs, curve };
}

function guessings(): readonly Guessing[] {
  return [
    ...lengths.map((length) => ({ source: "model", length, branches: 1 }) as const),
    { source: "model", length: "adaptive", branches: 1 },
    { source: "tree", length: 3, branches: 2 },
    { source: "tree", length: "adaptive", branches: 2 },
    { source: "ngram", length: 7, branches: 1 },
    { source: "ngram", length: "adaptive", branches: 1 },
  ];
}

/** Speculation beside plain decoding, and beside the formula. */
interface Comparison {
  readonly source: string;
  readonly length: number | "adaptive";
  readonly temperature: number;
  readonly acceptance: number | null;
  readonly tokensPerPass: number | null;
  /** A guess, in plain passes. */
  readonly draftCost: number;
  /** A pass with guesses, in plain passes. */
  readonly verifyCost: number;
  /** Median over rounds; each round is all prompts. */
  readonly speedup: number;
  /** From acceptance and costs; null where the length is not always the same. */
  readonly predicted: number | null;
  readonly measuredToPredicted: number | null;
  /** Of each round. */
  readonly rounds: readonly number[];
}

/** The first round warms up and learns the length. Turns change from round to round. */
async function compare(
  pair: Pair,
  way: Guessing,
  prompts: readonly Int32Array[],
  temperature: number,
): Promise<Comparison> {
  const guessing = { ...way, policy: new AdaptiveLength() };
  const fast: Written[] = [];
  const slow: Written[] = [];
  const rounds: number[] = [];
  for (let round = -1; round < numRounds; round++) {
    const [quick, plain]: [Written[], Written[]] = [[], []];
    for (const [i, prompt] of prompts.entries()) {
      const writing = writingOf(prompt, temperature, i);
      const turns = [
        async () => void quick.push(await writeSpeculatively(pair, guessing, writing)),
        async () => void plain.push(await writePlainly(pair, writing)),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
    }
    if (round < 0) continue;
    rounds.push(overallSpeed(quick) / overallSpeed(plain));
    fast.push(...quick);
    slow.push(...plain);
  }
  const { source, length } = guessing;
  const passes = fast.flatMap((written) => written.passes);
  const { acceptanceRate, tokensPerTargetPass } = totalsOf(passes);
  const plainMs = median(slow.map((written) => 1000 / tokensPerSecond(written)!));
  const guessed = passes.filter((pass) => pass.length > 0);
  const draftCost = mean(guessed.map((pass) => pass.draftMs / pass.length)) / plainMs;
  const full = passes.filter((pass) => pass.length === length);
  const verifyCost =
    mean((length === "adaptive" ? guessed : full).map((p) => p.verifyMs)) / plainMs;
  const speedup = median(rounds);
  const predicted =
    length === "adaptive" || source === "ngram" || acceptanceRate === null
      ? null
      : expectedSpeedup(acceptanceRate, length, { draft: draftCost, verify: () => verifyCost });
  return {
    ...{
      source,
      length,
      temperature,
      acceptance: acceptanceRate,
      tokensPerPass: tokensPerTargetPass,
    },
    ...{ draftCost, verifyCost, speedup, predicted },
    measuredToPredicted: predicted === null ? null : speedup / predicted,
    rounds,
  };
}

/** Milliseconds of passes by rows: of one sequence, and of several together. */
interface Costs {
  readonly draftMs: number;
  readonly passes: readonly { batch: number; rows: number; ms: number; cost: number }[];
}

async function measureCosts({ target, draft }: Pair): Promise<Costs> {
  const repeat = values.smoke ? 5 : 40;
  const passes: { batch: number; rows: number; ms: number; cost: number }[] = [];
  for (const batch of batches) {
    let plainMs = 0;
    for (const rows of [1, 2, 3, 4, 5, 8, 12]) {
      const ms = await passMilliseconds(target, batch, rows, repeat);
      if (rows === 1) plainMs = ms;
      passes.push({ batch, rows, ms, cost: ms / plainMs });
    }
  }
  return { draftMs: await passMilliseconds(draft!, 1, 1, repeat), passes };
}

/** The formula over a grid, with the costs of passes that were measured. */
function curves(
  { draftMs, passes }: Costs,
  measuredAcceptance: number,
): {
  readonly byAcceptance: readonly object[];
  readonly byBatch: readonly object[];
} {
  const costsOf = (batch: number, draft: number): Parameters<typeof fastestLength>[1] => {
    const known = passes.filter((pass) => pass.batch === batch);
    return {
      draft,
      verify: (length) => {
        const above = known.findIndex(({ rows }) => rows >= length + 1);
        const [low, high] = [known[Math.max(0, above - 1)]!, known[above]!];
        if (low === high) return high.cost;
        const share = (length + 1 - low.rows) / (high.rows - low.rows);
        return low.cost + share * (high.cost - low.cost);
      },
    };
  };
  const best = (acceptance: number, batch: number, draft: number): object => {
    const costs = costsOf(batch, draft);
    const length = fastestLength(acceptance, costs, 11);
    return { length, speedup: expectedSpeedup(acceptance, length, costs) };
  };
  const ownCost = draftMs / passes[0]!.ms;
  return {
    byAcceptance: acceptances.flatMap((acceptance) =>
      draftCosts.map((draft) => ({ acceptance, draft, ...best(acceptance, 1, draft) })),
    ),
    byBatch: batches.flatMap((batch) =>
      [...acceptances, measuredAcceptance].map((acceptance) => ({
        ...{ batch, acceptance },
        // A batch of the draft's is taken to cost what the target's costs, in proportion.
        ...best(acceptance, batch, ownCost),
      })),
    ),
  };
}

/** At temperature 0 both ways have to write the same, but for tokens that are all but equal. */
async function countSameTexts(
  pair: Pair,
): Promise<{ readonly same: number; readonly prompts: number; readonly tokens: number }> {
  const prompts = storyPrompts(pair, values.smoke ? 4 : 64);
  let same = 0;
  for (const prompt of prompts) {
    const writing = writingOf(prompt, 0, 0);
    const guessing = { source: "model", length: 4, branches: 1 } as const;
    const [one, other] = [
      await writeSpeculatively(pair, guessing, writing),
      await writePlainly(pair, writing),
    ];
    same += Number(one.ids.join() === other.ids.join());
  }
  return { same, prompts: prompts.length, tokens: maxTokens };
}

/** The beginnings of stories that no model has seen. */
function storyPrompts({ tokenizer }: Pair, count: number): readonly Int32Array[] {
  const prompts: Int32Array[] = [];
  for (const { text } of stories("test", 0)) {
    prompts.push(tokenizer.encode(text).subarray(0, 16));
    if (prompts.length === count) return prompts;
  }
  return prompts;
}

/** A copy-heavy task: what the target has written once is to be written again, with that to look in. */
async function compareCopying(pair: Pair, prompt: Int32Array): Promise<Comparison> {
  const { ids } = await writePlainly(pair, writingOf(prompt, 0, 0));
  const reference = [...prompt, ...ids];
  const copies = lengths.map(
    (length) => ({ source: "ngram", length, branches: 1, reference }) as const,
  );
  const rows: Comparison[] = [];
  for (const guessing of copies) rows.push(await compare(pair, guessing, [prompt], 0));
  return rows.sort((a, b) => b.speedup - a.speedup)[0]!;
}

function writingOf(prompt: Int32Array, temperature: number, seed: number): Writing {
  return { prompt, maxTokens, sampling: { ...defaultSampling, temperature }, seed };
}

/** Tokens a second after the first of each text. */
function overallSpeed(written: readonly Written[]): number {
  const tokens = written.reduce((sum, { ids }) => sum + ids.length - 1, 0);
  return tokens / (written.reduce((sum, { ms }) => sum + ms, 0) / 1000);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}
