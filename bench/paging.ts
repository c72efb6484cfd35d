/**
 * Serving from one budget of keys and values in three ways: a place as long as the longest sequence for
 * each request, blocks, and blocks that requests with the same system prompt share. The same requests in
 * the same order, all waiting from the beginning, and the same number of steps; rounds take turns. Also
 * what a step of the scheduler costs without a model.
 *
 *     make bench-paging
 *     make bench-paging ARGS="--smoke"              few steps, to see that it works
 *     make bench-paging ARGS="--model FILE --threads 2"
 */
import { parseArgs } from "node:util";
import { randomInt, seededRng } from "../src/core/rng.ts";
import { openGgufFile } from "../src/corpus/files.ts";
import { shippedModel } from "../src/corpus/shipped-models.ts";
import type { Llama } from "../src/model/llama.ts";
import { loadLlama } from "../src/model/llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "../src/model/tokenizer/tokenizer.ts";
import { generateTrace } from "../src/planning/request-trace.ts";
import { BlockManager } from "../src/runtime/block-manager.ts";
import { Engine, type Submission } from "../src/runtime/engine.ts";
import type { GenerationRequest } from "../src/runtime/request.ts";
import { defaultSampling } from "../src/runtime/sampler.ts";
import { Scheduler } from "../src/runtime/scheduler.ts";
import { Sequence } from "../src/runtime/sequence.ts";
import { openWasmForward } from "../src/tensor/wasm-forward.ts";
import { median, printTable, saveResult } from "./result.ts";

const { values } = parseArgs({
  options: {
    smoke: { type: "boolean", default: false },
    model: { type: "string", default: shippedModel("draft") },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "3" },
    steps: { type: "string", default: "400" },
  },
});
const numSteps = values.smoke ? 60 : Number(values.steps);
const numRounds = values.smoke ? 1 : Number(values.rounds);

/** Tokens that there is memory for; a longest sequence is an eighth of that. */
const numSlots = 4096;
const maxLength = 512;
/** Tokens that every prompt begins with. */
const systemTokens = 96;
const numRequests = 1500;

interface Policy {
  readonly name: string;
  readonly blockSize: number;
  readonly sharesPrefixes: boolean;
}

const policies: readonly Policy[] = [
  // A block as long as the longest sequence is a reservation.
  { name: "contiguous reservation", blockSize: maxLength, sharesPrefixes: false },
  { name: "paging", blockSize: 16, sharesPrefixes: false },
  { name: "paging with shared prefixes", blockSize: 16, sharesPrefixes: true },
];

interface Served {
  readonly seconds: number;
  readonly meanInFlight: number;
  readonly maxInFlight: number;
  readonly tokensServed: number;
  readonly requestsServed: number;
  readonly preemptions: number;
}

const file = await openGgufFile(values.model);
const kernels = await openWasmForward({ threads: Number(values.threads) });
const model = await loadLlama(file, kernels, { batchSize: 256 });
const tokenizer = tokenizerFromGguf(file.metadata);
const requests = makeRequests(model.vocabSize);
const measured = new Map(policies.map((policy) => [policy, [] as Served[]]));
for (let round = 0; round < numRounds; round++) {
  for (const policy of policies) measured.get(policy)!.push(await serve(model, tokenizer, policy));
}
await kernels.close();
await file.close();

const rows = policies.map((policy) => {
  const runs = measured.get(policy)!;
  const seconds = median(runs.map((run) => run.seconds));
  const { tokensServed } = runs[0]!;
  return { policy: policy.name, ...runs[0]!, seconds, tokensPerSecond: tokensServed / seconds };
});
const ratios = rows.map((row) => ({
  policy: row.policy,
  inFlight: row.meanInFlight / rows[0]!.meanInFlight,
  tokensServed: row.tokensServed / rows[0]!.tokensServed,
  tokensPerSecond: row.tokensPerSecond / rows[0]!.tokensPerSecond,
}));
const scheduler = measureScheduler();
printTable(rows);
printTable(ratios);
printTable([scheduler]);
if (!values.smoke) {
  saveResult("paging", {
    ...{ model: file.name, threads: Number(values.threads), numSlots, maxLength, systemTokens },
    ...{ numSteps, rounds: numRounds },
    targets: { tokensServed: [1, 2, 3], schedulerMicroseconds: 200 },
    ...{ rows, ratios, scheduler },
  });
}

/** Lengths as in ShareGPT's conversations, behind one system prompt. */
function makeRequests(vocabSize: number): GenerationRequest[] {
  const rng = seededRng(11);
  const token = (): number => randomInt(rng, vocabSize);
  const system = Array.from({ length: systemTokens }, token);
  const trace = generateTrace(
    { numRequests, maxLength: maxLength - systemTokens, meanGap: 0 },
    rng,
  );
  return trace.requests.map(({ promptTokens, outputTokens }) => ({
    prompt: Int32Array.from([...system, ...Array.from({ length: promptTokens }, token)]),
    maxTokens: outputTokens,
    mode: {
      ...{ type: "sample", numSamples: 1, rng: () => rng, ignoresEnd: true },
      sampling: { ...defaultSampling, temperature: 0 },
    },
  }));
}

async function serve(model: Llama, tokenizer: Tokenizer, policy: Policy): Promise<Served> {
  let preemptions = 0;
  const { blockSize, sharesPrefixes } = policy;
  const engine = new Engine(model, tokenizer, {
    ...{ numBlocks: numSlots / blockSize, blockSize, sharesPrefixes },
    observe: ({ type }) => (preemptions += Number(type === "preempted")),
  });
  let tokensServed = 0;
  let requestsServed = 0;
  const count = async ({ events }: Submission): Promise<void> => {
    for await (const { type } of events) {
      if (type === "token") tokensServed++;
      else requestsServed++;
    }
  };
  for (const request of requests) void count(engine.submit(request));
  const inFlight: number[] = [];
  const start = performance.now();
  for (let step = 0; step < numSteps && !engine.isIdle; step++) {
    inFlight.push((await engine.step()).numRunning);
  }
  const seconds = (performance.now() - start) / 1000;
  if (engine.isIdle)
    throw new Error(`${requests.length} requests are too few for ${numSteps} steps.`);
  // What was written in the last step is still on its way to those that count it.
  await new Promise((resolve) => setTimeout(resolve, 0));
  const sum = inFlight.reduce((total, count) => total + count, 0);
  return {
    ...{ seconds, tokensServed, requestsServed, preemptions },
    meanInFlight: sum / inFlight.length,
    maxInFlight: Math.max(...inFlight),
  };
}

/** A step in which 256 sequences write a token each, without the model. */
function measureScheduler(): object {
  const numSequences = 256;
  const blocks = new BlockManager({ numBlocks: 20_000, blockSize: 16 });
  const scheduler = new Scheduler({ tokenBudget: 2 ** 20, maxSequences: numSequences });
  for (let id = 1; id <= numSequences; id++) {
    const tokens = Array.from({ length: 700 + (id % 64) }, (_, i) => i * id);
    scheduler.add(new Sequence(blocks, { id, request: id, tokens }));
  }
  const times: number[] = [];
  for (let step = 0; step < 400; step++) {
    const start = performance.now();
    const { parts } = scheduler.schedule();
    for (const { sequence, count } of parts) {
      sequence.paged.compute(count);
      sequence.paged.commit();
    }
    times.push(performance.now() - start);
    if (parts.length !== numSequences) throw new Error("A sequence was left out of a step.");
    for (const { sequence } of parts) sequence.tokens.push(step);
  }
  // The first reads the prompts; the next ones are compiled while they run.
  const sorted = times.slice(100).sort((a, b) => a - b);
  const at = (part: number): number => 1000 * sorted[Math.floor(part * sorted.length)]!;
  return { numSequences, medianMicroseconds: at(0.5), p95Microseconds: at(0.95) };
}
