/** The engine, judged by the plain generation loop: the same texts, whatever runs beside and however often it stops. */
import { expect } from "chai";
import { InputError, UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { forwardEngines } from "../model/fixtures/forward-engines.ts";
import { openModel } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama, prefill, type Llama } from "../model/llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { rejection } from "../testing.ts";
import { PromptLookup } from "./drafts/prompt-lookup.ts";
import { Engine, type EngineEvent, type EngineOptions, type Submission } from "./engine.ts";
import { generate } from "./generate.ts";
import type { GenerationRequest, RequestEvent, SamplingMode } from "./request.ts";
import { defaultSampling, type SamplingOptions } from "./sampler.ts";
import { SpeculativeSequence } from "./speculative-sequence.ts";

interface Loaded {
  readonly model: Llama;
  readonly tokenizer: Tokenizer;
}

async function load(kernels: ForwardKernels = referenceForward, batchSize = 24): Promise<Loaded> {
  const file = await openModel(draftStoryModel());
  const model = await loadLlama(file, kernels, { batchSize });
  return { model, tokenizer: tokenizerFromGguf(file.metadata) };
}

function engineOf(
  { model, tokenizer }: Loaded,
  options: Partial<EngineOptions> = {},
): { engine: Engine; events: EngineEvent[] } {
  const events: EngineEvent[] = [];
  const engine = new Engine(model, tokenizer, {
    ...{ numBlocks: 64, blockSize: 4, watermark: 0 },
    observe: (event) => events.push(event),
    ...options,
  });
  return { engine, events };
}

const greedy: SamplingOptions = { ...defaultSampling, temperature: 0 };
const drawn: SamplingOptions = { ...defaultSampling, temperature: 1.2, topK: 0, topP: 1, minP: 0 };

function sampling(options: Partial<SamplingMode> = {}): SamplingMode {
  return {
    ...{ type: "sample", numSamples: 1, sampling: greedy, rng: (i) => seededRng(i + 1) },
    ...options,
  };
}

interface Outcome {
  readonly ids: number[];
  readonly text: string;
  readonly reason: string | undefined;
  readonly score: number | undefined;
}

async function outcomes({ events }: Submission): Promise<Outcome[]> {
  const all: RequestEvent[] = [];
  for await (const event of events) all.push(event);
  const numTexts = Math.max(...all.map(({ sample }) => sample)) + 1;
  return Array.from({ length: numTexts }, (_, sample) => {
    const own = all.filter((event) => event.sample === sample);
    const end = own.at(-1);
    expect(own.filter(({ type }) => type === "end")).to.have.lengthOf(1);
    return {
      ids: own.flatMap((event) => (event.type === "token" ? [event.id] : [])),
      text: own.map(({ text }) => text).join(""),
      reason: end?.type === "end" ? end.reason : undefined,
      score: end?.type === "end" ? end.score : undefined,
    };
  });
}

/** What the plain loop writes. */
async function alone(
  { model, tokenizer }: Loaded,
  { prompt, maxTokens, mode = sampling() }: GenerationRequest,
  sample = 0,
): Promise<Outcome> {
  const cache = new ContiguousKvCache(model.kernels, model.config, 128);
  const { sampling: options, rng } = mode as SamplingMode;
  const all = { maxTokens, sampling: options, rng: rng(sample) };
  const outcome = { ids: [] as number[], text: "", reason: "", score: undefined };
  for await (const event of generate({ model, tokenizer, cache }, prompt, all)) {
    outcome.text += event.text;
    if (event.type === "token") outcome.ids.push(event.id);
    else outcome.reason = event.reason;
  }
  return outcome;
}

const texts = ["Hello", "Once upon a time there was", "a", "Hello Hello", "Once upon a"];

function requestsFor({ tokenizer }: Loaded, maxTokens = 14): GenerationRequest[] {
  return texts.map((text) => ({ prompt: tokenizer.encode(text), maxTokens }));
}

for (const name of ["reference", "wasm on 2 threads", "webgpu"]) {
  describe(`the engine: ${name}`, () => {
    let loaded: Loaded;
    let wanted: Outcome[];
    before(async function () {
      loaded = await load(await forwardEngines[name]!(this));
      wanted = [];
      for (const request of requestsFor(loaded)) wanted.push(await alone(loaded, request));
    });

    it("writes what each request would get alone, side by side and prompts in pieces", async () => {
      const { engine, events } = engineOf(loaded, { tokenBudget: 5 });
      const submissions = requestsFor(loaded).map((request) => engine.submit(request));
      await engine.run();
      expect(await Promise.all(submissions.map(outcomes))).to.have.deep.ordered.members(
        wanted.map((outcome) => [outcome]),
      );
      const steps = events.flatMap((event) => (event.type === "step" ? [event.report] : []));
      expect(Math.max(...steps.map(({ numParts }) => numParts))).to.equal(5);
      expect(Math.max(...steps.map(({ numTokens }) => numTokens))).to.equal(5);
      expect(engine.memory.blocks.numFree).to.equal(64);
    });

    for (const preemption of ["recompute", "swap"] as const) {
      it(`queues, stops and resumes by ${preemption} where memory runs out, with the same texts`, async () => {
        // The longest needs 6 blocks, all together more than twice what there is.
        const { engine, events } = engineOf(loaded, {
          preemption,
          numBlocks: 9,
          sharesPrefixes: false,
        });
        const submissions = requestsFor(loaded).map((request) => engine.submit(request));
        await engine.run();
        const found = await Promise.all(submissions.map(outcomes));
        expect(found).to.have.deep.ordered.members(wanted.map((outcome) => [outcome]));
        const stopped = events.filter((event) => event.type === "preempted");
        expect(stopped.length).to.be.at.least(1);
        expect(new Set(stopped.map(({ how }) => how))).to.deep.equal(new Set([preemption]));
        const resumed = events.filter((event) => event.type === "resumed");
        expect(resumed.length > 0).to.equal(preemption === "swap");
        expect(engine.memory.blocks.numFree).to.equal(9);
      });
    }
  });
}

describe("the engine", () => {
  let loaded: Loaded;
  before(async () => {
    loaded = await load();
  });
  const promptOf = (text: string): Int32Array => loaded.tokenizer.encode(text);

  it("computes a common beginning once, for those that come together as well", async () => {
    const { engine, events } = engineOf(loaded);
    const request = requestsFor(loaded)[1]!;
    expect(request.prompt.length).to.be.at.least(9);
    const wanted = await alone(loaded, request);
    const submissions = [engine.submit(request), engine.submit(request)];
    await engine.step();
    const third = engine.submit(request);
    await engine.run();
    for (const submission of [...submissions, third]) {
      expect(await outcomes(submission)).to.deep.equal([wanted]);
    }
    const shared = Math.floor((request.prompt.length - 1) / 4) * 4;
    const cached = events.flatMap((event) => (event.type === "started" ? [event.numCached] : []));
    expect(cached).to.deep.equal([0, shared, shared]);
  });

  it("keeps requests with different salts apart", async () => {
    const { engine, events } = engineOf(loaded);
    const request = requestsFor(loaded)[1]!;
    for (const salt of ["one", "other"]) engine.submit({ ...request, salt });
    await engine.run();
    expect(events.some(({ type }) => type === "shared")).to.equal(false);
  });

  it("draws several samples on shared blocks, each as it would be drawn alone", async () => {
    const { engine, events } = engineOf(loaded);
    const mode = sampling({ numSamples: 4, sampling: drawn });
    const request = { prompt: promptOf("Once upon a time"), maxTokens: 10, mode };
    const found = await outcomesOf(engine, request);
    const wanted = await Promise.all([0, 1, 2, 3].map((i) => alone(loaded, request, i)));
    expect(found).to.deep.equal(wanted);
    expect(new Set(found.map(({ text }) => text)).size).to.be.at.least(2);
    // The prompt's blocks are shared by all; the one that it ends in is copied for all but one.
    const numFull = Math.floor(request.prompt.length / 4);
    expect(events.filter(({ type }) => type === "copied").length).to.equal(3);
    expect(events.filter(({ type }) => type === "shared").length).to.equal(3 * (numFull + 1));
    expect(engine.memory.blocks.numFree).to.equal(64);
  });

  it("draws the same samples where memory is too short for all at once", async () => {
    const mode = sampling({ numSamples: 4, sampling: drawn });
    const request = { prompt: promptOf("Once upon a time"), maxTokens: 12, mode };
    const wanted = await outcomesOf(engineOf(loaded).engine, request);
    for (const preemption of ["recompute", "swap"] as const) {
      const { engine, events } = engineOf(loaded, { preemption, numBlocks: 8 });
      expect(await outcomesOf(engine, request)).to.deep.equal(wanted);
      expect(events.some(({ type }) => type === "preempted")).to.equal(true);
      expect(engine.memory.blocks.numFree).to.equal(8);
    }
  });

  it("finds the beams that a search by brute force finds", async () => {
    for (const width of [1, 2, 4]) {
      const { engine } = engineOf(loaded);
      const prompt = promptOf("Once upon a");
      const request = { prompt, maxTokens: 6, mode: { type: "beam", width } as const };
      const found = await outcomesOf(engine, request);
      const wanted = await beamsByBruteForce(loaded, prompt, width, 6);
      expect(found.map(({ ids }) => ids)).to.deep.equal(wanted.map(({ ids }) => ids));
      found.forEach(({ score, reason }, i) => {
        expect(score).to.be.closeTo(wanted[i]!.score, 1e-6);
        expect(reason).to.equal("length");
      });
      expect(engine.memory.blocks.numFree).to.equal(64);
    }
  });

  it("finds the same beams where they are stopped for older requests", async () => {
    const prompt = promptOf("Once upon a");
    const request = { prompt, maxTokens: 8, mode: { type: "beam", width: 3 } as const };
    const wanted = await outcomesOf(engineOf(loaded).engine, request);
    for (const preemption of ["recompute", "swap"] as const) {
      const { engine, events } = engineOf(loaded, {
        preemption,
        numBlocks: 15,
        sharesPrefixes: false,
      });
      const older = [0, 2, 3].map((i) => engine.submit(requestsFor(loaded, 26)[i]!));
      const beams = engine.submit(request);
      await engine.run();
      expect(await outcomes(beams)).to.deep.equal(wanted);
      await Promise.all(older.map(outcomes));
      expect(
        events.some(({ type }) => type === "preempted"),
        preemption,
      ).to.equal(true);
      expect(engine.memory.blocks.numFree).to.equal(15);
    }
  });

  it("writes by speculation what it writes without, beside others", async () => {
    const { model, tokenizer } = loaded;
    let numDrafted = 0;
    const speculate: SamplingMode["speculate"] = (cache, tokens, rng) => {
      const source = new PromptLookup();
      return new SpeculativeSequence(cache, tokens, {
        ...{ source, sampling: greedy, rng, vocabSize: model.vocabSize },
        endOfGeneration: tokenizer.vocabulary.endOfGeneration,
      });
    };
    for (const options of [{}, { numBlocks: 16, sharesPrefixes: false }]) {
      const { engine, events } = engineOf(loaded, options);
      const requests = requestsFor(loaded, 30);
      const submissions = requests.map((request, i) =>
        engine.submit(i % 2 === 0 ? { ...request, mode: sampling({ speculate }) } : request),
      );
      await engine.run();
      for (const [i, request] of requests.entries()) {
        expect(await outcomes(submissions[i]!)).to.deep.equal([await alone(loaded, request)]);
      }
      const steps = events.flatMap((event) => (event.type === "step" ? [event.report] : []));
      numDrafted += steps.reduce((sum, { numTokens, numParts }) => sum + numTokens - numParts, 0);
      expect(engine.memory.blocks.numFree).to.equal(options.numBlocks ?? 64);
    }
    expect(numDrafted).to.be.at.least(20);
  });

  it("ends at a stop string, without it and whatever tokens it is made of", async () => {
    const request = requestsFor(loaded)[0]!;
    const { text } = await alone(loaded, request);
    const stop = text.slice(4, 7);
    const { engine } = engineOf(loaded);
    const [found] = await outcomesOf(engine, { ...request, stop: ["never there", stop] });
    expect(found!.reason).to.equal("stop");
    expect(found!.text).to.equal(text.slice(0, text.indexOf(stop)));
    expect(engine.memory.blocks.numFree).to.equal(64);
  });

  it("gives log-probabilities of the model, the likeliest first", async () => {
    const { engine } = engineOf(loaded);
    const { events } = engine.submit({ ...requestsFor(loaded)[0]!, logprobs: 3 });
    await engine.run();
    const { model } = loaded;
    const cache = new ContiguousKvCache(model.kernels, model.config, 64);
    const logits = await prefill(model, requestsFor(loaded)[0]!.prompt, cache);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const wanted = [...logits]
      .map((logit, id) => ({ id, logprob: logit - Math.log(total) }))
      .sort((a, b) => b.logprob - a.logprob);
    for await (const event of events) {
      if (event.type !== "token") continue;
      const { id, logprob, top } = event.logprob!;
      expect(top.map((one) => one.id)).to.deep.equal(wanted.slice(0, 3).map((one) => one.id));
      expect([id, top.length]).to.deep.equal([wanted[0]!.id, 3]);
      expect(logprob).to.be.closeTo(wanted[0]!.logprob, 1e-5);
      return;
    }
    expect.fail("No token came.");
  });

  it("ends an aborted request before the next step, and gives its blocks back", async () => {
    const { engine } = engineOf(loaded, { sharesPrefixes: false });
    const [first, second] = requestsFor(loaded, 20).map((request) => engine.submit(request));
    await engine.step();
    first!.abort();
    await engine.step();
    const [aborted] = await outcomes(first!);
    expect([aborted!.reason, aborted!.ids.length]).to.deep.equal(["abort", 1]);
    await engine.run();
    expect((await outcomes(second!))[0]!.reason).to.equal("length");
    expect(engine.memory.blocks.numFree).to.equal(64);
  });

  it("refuses what can never fit, with the arithmetic, and what makes no sense", () => {
    const { engine } = engineOf(loaded, { numBlocks: 5, maxSequences: 4 });
    const request = { prompt: promptOf("Once upon a time there was"), maxTokens: 12 };
    const numPrompt = request.prompt.length;
    const blocks = Math.ceil((numPrompt + 11) / 4);
    const cases: readonly (readonly [
      GenerationRequest,
      typeof InputError | typeof UsageError,
      RegExp,
    ])[] = [
      [
        request,
        InputError,
        new RegExp(
          `never fit: ${numPrompt} .* and 11 .* take ⌈\\(${numPrompt} \\+ 11\\) / 4⌉ = ${blocks} blocks, and the whole cache has 5;`,
        ),
      ],
      [
        { prompt: promptOf("a"), maxTokens: 10, mode: { type: "beam", width: 3 } },
        InputError,
        /take 3 beams · ⌈\(\d+ \+ 9\) \/ 4⌉ = \d blocks = \d+, and the whole cache has 5/,
      ],
      [{ ...request, prompt: new Int32Array() }, InputError, /prompt is empty/],
      [{ ...request, prompt: new Int32Array(200) }, InputError, /looks back on/],
      [{ ...request, prompt: Int32Array.of(1, 9999) }, InputError, /9999 is no token/],
      [{ ...request, maxTokens: 0 }, UsageError, /maxTokens is 0/],
      [{ ...request, logprobs: 21 }, UsageError, /logprobs is 21: 0 to 20/],
      [{ ...request, mode: sampling({ numSamples: 65 }) }, UsageError, /65 texts: 1 to 64/],
      [
        { ...request, mode: sampling({ numSamples: 5 }) },
        InputError,
        /4 sequences can run at once/,
      ],
    ];
    for (const [wrong, kind, message] of cases)
      expect(() => engine.submit(wrong)).to.throw(kind, message);
    expect(engine.isIdle).to.equal(true);
    expect(() => engineOf(loaded, { tokenBudget: 25 })).to.throw(
      UsageError,
      /loaded for 24 at once/,
    );
  });

  it("ends all requests with the error where the kernels fail", async () => {
    const failing = {
      ...loaded.model,
      kernels: {
        ...referenceForward,
        read: () => Promise.reject(new InputError("The GPU has gone.")),
      },
    };
    const { engine } = engineOf({ ...loaded, model: failing });
    const submission = engine.submit(requestsFor(loaded)[0]!);
    expect((await rejection(engine.run())).message).to.equal("The GPU has gone.");
    const ends: RequestEvent[] = [];
    for await (const event of submission.events) ends.push(event);
    expect(ends).to.have.lengthOf(1);
    expect(ends[0]).to.include({ type: "end", reason: "error" });
    expect(engine.isIdle).to.equal(true);
    expect(engine.memory.blocks.numFree).to.equal(64);
  });
});

async function outcomesOf(engine: Engine, request: GenerationRequest): Promise<Outcome[]> {
  const submission = engine.submit(request);
  await engine.run();
  return outcomes(submission);
}

/** Every beam computed anew, all tokens sorted. */
async function beamsByBruteForce(
  { model, tokenizer }: Loaded,
  prompt: Int32Array,
  width: number,
  length: number,
): Promise<{ ids: number[]; score: number }[]> {
  let beams = [{ ids: [] as number[], logprob: 0 }];
  for (let n = 0; n < length; n++) {
    const all: typeof beams = [];
    for (const { ids, logprob } of beams) {
      const cache = new ContiguousKvCache(model.kernels, model.config, 64);
      const logits = await prefill(model, Int32Array.of(...prompt, ...ids), cache);
      const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
      logits.forEach((logit, id) => {
        // In this model no text ends so early; one that did would have to be counted.
        if (tokenizer.vocabulary.endOfGeneration.has(id)) return;
        all.push({ ids: [...ids, id], logprob: logprob + logit - total });
      });
    }
    beams = all.sort((a, b) => b.logprob - a.logprob).slice(0, width);
  }
  return beams.map(({ ids, logprob }) => ({ ids, score: logprob / length }));
}
