/**
 * Serves many requests with one model: schedule → run → postprocess, a step at a time. Keys and values
 * lie in blocks that requests share (`paged-kv-cache.ts`); who runs when is the scheduler's, what is
 * written a request's writer's. Knows no clock, no files and no network: whoever serves calls `step` or
 * `run`, and reads each request's events.
 */
import { InputError, UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import { forwardBatch, type Llama } from "../model/llama.ts";
import type { SequencePart } from "../model/sequence-part.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { BeamWriter } from "./beam-writer.ts";
import type { BlockCopy, BlockEvent } from "./block-manager.ts";
import { EventQueue } from "./event-queue.ts";
import {
  PagedKvCache,
  PagedKvMemory,
  type PagedKvOptions,
  type SavedKv,
} from "./paged-kv-cache.ts";
import {
  checkRequest,
  mostNewTokens,
  numTextsOf,
  type EngineLimits,
  type GenerationRequest,
  type RequestEvent,
  type SamplingMode,
} from "./request.ts";
import { SampleWriter } from "./sample-writer.ts";
import { defaultSampling } from "./sampler.ts";
import {
  Scheduler,
  type MemoryMove,
  type ScheduledPart,
  type ScheduleEvent,
  type SchedulerOptions,
} from "./scheduler.ts";
import { Sequence } from "./sequence.ts";
import type { Draft } from "./speculative.ts";
import type { SequenceKeeper, Writer } from "./writer.ts";

/** Where a model's memory goes, and who runs when. */
export interface EngineOptions
  extends Omit<PagedKvOptions, "observe">, Omit<Partial<SchedulerOptions>, "observe"> {
  /** Is told at once what happens. */
  readonly observe?: ((event: EngineEvent) => void) | undefined;
}

/** What a live view shows. */
export type EngineEvent =
  | BlockEvent
  | ScheduleEvent
  | {
      readonly type: "added";
      readonly sequence: number;
      readonly request: number;
      readonly numTokens: number;
    }
  | { readonly type: "ended"; readonly sequence: number }
  | { readonly type: "step"; readonly report: StepReport };

/** One step, when it is over. */
export interface StepReport {
  /** From 1 on. */
  readonly step: number;
  /** Tokens that went through the model, those of drafts included. */
  readonly numTokens: number;
  /** Sequences that were part of it. */
  readonly numParts: number;
  readonly numRunning: number;
  readonly numWaiting: number;
  readonly numFreeBlocks: number;
}

/** A request that the engine has taken. */
export interface Submission {
  /** Requests are numbered in the order in which they came. */
  readonly id: number;
  /** For one reader. */
  readonly events: AsyncIterable<RequestEvent>;
  /** Ends its texts before the next step. */
  abort(): void;
}

interface OpenRequest {
  readonly events: EventQueue<RequestEvent>;
  readonly writer: Writer;
  isAborted: boolean;
}

/** Sequences at once, unless told otherwise. */
const defaultMaxSequences = 256;

/** What is drawn where a request says nothing. */
const defaultMode: SamplingMode = {
  type: "sample",
  numSamples: 1,
  sampling: { ...defaultSampling, temperature: 0 },
  rng: () => seededRng(0),
};

export class Engine {
  readonly memory: PagedKvMemory;
  readonly limits: EngineLimits;
  readonly #model: Llama;
  readonly #tokenizer: Tokenizer;
  readonly #tokenBudget: number;
  readonly #scheduler: Scheduler;
  readonly #observe: (event: EngineEvent) => void;
  readonly #requests = new Map<number, OpenRequest>();
  readonly #caches = new Map<Sequence, PagedKvCache>();
  readonly #saved = new Map<Sequence, SavedKv>();
  readonly #drafts = new Map<Sequence, Draft>();
  #numRequests = 0;
  #numSequences = 0;
  #numSteps = 0;
  #isStepping = false;

  /** Throws UsageError for options out of range, and InputError where there is no memory for the blocks. */
  constructor(model: Llama, tokenizer: Tokenizer, options: EngineOptions) {
    const { tokenBudget = model.batchSize, maxSequences = defaultMaxSequences, observe } = options;
    if (tokenBudget > model.batchSize) {
      throw new UsageError(
        `A step of ${tokenBudget} tokens was asked for, and the model was loaded for ${model.batchSize} at once; load it with a larger batch.`,
      );
    }
    this.#observe = observe ?? (() => undefined);
    const watched = { ...options, observe: this.#observe };
    this.memory = new PagedKvMemory(model.kernels, model.config, watched);
    this.#scheduler = new Scheduler({ ...watched, tokenBudget, maxSequences });
    this.#tokenBudget = tokenBudget;
    this.#model = model;
    this.#tokenizer = tokenizer;
    const { numBlocks, blockSize } = options;
    const { contextLength } = model.config;
    this.limits = {
      ...{ contextLength, vocabSize: model.vocabSize },
      ...{ numBlocks, blockSize, maxSequences },
    };
  }

  /** Whether there is nothing to do. */
  get isIdle(): boolean {
    return this.#requests.size === 0;
  }

  /** The sequences with blocks, oldest first; a view for reports. */
  get running(): readonly Sequence[] {
    return this.#scheduler.running;
  }

  /** As `running`, without blocks. */
  get waiting(): readonly Sequence[] {
    return this.#scheduler.waiting;
  }

  /** Takes a request; the next step may begin with it. Throws as `checkRequest`. */
  submit(request: GenerationRequest): Submission {
    checkRequest(request, this.limits);
    const id = ++this.#numRequests;
    const events = new EventQueue<RequestEvent>();
    const sequence = new Sequence(this.memory.blocks, {
      ...{ id: ++this.#numSequences, request: id, tokens: request.prompt },
      ...{ salt: request.salt, numSeats: numTextsOf(request) },
    });
    const writer = this.#writerFor(request, sequence, (event) => {
      events.push(event);
    });
    const open: OpenRequest = { events, writer, isAborted: false };
    this.#requests.set(id, open);
    this.#announce(sequence.id, id, request.prompt.length);
    this.#scheduler.add(sequence);
    return {
      ...{ id, events },
      abort: () => {
        open.isAborted = true;
      },
    };
  }

  /**
   * Runs steps until all requests have ended. `pause` is awaited before each: a place to let other work
   * run, to submit more, and to throw. Throws as `step`.
   */
  async run(pause: () => Promise<void> | void = () => undefined): Promise<void> {
    while (!this.isIdle) {
      await pause();
      await this.step();
    }
  }

  /**
   * One step: some tokens of some sequences go through the model. Throws UsageError during another step;
   * where the kernels fail, all requests end with that error, and it is thrown.
   */
  async step(): Promise<StepReport> {
    if (this.#isStepping) throw new UsageError("The engine is in the middle of a step; await it.");
    this.#isStepping = true;
    try {
      for (const { isAborted, writer } of this.#requests.values())
        if (isAborted) writer.end("abort");
      this.#closeEnded();
      return await this.#step();
    } catch (error) {
      for (const { writer } of this.#requests.values()) writer.end("error", error as Error);
      this.#closeEnded();
      throw error;
    } finally {
      this.#isStepping = false;
    }
  }

  async #step(): Promise<StepReport> {
    await this.#propose();
    const { parts, moves } = this.#scheduler.schedule();
    await this.#move(moves);
    const logits = parts.length > 0 ? await this.#run(parts) : [];
    await this.#postprocess(parts, logits);
    const { running, waiting } = this.#scheduler;
    const report: StepReport = {
      step: ++this.#numSteps,
      numTokens: parts.reduce((sum, { count, draft }) => sum + count + draft.length, 0),
      numParts: parts.length,
      ...{ numRunning: running.length, numWaiting: waiting.length },
      numFreeBlocks: this.memory.blocks.numFree,
    };
    this.#observe({ type: "step", report });
    return report;
  }

  /** Sequences that are to write their next token may guess some more. */
  async #propose(): Promise<void> {
    this.#drafts.clear();
    for (const sequence of this.#scheduler.running) {
      if (sequence.numPending !== 1) continue;
      const { writer } = this.#requests.get(sequence.request)!;
      const draft = await writer.propose?.(sequence, this.#tokenBudget - 1);
      sequence.draft = draft ? [...draft.tokens] : [];
      if (draft) this.#drafts.set(sequence, draft);
    }
  }

  /** Copies, saves and restores keys and values, in order; copies that do not touch each other at once. */
  async #move(moves: readonly MemoryMove[]): Promise<void> {
    let copies: BlockCopy[] = [];
    const copyAll = (): void => {
      this.memory.copy(copies);
      copies = [];
    };
    for (const move of moves) {
      if (move.type === "copy") {
        const { from, to } = move;
        // What one copy writes, another may neither read nor write.
        if (copies.some((copy) => [copy.from, copy.to].includes(to) || copy.to === from)) copyAll();
        copies.push({ from, to });
        continue;
      }
      copyAll();
      const { sequence, slots } = move;
      if (move.type === "save") {
        this.#saved.set(sequence, await this.memory.save(slots));
      } else {
        this.memory.restore(slots, this.#saved.get(sequence)!, move.first);
        this.#saved.delete(sequence);
      }
    }
    copyAll();
  }

  async #run(parts: readonly ScheduledPart[]): Promise<Float32Array[]> {
    return forwardBatch(
      this.#model,
      parts.map((part) => this.#partOf(part)),
    );
  }

  #partOf({ sequence, count, draft }: ScheduledPart): SequencePart {
    if (draft.length > 0) {
      const { writer } = this.#requests.get(sequence.request)!;
      return writer.part!(sequence, this.#drafts.get(sequence)!);
    }
    const begin = sequence.paged.numComputed;
    return {
      tokens: Int32Array.from(sequence.tokens.slice(begin, begin + count)),
      positions: Int32Array.from({ length: count }, (_, i) => begin + i),
      cache: this.#cacheOf(sequence),
      wanted: count === sequence.numPending ? "last" : "none",
    };
  }

  /** Shares what was computed, and lets the writers go on where all that they wrote has been read. */
  async #postprocess(
    parts: readonly ScheduledPart[],
    logits: readonly Float32Array[],
  ): Promise<void> {
    for (const { sequence, draft } of parts) if (draft.length === 0) sequence.paged.commit();
    for (const [i, { sequence, draft }] of parts.entries()) {
      // Another part of the same request may have ended it.
      if (logits[i]!.length === 0 || sequence.status === "finished") continue;
      const { writer } = this.#requests.get(sequence.request)!;
      try {
        const guessed = draft.length > 0 ? this.#drafts.get(sequence) : undefined;
        await writer.take(sequence, logits[i]!, guessed);
        // What was guessed is shared when it has proved right.
        if (sequence.paged.isStarted) sequence.paged.commit();
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        writer.end("error", error);
      }
    }
    this.#closeEnded();
  }

  #closeEnded(): void {
    for (const [id, { writer, events }] of this.#requests) {
      if (!writer.hasEnded) continue;
      events.close();
      this.#requests.delete(id);
    }
  }

  #writerFor(
    request: GenerationRequest,
    sequence: Sequence,
    emit: (event: RequestEvent) => void,
  ): Writer {
    const { mode = defaultMode } = request;
    const options = {
      ...{ request, emit, tokenizer: this.#tokenizer },
      maxTokens: mostNewTokens(request, this.limits),
      keeper: this.#keeper,
      cacheOf: (of: Sequence): PagedKvCache => this.#cacheOf(of),
    };
    return mode.type === "beam"
      ? new BeamWriter(sequence, { ...options, mode })
      : new SampleWriter(sequence, { ...options, mode });
  }

  /** What writers may do. */
  readonly #keeper: SequenceKeeper = {
    fork: (parent) => {
      const { request, tokens, salt } = parent;
      const id = ++this.#numSequences;
      this.#announce(id, request, tokens.length);
      // One that had to stop has no blocks to share: the other computes its own.
      const paged = parent.status === "running" ? parent.paged.fork(id) : undefined;
      const child = new Sequence(this.memory.blocks, { id, request, tokens, salt }, paged);
      this.#scheduler.addFork(parent, child);
      return child;
    },
    end: (sequence) => {
      if (sequence.status === "finished") return;
      this.#scheduler.remove(sequence);
      this.#caches.delete(sequence);
      this.#saved.delete(sequence);
      this.#observe({ type: "ended", sequence: sequence.id });
    },
  };

  #announce(sequence: number, request: number, numTokens: number): void {
    this.#observe({ type: "added", sequence, request, numTokens });
  }

  #cacheOf(sequence: Sequence): PagedKvCache {
    const cache = this.#caches.get(sequence) ?? new PagedKvCache(this.memory, sequence.paged);
    this.#caches.set(sequence, cache);
    return cache;
  }
}
