/**
 * Speculation and plain decoding of the same target, measured in turns in one process, so that both
 * meet the same machine. Knows no files and prints nothing.
 */
import { setImmediate } from "node:timers/promises";
import { seededRng } from "../core/rng.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import type { Llama } from "../model/llama.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { ModelDraft } from "../runtime/drafts/model-draft.ts";
import type { DraftSource } from "../runtime/drafts/draft-source.ts";
import { PromptLookup } from "../runtime/drafts/prompt-lookup.ts";
import { generate } from "../runtime/generate.ts";
import type { SamplingOptions } from "../runtime/sampler.ts";
import {
  speculate,
  type SpeculateOptions,
  type SpeculationEvent,
} from "../runtime/speculative-generate.ts";
import {
  AdaptiveLength,
  fixedLength,
  type DraftLength,
  type PassFigures,
} from "../runtime/speculative-length.ts";
import { acceptanceRate } from "../runtime/speculative-speed.ts";

/** Who may guess. */
export const sourceNames = ["model", "ngram", "tree"] as const;

export type SourceName = (typeof sourceNames)[number];

/** What guesses how much. */
export interface Guessing {
  readonly source: SourceName;
  /** Tokens in a row. */
  readonly length: number | "adaptive";
  /** Decides an adaptive length, with what it has learned from earlier texts; new unless given. */
  readonly policy?: DraftLength | undefined;
  /** Candidates at each position of a tree. */
  readonly branches: number;
  /** Another text for `ngram` to look in. */
  readonly reference?: readonly number[] | undefined;
}

/** In a text that is mostly copied, a long match tells apart places that begin alike. */
const referenceMostTokens = 8;

/** What is written. */
export interface Writing {
  readonly prompt: Int32Array;
  readonly maxTokens: number;
  readonly sampling: SamplingOptions;
  readonly seed: number;
}

/** The models of a pair; without a draft only `ngram` can guess. */
export interface Pair {
  readonly target: Llama;
  readonly draft: Llama | undefined;
  readonly tokenizer: Tokenizer;
}

/** One text that was written, and how fast its tokens after the first came. */
export interface Written {
  readonly ids: readonly number[];
  readonly text: string;
  readonly finish: "stop" | "length";
  readonly ms: number;
  /** Empty for a plain text. */
  readonly passes: readonly PassFigures[];
}

/** Writes one text by speculation. `onEvent` sees what comes. */
export async function writeSpeculatively(
  pair: Pair,
  guessing: Guessing,
  writing: Writing,
  onEvent: (event: SpeculationEvent) => void = () => undefined,
  verify?: SpeculateOptions["verify"],
): Promise<Written> {
  const { target: model, tokenizer } = pair;
  const source = sourceOf(pair, guessing, writing);
  const cache = cacheFor(model, writing);
  const options = {
    ...optionsOf(writing),
    length: lengthOf(guessing),
    now: () => performance.now(),
    verify,
  };
  const events = speculate({ model, tokenizer, cache, source }, writing.prompt, options);
  return collect(events, onEvent);
}

/** Writes one text plainly. */
export function writePlainly({ target, tokenizer }: Pair, writing: Writing): Promise<Written> {
  const cache = cacheFor(target, writing);
  const generator = { model: target, tokenizer, cache };
  return collect(generate(generator, writing.prompt, optionsOf(writing)), () => undefined);
}

/** What many passes come to. */
export interface PassTotals {
  readonly passes: number;
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
  /** Of the positions that were checked; null where none was. */
  readonly acceptanceRate: number | null;
  readonly tokensPerTargetPass: number | null;
}

/** Adds passes up. */
export function totalsOf(passes: readonly PassFigures[]): PassTotals {
  const sum = (figure: (pass: PassFigures) => number): number =>
    passes.reduce((total, pass) => total + figure(pass), 0);
  const acceptedTokens = sum(({ numAccepted }) => numAccepted);
  return {
    passes: passes.length,
    draftedTokens: sum(({ length }) => length),
    acceptedTokens,
    acceptanceRate: acceptanceRate(
      acceptedTokens,
      sum(({ wasRefused }) => Number(wasRefused)),
    ),
    tokensPerTargetPass:
      passes.length === 0 ? null : sum(({ numTokens }) => numTokens) / passes.length,
  };
}

/** Tokens a second after the first; null where there was only one. */
export function tokensPerSecond({ ids, ms }: Written): number | null {
  return ids.length > 1 && ms > 0 ? (ids.length - 1) / (ms / 1000) : null;
}

function sourceOf({ draft }: Pair, guessing: Guessing, writing: Writing): DraftSource {
  const { source, branches, reference } = guessing;
  if (source === "ngram") {
    return new PromptLookup(reference ? { reference, mostTokens: referenceMostTokens } : {});
  }
  if (!draft) throw new Error("A model was to guess, and none was loaded.");
  return new ModelDraft(draft, cacheFor(draft, writing), source === "tree" ? branches : 1);
}

function lengthOf({ length, policy = new AdaptiveLength() }: Guessing): DraftLength {
  return length === "adaptive" ? policy : fixedLength(length);
}

/** Room for the prompt and all that may follow, as far as the model looks back. */
function cacheFor(model: Llama, { prompt, maxTokens }: Writing): ContiguousKvCache {
  const capacity = Math.min(model.config.contextLength, prompt.length + maxTokens);
  return new ContiguousKvCache(model.kernels, model.config, capacity);
}

function optionsOf({ maxTokens, sampling, seed }: Writing): {
  maxTokens: number;
  sampling: SamplingOptions;
  rng: () => number;
  pause: () => Promise<void>;
} {
  return { maxTokens, sampling, rng: seededRng(seed), pause: () => setImmediate() };
}

async function collect(
  events: AsyncIterable<SpeculationEvent>,
  onEvent: (event: SpeculationEvent) => void,
): Promise<Written> {
  const ids: number[] = [];
  const passes: PassFigures[] = [];
  let text = "";
  let finish: Written["finish"] = "length";
  let first: number | undefined;
  let last = 0;
  for await (const event of events) {
    last = performance.now();
    onEvent(event);
    if (event.type === "pass") {
      passes.push(event.figures);
      continue;
    }
    first ??= last;
    text += event.text;
    if (event.type === "token") ids.push(event.id);
    else finish = event.reason;
  }
  return { ids, text, finish, ms: last - (first ?? last), passes };
}
