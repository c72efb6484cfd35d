import { expect } from "chai";
import { InputError, UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { openModel } from "../model/fixtures/models.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama, prefill } from "../model/llama.ts";
import { tokenizerFromGguf } from "../model/tokenizer/tokenizer.ts";
import { rejection } from "../testing.ts";
import {
  generate,
  type GenerateOptions,
  type GenerationEvent,
  type Generator,
} from "./generate.ts";
import { defaultSampling, likeliest } from "./sampler.ts";

const greedy = { ...defaultSampling, temperature: 0 };

async function generatorOf(
  draft: ReturnType<typeof draftStoryModel> = draftStoryModel(),
  capacity = 64,
): Promise<Generator> {
  const file = await openModel(draft);
  const model = await loadLlama(file, referenceForward, { batchSize: 4 });
  const cache = new ContiguousKvCache(referenceForward, model.config, capacity);
  return { model, tokenizer: tokenizerFromGguf(file.metadata), cache };
}

async function run(
  generator: Generator,
  text: string,
  options: Partial<GenerateOptions> = {},
): Promise<{
  ids: number[];
  text: string;
  end: GenerationEvent | undefined;
  events: GenerationEvent[];
}> {
  const events: GenerationEvent[] = [];
  const all = { maxTokens: 12, sampling: greedy, rng: seededRng(1), ...options };
  const prompt = generator.tokenizer.encode(text);
  for await (const event of generate(generator, prompt, all)) events.push(event);
  return {
    ids: events.flatMap((event) => (event.type === "token" ? [event.id] : [])),
    text: events.map((event) => event.text).join(""),
    end: events.at(-1),
    events,
  };
}

describe("generation", () => {
  it("takes the likeliest token each time, as a model does that starts afresh for each", async () => {
    const { ids } = await run(await generatorOf(), "Hello");
    expect(ids).to.have.lengthOf(12);
    const { model, tokenizer } = await generatorOf();
    const sequence = [...tokenizer.encode("Hello")];
    for (const id of ids) {
      const cache = new ContiguousKvCache(referenceForward, model.config, 64);
      expect(id).to.equal(likeliest(await prefill(model, Int32Array.from(sequence), cache)));
      sequence.push(id);
    }
  });

  it("streams the text of its tokens, and ends once", async () => {
    const generator = await generatorOf();
    const { ids, text, end, events } = await run(generator, "Hello");
    expect(text).to.equal(generator.tokenizer.decode(ids, { continuation: true }));
    expect(text.length).to.be.at.least(12);
    expect(end).to.include({ type: "end", reason: "length" });
    expect(events.filter(({ type }) => type === "end")).to.have.lengthOf(1);
  });

  it("stops before a token that ends the text", async () => {
    const before = (await run(await generatorOf(), "Hello")).ids;
    // The fourth token, where it is there for the first time, is declared to be the end.
    expect(before.indexOf(before[3]!)).to.equal(3);
    const draft = draftStoryModel();
    draft.metadata.set("tokenizer.ggml.eos_token_id", { type: "u32", value: before[3]! });
    const generator = await generatorOf(draft);
    const { ids, end } = await run(generator, "Hello");
    expect(ids).to.deep.equal(before.slice(0, 3));
    expect(end).to.include({ type: "end", reason: "stop" });
    expect(generator.cache.slots.length).to.equal(generator.tokenizer.encode("Hello").length + 3);
  });

  it("ends where the cache is full, with a last token that needs no room", async () => {
    const numPrompt = (await generatorOf()).tokenizer.encode("Hello").length;
    const { ids, end } = await run(await generatorOf(draftStoryModel(), numPrompt + 2), "Hello");
    expect(ids).to.have.lengthOf(3);
    expect(end).to.include({ reason: "length" });
  });

  it("draws other texts for other seeds, and the same for the same", async () => {
    const text = async (seed: number): Promise<string> => {
      const sampling = { ...defaultSampling, temperature: 1.5, topK: 0 };
      return (await run(await generatorOf(), "Hello", { rng: seededRng(seed), sampling })).text;
    };
    expect(await text(1)).to.equal(await text(1));
    expect(await text(1)).not.to.equal(await text(2));
  });

  it("gives repeated tokens less, where it is asked to", async () => {
    const sampling = { ...greedy, repeatPenalty: 1000 };
    const { ids } = await run(await generatorOf(), "Hello", { sampling, maxTokens: 30 });
    expect(new Set(ids).size).to.equal(30);
  });

  it("ends in the middle of a prompt or an answer where the signal says so", async () => {
    // A prompt of two batches of four, then one token a pass; the pass that was paused for never runs.
    for (const [pauses, numRun] of [
      [1, 0],
      [2, 4],
      [6, 4 + 4 + 3],
    ] as const) {
      const generator = await generatorOf();
      const controller = new AbortController();
      let numPauses = 0;
      const pause = (): Promise<void> => {
        if (++numPauses === pauses) controller.abort(new Error("Enough."));
        return Promise.resolve();
      };
      const ids = generator.tokenizer.encode("Once upon a time there was a fox").subarray(0, 8);
      expect(ids).to.have.lengthOf(8);
      const events = generate(generator, ids, {
        maxTokens: 12,
        sampling: greedy,
        rng: seededRng(1),
        signal: controller.signal,
        pause,
      });
      const drain = async (): Promise<void> => {
        for await (const event of events) expect(event.type).to.equal("token");
      };
      expect((await rejection(drain())).message).to.equal("Enough.");
      expect(generator.cache.slots.length).to.equal(numRun);
    }
  });

  it("refuses a prompt that is empty or does not fit, and options out of range", async () => {
    const small = await generatorOf(draftStoryModel(), 3);
    const refused = async (prompt: Int32Array, sampling = greedy): Promise<Error> => {
      const options = { maxTokens: 1, sampling, rng: seededRng(1) };
      return rejection(generate(small, prompt, options).next());
    };
    const empty = await refused(new Int32Array());
    expect(empty).to.be.instanceOf(InputError);
    expect(empty.message).to.match(/prompt is empty/);
    expect((await refused(new Int32Array(4))).message).to.match(
      /4 tokens, and there is room for 3/,
    );
    const options = await refused(Int32Array.of(1), { ...greedy, topP: 2 });
    expect(options).to.be.instanceOf(UsageError);
  });
});
