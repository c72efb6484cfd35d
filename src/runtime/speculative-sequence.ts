/**
 * One sequence of many that is written by speculation: propose, run, settle. Its part of a forward pass
 * may go through the model alone or beside those of other sequences; running it is the caller's.
 */
import type { Rng } from "../core/rng.ts";
import type { KvCache } from "../model/kv-cache.ts";
import type { SequencePart } from "../model/sequence-part.ts";
import type { DraftSource } from "./drafts/draft-source.ts";
import { sampleToken, type SamplingOptions } from "./sampler.ts";
import {
  chainDraft,
  distributionOf,
  followDraft,
  verifyDraft,
  type Draft,
  type Verdict,
} from "./speculative.ts";

/** As `verifyDraft`, and perhaps not at once. */
export type VerifyDraft = (
  draft: Draft,
  target: (node: number) => Float64Array,
  rng: Rng,
) => Verdict | Promise<Verdict>;

export interface SpeculationOptions {
  readonly source: DraftSource;
  /** For the target's tokens and the source's alike. */
  readonly sampling: SamplingOptions;
  readonly rng: Rng;
  readonly vocabSize: number;
  /** Tokens that end a text: none of them becomes part of it. */
  readonly endOfGeneration: ReadonlySet<number>;
  /** Decides instead of the engine's own. */
  readonly verify?: VerifyDraft | undefined;
}

/** What one pass of the target has given. */
export interface PassOutcome {
  /** The new tokens: those accepted and, unless the text has ended, one more. */
  readonly tokens: readonly number[];
  readonly verdict: Verdict;
  /** Whether candidates were refused after the accepted ones; if not, the last token is a bonus. */
  readonly wasRefused: boolean;
  /** Whether the text has ended. */
  readonly hasEnded: boolean;
}

/** A sequence, and the target's memory of it. */
export class SpeculativeSequence {
  readonly #cache: KvCache;
  readonly #ids: number[];
  readonly #options: SpeculationOptions;

  /** `cache` holds all of `ids` but one or more at the end. */
  constructor(cache: KvCache, ids: readonly number[], options: SpeculationOptions) {
    this.#cache = cache;
    this.#ids = [...ids];
    this.#options = options;
  }

  get ids(): readonly number[] {
    return this.#ids;
  }

  /** Whether there is room for a pass. */
  get hasRoom(): boolean {
    return this.#cache.numFree >= this.#numPending;
  }

  /** Guesses at most `length` tokens in a row, as there is room, for a part of at most `mostTokens`. */
  async propose(length: number, mostTokens: number = Infinity): Promise<Draft> {
    const room = Math.min(this.#cache.numFree, mostTokens) - this.#numPending;
    const most = Math.min(length, room);
    if (most < 1) return chainDraft(new Int32Array());
    const { source, sampling, rng } = this.#options;
    return firstNodes(await source.propose(this.#ids, most, sampling, rng), room);
  }

  /** What the target has to run: the tokens that it has not seen, and the draft after them. */
  part({ tokens, parents }: Draft): SequencePart {
    const held = this.#cache.slots.length;
    const pending = this.#ids.slice(held);
    // Pending tokens are a chain; the draft hangs on the last of them.
    const all = [
      ...pending.map((_, i) => i - 1),
      ...parents.map((parent) => parent + pending.length),
    ];
    const positions = new Int32Array(all.length);
    all.forEach((parent, i) => (positions[i] = parent < 0 ? held : positions[parent]! + 1));
    return {
      tokens: Int32Array.from([...pending, ...tokens]),
      positions,
      cache: this.#cache,
      wanted: tokens.length === 0 ? "last" : "all",
      parents: Int32Array.from(all),
    };
  }

  /**
   * Takes in the logits that `part(draft)` wanted: [tokens · vocabSize], of the last alone without a draft.
   * Forgets the keys and values of what was refused. An accepted token that does not lie behind the
   * one before it is forgotten, too, and goes through the model again with the next pass.
   */
  async settle(draft: Draft, logits: Float32Array): Promise<PassOutcome> {
    const { endOfGeneration } = this.#options;
    const ids = this.#ids;
    const verdict = await this.#judge(draft, logits);
    const found = [...verdict.path.map((node) => draft.tokens[node]!), verdict.next];
    const end = found.findIndex((token) => endOfGeneration.has(token));
    const tokens = end < 0 ? found : found.slice(0, end);
    const strayed = verdict.path.findIndex((node, i) => node !== i);
    const numInPlace = strayed < 0 ? verdict.path.length : strayed;
    this.#cache.truncate(ids.length + Math.min(numInPlace, tokens.length));
    ids.push(...tokens);
    const wasRefused = draft.parents.includes(verdict.path.at(-1) ?? -1);
    return { tokens, verdict, wasRefused, hasEnded: end >= 0 };
  }

  get #numPending(): number {
    return this.#ids.length - this.#cache.slots.length;
  }

  /** Plain decoding must not cost more than it does, and distributions only where chance decides. */
  #judge(draft: Draft, logits: Float32Array): Verdict | Promise<Verdict> {
    const { sampling, rng, verify } = this.#options;
    const { recent, logitsAt } = this.#looking(draft, logits);
    if (draft.tokens.length === 0 || (sampling.temperature === 0 && !verify)) {
      return followDraft(draft, (node) => sampleToken(logitsAt(node), sampling, rng, recent(node)));
    }
    const target = (node: number): Float64Array =>
      distributionOf(logitsAt(node), sampling, recent(node));
    return (verify ?? verifyDraft)(draft, target, rng);
  }

  /** What the target says after a node, and the tokens that its sampling looks back at. */
  #looking(
    draft: Draft,
    logits: Float32Array,
  ): { logitsAt: (node: number) => Float32Array; recent: (node: number) => readonly number[] } {
    const { sampling, vocabSize } = this.#options;
    return {
      logitsAt: (node) => {
        const end = logits.length - (draft.tokens.length - 1 - node) * vocabSize;
        return logits.subarray(end - vocabSize, end);
      },
      recent: (node) =>
        sampling.repeatPenalty === 1
          ? []
          : [...this.#ids.slice(-sampling.repeatWindow), ...branchTo(draft, node)],
    };
  }
}

/** The tokens from the sequence to a node. */
function branchTo({ tokens, parents }: Draft, node: number): readonly number[] {
  const branch: number[] = [];
  for (let at = node; at >= 0; at = parents[at]!) branch.unshift(tokens[at]!);
  return branch;
}

/** A draft without the nodes from `count` on, which are no other's parents. */
function firstNodes(draft: Draft, count: number): Draft {
  if (draft.tokens.length <= count) return draft;
  const { tokens, parents, proposals } = draft;
  return { tokens: tokens.slice(0, count), parents: parents.slice(0, count), proposals };
}
