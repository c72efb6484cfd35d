/** What an engine is asked for and what it answers, and whether it can be served at all. */
import { InputError, UsageError } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import type { KvCache } from "../model/kv-cache.ts";
import type { SequencePart } from "../model/sequence-part.ts";
import { checkSampling, type SamplingOptions } from "./sampler.ts";
import type { Draft } from "./speculative.ts";
import type { ChosenLogprob } from "./token-logprobs.ts";

/** A text to be written. */
export interface GenerationRequest {
  readonly prompt: Int32Array;
  /** The most tokens to write; a model's context may end it before. */
  readonly maxTokens: number;
  /** How each text is written: drawn, the default, or searched for. */
  readonly mode?: SamplingMode | BeamMode;
  /** Strings that end a text, and are no part of it. */
  readonly stop?: readonly string[];
  /** With each token its log-probability and those of so many of the likeliest. */
  readonly logprobs?: number | undefined;
  /** Requests share keys and values only under the same salt. */
  readonly salt?: string | undefined;
}

/** `numSamples` texts, each drawn token by token. */
export interface SamplingMode {
  readonly type: "sample";
  readonly numSamples: number;
  readonly sampling: SamplingOptions;
  /** Random numbers for each sample. */
  readonly rng: (sample: number) => Rng;
  /** Whether a token that ends a text is one like any other, as measurements want it; not with `speculate`. */
  readonly ignoresEnd?: boolean;
  /**
   * Writes several tokens in a pass: asked once for each sample, with the tokens so far, of which
   * `cache` holds all but the last. See `Speculation`.
   */
  readonly speculate?:
    ((cache: KvCache, tokens: readonly number[], rng: Rng) => Speculation) | undefined;
}

/** The `width` texts that are likeliest as a whole, as far as a beam search finds them. */
export interface BeamMode {
  readonly type: "beam";
  readonly width: number;
  /** Scores are divided by length to this power; 1 unless given. */
  readonly lengthPenalty?: number;
}

/**
 * A sequence that is written by speculation, as the engine uses it: before a step it proposes a draft;
 * `part` says what the model has to run for it, all tokens that the cache lacks and then the draft's;
 * and `settle` takes in the logits after the last of those and after each of the draft's, cuts the cache
 * to what was accepted, and returns the new tokens. `SpeculativeSequence` is one. A draft for which a
 * step has no memory or budget is left out, and `part` and `settle` are called with an empty one.
 */
export interface Speculation {
  /** At most `length` tokens in a row. */
  propose(length: number): Promise<Draft>;
  part(draft: Draft): SequencePart;
  settle(
    draft: Draft,
    logits: Float32Array,
  ): Promise<{ readonly tokens: readonly number[]; readonly hasEnded: boolean }>;
}

/** Why a text has ended. */
export type EndReason = "stop" | "length" | "abort" | "error";

/** What a request yields: tokens, and one end for each text. */
export type RequestEvent =
  | {
      readonly type: "token";
      /** The number of the text. */
      readonly sample: number;
      readonly id: number;
      /** The text that is certain with this token; "" where it is not. */
      readonly text: string;
      readonly logprob: ChosenLogprob | undefined;
    }
  | {
      readonly type: "end";
      readonly sample: number;
      readonly reason: EndReason;
      /** What was held back until the end. */
      readonly text: string;
      /** A beam's sum of log-probabilities, divided as its mode says. */
      readonly score: number | undefined;
      /** What went wrong, where `reason` is "error". */
      readonly error: Error | undefined;
    };

/** What a request has to fit into. */
export interface EngineLimits {
  readonly contextLength: number;
  readonly vocabSize: number;
  readonly numBlocks: number;
  readonly blockSize: number;
  readonly maxSequences: number;
}

const mostSamples = 64;
const mostLogprobs = 20;

/**
 * Throws UsageError for values out of range, and InputError for a request that no waiting could serve,
 * with the arithmetic.
 */
export function checkRequest(request: GenerationRequest, limits: EngineLimits): void {
  const { prompt, maxTokens, logprobs = 0, mode } = request;
  const numTexts = numTextsOf(request);
  const rules: readonly (readonly [boolean, string])[] = [
    [isCount(maxTokens), `maxTokens is ${maxTokens}: a whole number of at least 1`],
    [isCount(numTexts) && numTexts <= mostSamples, `${numTexts} texts: 1 to ${mostSamples}`],
    [
      Number.isInteger(logprobs) && logprobs >= 0 && logprobs <= mostLogprobs,
      `logprobs is ${logprobs}: 0 to ${mostLogprobs}`,
    ],
  ];
  const broken = rules.find(([isKept]) => !isKept);
  if (broken) throw new UsageError(`The request cannot be served: ${broken[1]} is needed.`);
  if (mode?.type === "sample") checkSampling(mode.sampling);
  checkPrompt(prompt, limits);
  checkMemory(request, numTexts, limits);
}

/** The most tokens that a request can write. */
export function mostNewTokens(request: GenerationRequest, { contextLength }: EngineLimits): number {
  return Math.min(request.maxTokens, contextLength - request.prompt.length + 1);
}

/** Texts that a request asks for. */
export function numTextsOf({ mode }: GenerationRequest): number {
  if (!mode) return 1;
  return mode.type === "beam" ? mode.width : mode.numSamples;
}

function checkPrompt(prompt: Int32Array, { contextLength, vocabSize }: EngineLimits): void {
  if (prompt.length === 0) {
    throw new InputError("The prompt is empty; at least one token is needed.");
  }
  if (prompt.length > contextLength) {
    throw new InputError(
      `The prompt has ${prompt.length} tokens, and the model looks back on ${contextLength}; shorten it.`,
    );
  }
  const stranger = prompt.find((token) => token < 0 || token >= vocabSize);
  if (stranger === undefined) return;
  throw new InputError(`${stranger} is no token: the vocabulary has ${vocabSize}, from 0 on.`);
}

/** Beams are needed at the same time; samples can take turns. */
function checkMemory(request: GenerationRequest, numTexts: number, limits: EngineLimits): void {
  const { numBlocks, blockSize, maxSequences } = limits;
  if (numTexts > maxSequences) {
    throw new InputError(
      `${numTexts} texts were asked for, and ${maxSequences} sequences can run at once; ask for fewer.`,
    );
  }
  const numPrompt = request.prompt.length;
  // The last token that is written need not be remembered.
  const numNew = mostNewTokens(request, limits) - 1;
  const blocks = Math.ceil((numPrompt + numNew) / blockSize);
  const atOnce = request.mode?.type === "beam" ? numTexts : 1;
  if (atOnce * blocks <= numBlocks) return;
  const each = `⌈(${numPrompt} + ${numNew}) / ${blockSize}⌉ = ${blocks} blocks`;
  const needed = atOnce === 1 ? each : `${atOnce} beams · ${each} = ${atOnce * blocks}`;
  throw new InputError(
    `The request can never fit: ${numPrompt} prompt tokens and ${numNew} new ones that have to be remembered take ${needed}, and the whole cache has ${numBlocks}; ask for fewer tokens, or give the cache more memory.`,
  );
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 1;
}
