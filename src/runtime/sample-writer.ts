/** Writes the texts of a request by drawing tokens, each for itself. */
import type { Rng } from "../core/rng.ts";
import type { KvCache } from "../model/kv-cache.ts";
import type { SequencePart } from "../model/sequence-part.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import type { GenerationRequest, RequestEvent, SamplingMode, Speculation } from "./request.ts";
import { sampleToken } from "./sampler.ts";
import type { Sequence } from "./sequence.ts";
import { chainDraft, type Draft } from "./speculative.ts";
import { TextOutput } from "./text-output.ts";
import type { SequenceKeeper, Writer } from "./writer.ts";

interface Sample {
  readonly output: TextOutput;
  readonly rng: Rng;
  readonly sequence: Sequence;
  speculation: Speculation | undefined;
  numWritten: number;
}

export interface SampleWriterOptions {
  readonly request: GenerationRequest;
  readonly mode: SamplingMode;
  /** The most tokens of a text. */
  readonly maxTokens: number;
  readonly tokenizer: Tokenizer;
  readonly keeper: SequenceKeeper;
  readonly emit: (event: RequestEvent) => void;
  /** The memory of a sequence, for those that speculate. */
  readonly cacheOf: (sequence: Sequence) => KvCache;
}

export class SampleWriter implements Writer {
  readonly #options: SampleWriterOptions;
  readonly #samples = new Map<Sequence, Sample>();
  readonly #outputs: readonly TextOutput[];

  /** `sequence` has the prompt and a seat for each sample. */
  constructor(sequence: Sequence, options: SampleWriterOptions) {
    const { tokenizer, request, emit, mode } = options;
    this.#options = options;
    this.#outputs = Array.from(
      { length: mode.numSamples },
      (_, sample) => new TextOutput(tokenizer, request, sample, emit),
    );
    this.#begin(sequence, 0);
  }

  get hasEnded(): boolean {
    return this.#outputs.every((output) => output.hasEnded);
  }

  async propose(sequence: Sequence, length: number): Promise<Draft | undefined> {
    return this.#samples.get(sequence)!.speculation?.propose(length);
  }

  part(sequence: Sequence, draft: Draft): SequencePart {
    return this.#samples.get(sequence)!.speculation!.part(draft);
  }

  async take(sequence: Sequence, logits: Float32Array, draft: Draft | undefined): Promise<void> {
    const first = this.#samples.get(sequence)!;
    if (first.speculation) return this.#settle(first, first.speculation, logits, draft);
    // When the prompt has been read, every sample goes its own way from there.
    const samples = [first];
    for (let i = this.#samples.size; i < this.#outputs.length; i++) {
      samples.push(this.#begin(this.#options.keeper.fork(sequence), i));
    }
    for (const sample of samples) this.#draw(sample, logits);
  }

  end(reason: "abort" | "error", error?: Error): void {
    for (const { sequence } of this.#samples.values()) this.#options.keeper.end(sequence);
    for (const output of this.#outputs) output.end(reason, undefined, error);
  }

  #begin(sequence: Sequence, index: number): Sample {
    const { mode } = this.#options;
    const sample: Sample = {
      ...{ output: this.#outputs[index]!, rng: mode.rng(index), sequence },
      ...{ speculation: undefined, numWritten: 0 },
    };
    this.#samples.set(sequence, sample);
    return sample;
  }

  #draw(sample: Sample, logits: Float32Array): void {
    const { mode, tokenizer, cacheOf } = this.#options;
    const { sequence, rng } = sample;
    const id = sampleToken(logits, mode.sampling, rng, sequence.tokens);
    const isEnd = tokenizer.vocabulary.endOfGeneration.has(id) && mode.ignoresEnd !== true;
    if (isEnd) this.#finish(sample, "stop");
    else this.#write(sample, id, logits);
    if (!sample.output.hasEnded && mode.speculate) {
      sample.speculation = mode.speculate(cacheOf(sequence), sequence.tokens, rng);
    }
  }

  async #settle(
    sample: Sample,
    speculation: Speculation,
    logits: Float32Array,
    draft: Draft | undefined,
  ): Promise<void> {
    const run = draft ?? chainDraft(new Int32Array());
    const { tokens, hasEnded } = await speculation.settle(run, logits);
    // Where the accepted tokens are a row, each has its logits; of a tree only the first is sure to.
    const vocabSize = logits.length / (run.tokens.length + 1);
    const isChain = run.parents.every((parent, i) => parent === i - 1);
    tokens.forEach((id, i) => {
      if (sample.output.hasEnded) return;
      const row = logits.subarray(i * vocabSize, (i + 1) * vocabSize);
      this.#write(sample, id, isChain || i === 0 ? row : undefined);
    });
    if (hasEnded) this.#finish(sample, "stop");
  }

  #write(sample: Sample, id: number, logits: Float32Array | undefined): void {
    sample.sequence.tokens.push(id);
    sample.output.push(id, logits);
    sample.numWritten++;
    if (sample.output.hasEnded) this.#options.keeper.end(sample.sequence);
    else if (sample.numWritten === this.#options.maxTokens) this.#finish(sample, "length");
  }

  #finish(sample: Sample, reason: "stop" | "length"): void {
    if (sample.output.hasEnded) return;
    sample.output.end(reason);
    this.#options.keeper.end(sample.sequence);
  }
}
