import { expect } from "chai";
import { InputError, UsageError } from "../core/errors.ts";
import { normal, seededRng } from "../core/rng.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { draftModel, ggufValue, openModel, type ModelDraft } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { ContiguousKvCache, type KvCache } from "../model/kv-cache.ts";
import { loadLlama, prefill, type Llama } from "../model/llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { rejection } from "../testing.ts";
import { chiSquare, chiSquareLimit } from "./chi-square.testing.ts";
import type { DraftSource } from "./drafts/draft-source.ts";
import { ModelDraft as ModelSource } from "./drafts/model-draft.ts";
import { PromptLookup } from "./drafts/prompt-lookup.ts";
import { generate, type GenerationEvent } from "./generate.ts";
import { defaultSampling, type SamplingOptions } from "./sampler.ts";
import { checkPair, speculate, type SpeculationEvent } from "./speculative-generate.ts";
import { AdaptiveLength, fixedLength, type DraftLength } from "./speculative-length.ts";
import { SpeculativeSequence, type VerifyDraft } from "./speculative-sequence.ts";
import { chainDraft, distributionOf, drawFrom, verifyDraft, type Draft } from "./speculative.ts";

const greedy = { ...defaultSampling, temperature: 0 };
const capacity = 64;

interface Pair {
  readonly target: Llama;
  readonly draft: Llama;
  readonly tokenizer: Tokenizer;
}

/** The story model, and one that is not quite the same. */
async function pairOf(difference = 0.02, endOfText = 2): Promise<Pair> {
  const story = draftStoryModel();
  story.metadata.set("tokenizer.ggml.eos_token_id", ggufValue(endOfText));
  const file = await openModel(story);
  const other = draftStoryModel();
  disturb(other, difference);
  return {
    target: await loadLlama(file, referenceForward, { batchSize: 16 }),
    draft: await loadLlama(await openModel(other), referenceForward, { batchSize: 16 }),
    tokenizer: tokenizerFromGguf(file.metadata),
  };
}

function disturb({ tensors }: ModelDraft, difference: number): void {
  const rng = seededRng(3);
  for (const tensor of tensors.values()) {
    const values = new Float32Array(tensor.bytes.slice().buffer);
    tensor.bytes = new Uint8Array(values.map((value) => value + difference * normal(rng)).buffer);
  }
}

function cacheFor(model: Llama, tokens = capacity): ContiguousKvCache {
  return new ContiguousKvCache(referenceForward, model.config, tokens);
}

function sourceNamed(name: string, { draft }: Pair, tokens = capacity): DraftSource {
  if (name === "ngram") return new PromptLookup();
  return new ModelSource(draft, cacheFor(draft, tokens), name === "tree" ? 3 : 1);
}

interface Run {
  readonly ids: readonly number[];
  readonly text: string;
  readonly end: GenerationEvent;
  readonly passes: readonly Extract<SpeculationEvent, { type: "pass" }>[];
  readonly cache: KvCache;
}

async function run(
  pair: Pair,
  source: DraftSource,
  prompt: string,
  length: DraftLength,
  sampling: SamplingOptions = greedy,
  { maxTokens = 24, tokens = capacity, seed = 1 } = {},
): Promise<Run> {
  const { target: model, tokenizer } = pair;
  const cache = cacheFor(model, tokens);
  const events: SpeculationEvent[] = [];
  let clock = 0;
  const options = { maxTokens, sampling, rng: seededRng(seed), length, now: () => clock++ };
  const ids = tokenizer.encode(prompt);
  for await (const event of speculate({ model, tokenizer, cache, source }, ids, options)) {
    events.push(event);
  }
  return {
    ids: events.flatMap((event) => (event.type === "token" ? [event.id] : [])),
    text: events.map((event) => (event.type === "pass" ? "" : event.text)).join(""),
    end: events.at(-1) as GenerationEvent,
    passes: events.flatMap((event) => (event.type === "pass" ? [event] : [])),
    cache,
  };
}

async function plain(pair: Pair, prompt: string, maxTokens = 24, tokens = capacity): Promise<Run> {
  const { target: model, tokenizer } = pair;
  const cache = cacheFor(model, tokens);
  const options = { maxTokens, sampling: greedy, rng: seededRng(1) };
  const events: GenerationEvent[] = [];
  for await (const event of generate(
    { model, tokenizer, cache },
    tokenizer.encode(prompt),
    options,
  )) {
    events.push(event);
  }
  return {
    ids: events.flatMap((event) => (event.type === "token" ? [event.id] : [])),
    text: events.map(({ text }) => text).join(""),
    end: events.at(-1)!,
    passes: [],
    cache,
  };
}

describe("speculative generation", () => {
  const prompts = ["Hello", "Once upon a time", "a b a b a b a b"];

  for (const name of ["model", "ngram", "tree"]) {
    it(`writes at temperature 0 what plain generation writes: ${name}`, async () => {
      const pair = await pairOf();
      for (const prompt of prompts) {
        const wanted = await plain(pair, prompt);
        for (const length of [1, 2, 5, 9]) {
          const found = await run(pair, sourceNamed(name, pair), prompt, fixedLength(length));
          expect(found.ids).to.deep.equal(wanted.ids);
          expect(found.text).to.equal(wanted.text);
          expect(found.end).to.deep.equal(wanted.end);
        }
        const adaptive = await run(pair, sourceNamed(name, pair), prompt, new AdaptiveLength());
        expect(adaptive.ids).to.deep.equal(wanted.ids);
      }
    });

    it(`keeps the keys and values that a prompt of the same tokens leaves: ${name}`, async () => {
      const pair = await pairOf(0.1);
      const { ids, passes, cache } = await run(
        pair,
        sourceNamed(name, pair),
        "a b a b a b",
        fixedLength(4),
      );
      expect(passes.some(({ outcome }) => outcome.wasRefused)).to.equal(true);
      const text = [...pair.tokenizer.encode("a b a b a b"), ...ids];
      const held = Int32Array.from(text.slice(0, cache.slots.length));
      expect(text.length - held.length).to.be.within(1, 2);
      const fresh = cacheFor(pair.target);
      await prefill(pair.target, held, fresh);
      expect(await valuesOf(cache)).to.deep.equal(await valuesOf(fresh));
    });
  }

  it("accepts everything from a draft that is the target itself", async () => {
    const pair = await pairOf(0);
    for (const sampling of [greedy, { ...defaultSampling, temperature: 1, topK: 0 }]) {
      const source = sourceNamed("model", pair);
      const { passes } = await run(pair, source, "Hello", fixedLength(3), sampling);
      expect(passes.map(({ outcome }) => outcome.tokens.length)).to.deep.equal([4, 4, 4, 4, 4, 3]);
      expect(passes.every(({ outcome }) => !outcome.wasRefused)).to.equal(true);
    }
  });

  it("accepts a second candidate where the first is refused", async () => {
    const pair = await pairOf(0.06);
    const accepted = async (name: string): Promise<number> => {
      let sum = 0;
      for (const prompt of prompts) {
        const { passes } = await run(pair, sourceNamed(name, pair), prompt, fixedLength(2));
        for (const { figures } of passes) sum += figures.numTokens / passes.length;
      }
      return sum;
    };
    expect(await accepted("tree")).to.be.above(await accepted("model"));
  });

  it("guesses with the filters and the penalty of the target", async () => {
    const pair = await pairOf(0);
    const sampling = { ...defaultSampling, topK: 5, temperature: 1.3, repeatPenalty: 1.5 };
    const { passes } = await run(
      pair,
      sourceNamed("model", pair),
      "Hello",
      fixedLength(4),
      sampling,
    );
    expect(passes.every(({ outcome }) => !outcome.wasRefused)).to.equal(true);
  });

  it("writes the same for the same seed", async () => {
    const pair = await pairOf();
    const sampling = { ...defaultSampling, temperature: 1.5, topK: 0 };
    const ids = async (seed: number): Promise<readonly number[]> => {
      const source = sourceNamed("tree", pair);
      return (await run(pair, source, "Hello", fixedLength(3), sampling, { seed })).ids;
    };
    expect(await ids(1)).to.deep.equal(await ids(1));
    expect(await ids(1)).not.to.deep.equal(await ids(2));
  });

  it("ends where plain generation ends: at the end of a text, of the room, of what was asked for", async () => {
    const pair = await pairOf();
    const ids = (await plain(pair, "Hello")).ids;
    const at = ids.findIndex((id, i) => i > 3 && ids.indexOf(id) === i);
    const ending = await pairOf(0.02, ids[at]);
    const numPrompt = pair.tokenizer.encode("Hello").length;
    for (const name of ["model", "tree"]) {
      for (const length of [1, 4, 8]) {
        const source = (): DraftSource => sourceNamed(name, pair);
        const ended = await run(ending, source(), "Hello", fixedLength(length));
        expect(ended.ids).to.deep.equal(ids.slice(0, at));
        expect(ended.end).to.include({ type: "end", reason: "stop" });
        expect(ended.cache.slots.length).to.be.at.most(numPrompt + at);
        for (let tokens = numPrompt; tokens < numPrompt + 9; tokens++) {
          const full = await run(pair, source(), "Hello", fixedLength(length), greedy, { tokens });
          expect(full.ids).to.deep.equal(ids.slice(0, tokens - numPrompt + 1));
          expect(full.end).to.include({ reason: "length" });
        }
        const short = await run(pair, source(), "Hello", fixedLength(length), greedy, {
          maxTokens: 7,
        });
        expect(short.ids).to.deep.equal(ids.slice(0, 7));
      }
    }
  });

  it("goes on where the draft's own memory is full", async () => {
    const pair = await pairOf(0);
    const { ids } = await run(pair, sourceNamed("model", pair, 8), "Hello", fixedLength(3));
    expect(ids).to.deep.equal((await plain(pair, "Hello")).ids);
  });

  it("guesses afresh where a sequence is another", async () => {
    const { draft } = await pairOf();
    const used = new ModelSource(draft, cacheFor(draft));
    const rng = seededRng(1);
    await used.propose([5, 6, 7, 8], 4, greedy, rng);
    for (const sequence of [[5, 6, 9], [5], [3, 3, 3, 3, 3]]) {
      const fresh = new ModelSource(draft, cacheFor(draft));
      expect(await used.propose(sequence, 3, greedy, rng)).to.deep.equal(
        await fresh.propose(sequence, 3, greedy, rng),
      );
    }
  });

  it("refuses options out of range, an empty prompt, and a pair with different tokens", async () => {
    const pair = await pairOf();
    const source = sourceNamed("ngram", pair);
    const error = await rejection(
      run(pair, source, "Hello", fixedLength(1), { ...greedy, topP: 2 }),
    );
    expect(error).to.be.instanceOf(UsageError);
    const tokenizerWith = (texts: readonly string[]): Tokenizer =>
      ({ vocabulary: { texts } }) as unknown as Tokenizer;
    checkPair(pair.tokenizer, pair.tokenizer);
    expect(() => {
      checkPair(tokenizerWith(["a", "b"]), tokenizerWith(["a"]));
    }).to.throw(InputError, "a vocabulary of 2 tokens and the target one of 1; they need the same");
    expect(() => {
      checkPair(tokenizerWith(["a", "b"]), tokenizerWith(["a", "c"]));
    }).to.throw(InputError, 'Token 1 is "b" to the draft model and "c" to the target');
  });
});

describe("speculation with a random model", function () {
  this.timeout(300_000);
  const sampling = { ...defaultSampling, temperature: 1.2, topK: 4, topP: 0.97, minP: 0.01 };
  const prompt = [1, 5];
  let target: LogitsOf;
  let guess: LogitsOf;

  before(async () => {
    target = await remembered(draftModel("llama3"));
    const other = draftModel("llama3");
    disturb(other, 0.3);
    guess = await remembered(other);
  });

  /** Counts of the first two tokens after the prompt, and what the target alone would give. */
  async function statistic(
    branches: number,
    verify: VerifyDraft,
    numSamples = 50_000,
  ): Promise<[number, number]> {
    const rng = seededRng(17);
    const vocabSize = 12;
    const wanted = await jointOf(target, prompt, sampling, vocabSize);
    const counts = wanted.map(() => 0);
    for (let i = 0; i < numSamples; i++) {
      const source = drawingSource(guess, branches);
      const options = { source, sampling, rng, endOfGeneration: new Set<number>(), vocabSize };
      const sequence = new SpeculativeSequence(new CountingCache(1), prompt, {
        ...options,
        verify,
      });
      while (sequence.ids.length < prompt.length + 2) {
        const draft = await sequence.propose(2);
        const before = sequence.ids.slice();
        const { tokens, parents, cache } = sequence.part(draft);
        const held = before.slice(0, cache.slots.length);
        cache.extend(tokens);
        await sequence.settle(draft, await rowsOf(target, held, tokens, parents!));
      }
      const [first, second] = sequence.ids.slice(prompt.length) as [number, number];
      counts[first * vocabSize + second]! += 1;
    }
    const possible = wanted.filter((share) => share > 0).length;
    return [chiSquare(counts, wanted), chiSquareLimit(possible - 1)];
  }

  for (const branches of [1, 3]) {
    it(`gives its distribution, with ${branches} at each position`, async () => {
      const [found, limit] = await statistic(branches, verifyDraft);
      expect(found).to.be.below(limit);
    });
  }

  it("and the test notices a sampler without a residual", async () => {
    const [found, limit] = await statistic(
      1,
      (draft, at, rng) => {
        const path: number[] = [];
        for (const [node, token] of draft.tokens.entries()) {
          if (rng() * draft.proposals[node]![token]! >= at(node - 1)[token]!) break;
          path.push(node);
        }
        return { path, next: drawFrom(at(path.length - 1), rng) };
      },
      10_000,
    );
    expect(found).to.be.above(5 * limit);
  });
});

/** Logits after a sequence. */
type LogitsOf = (sequence: readonly number[]) => Promise<Float32Array>;

/** Runs a model once for each sequence that it is asked about. */
async function remembered(draft: ModelDraft): Promise<LogitsOf> {
  const model = await loadLlama(await openModel(draft), referenceForward);
  const known = new Map<string, Float32Array>();
  return async (sequence) => {
    const key = sequence.join();
    const found =
      known.get(key) ?? (await prefill(model, Int32Array.from(sequence), cacheFor(model)));
    known.set(key, found);
    return found;
  };
}

async function rowsOf(
  logitsOf: LogitsOf,
  held: readonly number[],
  tokens: Int32Array,
  parents: Int32Array,
): Promise<Float32Array> {
  const rows = new Float32Array(tokens.length * 12);
  for (const node of tokens.keys()) {
    const branch: number[] = [];
    for (let at = node; at >= 0; at = parents[at]!) branch.unshift(tokens[at]!);
    rows.set(await logitsOf([...held, ...branch]), node * 12);
  }
  return rows;
}

/** Probabilities of pairs of tokens after `prompt`, by multiplication. */
async function jointOf(
  logitsOf: LogitsOf,
  prompt: readonly number[],
  sampling: SamplingOptions,
  vocabSize: number,
): Promise<number[]> {
  const first = distributionOf(await logitsOf(prompt), sampling);
  const joint: number[] = [];
  for (let id = 0; id < vocabSize; id++) {
    const second = distributionOf(await logitsOf([...prompt, id]), sampling);
    joint.push(...Array.from(second, (share) => first[id]! * share));
  }
  return joint;
}

/** Draws as `ModelDraft` does, from logits that are remembered. */
function drawingSource(logitsOf: LogitsOf, branches: number): DraftSource {
  return {
    prepare: () => Promise.resolve(),
    propose: async (sequence, length, sampling, rng): Promise<Draft> => {
      if (branches === 1) {
        const text = [...sequence];
        const proposals: Float64Array[] = [];
        while (proposals.length < length) {
          const proposal = distributionOf(await logitsOf(text), sampling);
          proposals.push(proposal);
          text.push(drawFrom(proposal, rng));
        }
        return chainDraft(Int32Array.from(text.slice(sequence.length)), proposals);
      }
      const proposal = distributionOf(await logitsOf(sequence), sampling);
      const tokens: number[] = [];
      const left = proposal.slice();
      while (tokens.length < branches && left.some((share) => share > 0)) {
        const total = left.reduce((sum, share) => sum + share, 0);
        tokens.push(
          drawFrom(
            left.map((share) => share / total),
            rng,
          ),
        );
        left[tokens.at(-1)!] = 0;
      }
      return {
        tokens: Int32Array.from(tokens),
        parents: new Int32Array(tokens.length).fill(-1),
        proposals: [proposal],
      };
    },
  };
}

/** A cache that only counts. */
class CountingCache implements KvCache {
  readonly pools = [];
  #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  get slots(): Int32Array {
    return new Int32Array(this.#length);
  }

  get numFree(): number {
    return 100 - this.#length;
  }

  extend(tokens: Int32Array): Int32Array {
    this.#length += tokens.length;
    return new Int32Array(tokens.length);
  }

  truncate(length: number): void {
    expect(length).to.be.at.most(this.#length);
    this.#length = length;
  }
}

/** The keys and values of all tokens in the cache, layer after layer. */
async function valuesOf({ pools, slots }: KvCache): Promise<Float32Array[]> {
  const all: Float32Array[] = [];
  for (const { keys, values } of pools) {
    for (const pool of [keys, values]) {
      all.push(await referenceForward.read(referenceForward.rows(pool, 0, slots.length)));
    }
  }
  return all;
}
