/**
 * The generation loop with a draft: as `generate`, with several tokens from one pass of the target.
 * The text has the same distribution, and at temperature 0 it is the same text.
 */
import { InputError } from "../core/errors.ts";
import { forwardBatch, prefill } from "../model/llama.ts";
import { TokenStream } from "../model/tokenizer/token-stream.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import type { DraftSource } from "./drafts/draft-source.ts";
import type { GenerateOptions, GenerationEvent, Generator } from "./generate.ts";
import { checkSampling, sampleToken } from "./sampler.ts";
import type { DraftLength, PassFigures } from "./speculative-length.ts";
import { SpeculativeSequence, type PassOutcome, type VerifyDraft } from "./speculative-sequence.ts";
import type { Draft } from "./speculative.ts";

/** What generates: the target, its tokenizer and memory, and who guesses. */
export interface Speculator extends Generator {
  readonly source: DraftSource;
}

export interface SpeculateOptions extends GenerateOptions {
  readonly length: DraftLength;
  /** Milliseconds from any beginning: passes are timed with it. */
  readonly now: () => number;
  /** Decides instead of `verifyDraft`. */
  readonly verify?: VerifyDraft | undefined;
}

/** What a speculative generation yields: before the tokens of a pass, the pass. */
export type SpeculationEvent =
  | GenerationEvent
  | {
      readonly type: "pass";
      readonly draft: Draft;
      readonly outcome: PassOutcome;
      readonly figures: PassFigures;
    };

/**
 * Continues `prompt` after what the cache holds. A token that ends generation is neither yielded nor
 * added to the cache. Throws as `generate` does.
 */
export async function* speculate(
  { model, tokenizer, cache, source }: Speculator,
  prompt: Int32Array,
  options: SpeculateOptions,
): AsyncGenerator<SpeculationEvent, void, void> {
  const { maxTokens, sampling, rng, signal, pause, length, now, verify } = options;
  checkSampling(sampling);
  const stream = new TokenStream(tokenizer, { continuation: true });
  const { endOfGeneration } = tokenizer.vocabulary;
  const breathe = async (): Promise<void> => {
    await pause?.();
    signal?.throwIfAborted();
  };
  const token = (id: number): GenerationEvent => ({ type: "token", id, text: stream.push(id) });
  const logits = await prefill(model, prompt, cache, breathe);
  const first = sampleToken(logits, sampling, rng, [...prompt]);
  if (endOfGeneration.has(first)) {
    yield { type: "end", reason: "stop", text: stream.flush() };
    return;
  }
  const settings = { source, sampling, rng, endOfGeneration, verify, vocabSize: model.vocabSize };
  const sequence = new SpeculativeSequence(cache, [...prompt, first], settings);
  await source.prepare(sequence.ids);
  length.begin();
  yield token(first);
  for (let left = maxTokens - 1; left > 0 && sequence.hasRoom;) {
    await breathe();
    const started = now();
    const draft = await sequence.propose(Math.min(length.next(), left - 1), model.batchSize);
    const proposed = now();
    const [expected] = await forwardBatch(model, [sequence.part(draft)]);
    const outcome = await sequence.settle(draft, expected!);
    const figures = passFigures(draft, outcome, proposed - started, now() - proposed);
    length.record(figures);
    yield { type: "pass", draft, outcome, figures };
    for (const id of outcome.tokens) yield token(id);
    left -= outcome.tokens.length;
    if (!outcome.hasEnded) continue;
    yield { type: "end", reason: "stop", text: stream.flush() };
    return;
  }
  yield { type: "end", reason: "length", text: stream.flush() };
}

/**
 * Checks that one model may guess for another. Throws InputError where their tokens differ: a guess
 * would mean another text.
 */
export function checkPair(draft: Tokenizer, target: Tokenizer): void {
  const [ours, theirs] = [draft.vocabulary.texts, target.vocabulary.texts];
  if (ours.length !== theirs.length) {
    throw new InputError(
      `The draft model has a vocabulary of ${ours.length} tokens and the target one of ${theirs.length}; they need the same tokenizer.`,
    );
  }
  const other = ours.findIndex((text, id) => text !== theirs[id]);
  if (other < 0) return;
  throw new InputError(
    `Token ${other} is ${JSON.stringify(ours[other])} to the draft model and ${JSON.stringify(theirs[other])} to the target; they need the same tokenizer.`,
  );
}

function passFigures(
  { tokens, parents }: Draft,
  { tokens: found, verdict, wasRefused }: PassOutcome,
  draftMs: number,
  verifyMs: number,
): PassFigures {
  return {
    length: depthOf(tokens, parents),
    numAccepted: verdict.path.length,
    ...{ wasRefused, numTokens: found.length, draftMs, verifyMs },
  };
}

/** Tokens of the longest branch. */
function depthOf(tokens: Int32Array, parents: Int32Array): number {
  const depths = new Int32Array(tokens.length);
  parents.forEach((parent, node) => (depths[node] = parent < 0 ? 1 : depths[parent]! + 1));
  return depths.reduce((most, depth) => Math.max(most, depth), 0);
}
