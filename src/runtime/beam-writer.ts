/** Writes the texts of a request by beam search: one sequence for each beam, on shared blocks. */
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { BeamSearch, type Beam } from "./beam-search.ts";
import type { BeamMode, GenerationRequest, RequestEvent } from "./request.ts";
import type { Sequence } from "./sequence.ts";
import { TextOutput } from "./text-output.ts";
import type { SequenceKeeper, Writer } from "./writer.ts";

interface LiveBeam extends Beam {
  readonly sequence: Sequence;
  /** Those after its last token, once they are there. */
  logits: Float32Array | undefined;
}

export interface BeamWriterOptions {
  readonly request: GenerationRequest;
  readonly mode: BeamMode;
  /** The most tokens of a text. */
  readonly maxTokens: number;
  readonly tokenizer: Tokenizer;
  readonly keeper: SequenceKeeper;
  readonly emit: (event: RequestEvent) => void;
}

/** Texts appear at the end: until then no token is certain. */
export class BeamWriter implements Writer {
  readonly #options: BeamWriterOptions;
  readonly #search: BeamSearch;
  readonly #outputs: readonly TextOutput[];
  #live: LiveBeam[];

  /** `sequence` has the prompt and a seat for each beam. */
  constructor(sequence: Sequence, options: BeamWriterOptions) {
    const { request, mode, maxTokens, tokenizer, emit } = options;
    this.#options = options;
    this.#search = new BeamSearch({
      ...{ width: mode.width, lengthPenalty: mode.lengthPenalty ?? 1, maxTokens },
      endOfGeneration: tokenizer.vocabulary.endOfGeneration,
    });
    // A beam's log-probabilities are its score; those of single tokens are not kept.
    const shown = { ...request, logprobs: undefined };
    this.#outputs = Array.from(
      { length: mode.width },
      (_, i) => new TextOutput(tokenizer, shown, i, emit),
    );
    this.#live = [{ sequence, ids: [], logprob: 0, logits: undefined }];
  }

  get hasEnded(): boolean {
    return this.#outputs.every((output) => output.hasEnded);
  }

  take(sequence: Sequence, logits: Float32Array): void {
    this.#live.find((beam) => beam.sequence === sequence)!.logits = logits;
    if (this.#live.every((beam) => beam.logits)) this.#advance();
  }

  end(reason: "abort" | "error", error?: Error): void {
    for (const { sequence } of this.#live) this.#options.keeper.end(sequence);
    this.#live = [];
    for (const output of this.#outputs) output.end(reason, undefined, error);
  }

  /** The first continuation of a beam takes its sequence over; others are forked from it before. */
  #advance(): void {
    const { keeper } = this.#options;
    const before = this.#live;
    const next = this.#search.advance(
      before,
      before.map((beam) => beam.logits!),
    );
    const heirs = new Map<number, number>();
    next.forEach(({ parent }, i) => heirs.set(parent, heirs.get(parent) ?? i));
    const sequences = next.map(({ parent }, i) => {
      const { sequence } = before[parent]!;
      return heirs.get(parent) === i ? sequence : keeper.fork(sequence);
    });
    this.#live = next.map(({ ids, logprob }, i) => {
      const sequence = sequences[i]!;
      sequence.tokens.push(ids.at(-1)!);
      return { sequence, ids, logprob, logits: undefined };
    });
    before.forEach(({ sequence }, i) => {
      if (!heirs.has(i)) keeper.end(sequence);
    });
    if (next.length === 0) this.#finish();
  }

  #finish(): void {
    this.#search.finished.forEach(({ ids, score, reason }, i) => {
      const output = this.#outputs[i]!;
      for (const id of ids) output.push(id, undefined);
      output.end(reason, score);
    });
    // The vocabulary may be too small for as many different texts.
    for (const output of this.#outputs) output.end("stop");
  }
}
