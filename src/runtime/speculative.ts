/**
 * Speculative decoding, the part that decides (Leviathan et al., 2023; Chen et al., 2023): which guessed
 * tokens a target model accepts and which token follows, so that the text has the distribution that the
 * target alone would give it. Pure functions of probabilities; who guesses is in `drafts/`, what runs
 * the model is in `speculative-sequence.ts`.
 */
import type { Rng } from "../core/rng.ts";
import { candidatesOf, likeliest, penalizeRepeats, type SamplingOptions } from "./sampler.ts";

/**
 * Tokens that are guessed to follow a sequence: a tree, of which a chain is the case without branches.
 * A node is the index of a token; -1 stands for the sequence itself.
 */
export interface Draft {
  readonly tokens: Int32Array;
  /** The node before each token; it comes first. */
  readonly parents: Int32Array;
  /**
   * What the tokens after node i were drawn from, at [i + 1], one after the other without replacement;
   * undefined where they were chosen without chance. Probabilities [vocabSize].
   */
  readonly proposals: readonly (Float64Array | undefined)[];
}

/** What becomes of a draft. */
export interface Verdict {
  /** The accepted nodes, from the sequence on. */
  readonly path: readonly number[];
  /** The token after them: the target's correction, or its bonus where a whole branch was accepted. */
  readonly next: number;
}

/** A draft without branches; without `proposals` its tokens were chosen without chance. */
export function chainDraft(
  tokens: Int32Array,
  proposals: readonly (Float64Array | undefined)[] = [],
): Draft {
  return { tokens, parents: tokens.map((_, i) => i - 1), proposals };
}

/** The nodes after each node, at [node + 1], in the order in which they were drawn. */
export function childrenOf({ tokens, parents }: Draft): readonly (readonly number[])[] {
  const children = Array.from({ length: tokens.length + 1 }, (): number[] => []);
  parents.forEach((parent, node) => children[parent + 1]!.push(node));
  return children;
}

/**
 * Probabilities [vocabSize] of the next token after `recent`, as `sampleToken` draws it; at temperature
 * 0 all of it lies on the likeliest. Throws InputError as `sampleToken`.
 */
export function distributionOf(
  logits: Float32Array,
  options: SamplingOptions,
  recent: readonly number[] = [],
): Float64Array {
  const penalized = penalizeRepeats(logits, recent, options);
  const distribution = new Float64Array(logits.length);
  if (options.temperature === 0) {
    distribution[likeliest(penalized)] = 1;
    return distribution;
  }
  const { ids, probabilities } = candidatesOf(penalized, options);
  ids.forEach((id, i) => (distribution[id] = probabilities[i]!));
  return distribution;
}

/**
 * Accepts a branch of `draft` and draws the token after it. `target` gives the target's probabilities
 * [vocabSize] after a node and is asked only for nodes that are reached. A token drawn from q is
 * accepted with probability min(1, p/q); after each refusal p is what is left of it, and q what the
 * next candidate was drawn from (Yang et al., 2024; Jeon et al., 2024). With one candidate this is
 * Leviathan's algorithm 1.
 */
export function verifyDraft(
  draft: Draft,
  target: (node: number) => Float64Array,
  rng: Rng,
): Verdict {
  const children = childrenOf(draft);
  const path: number[] = [];
  for (;;) {
    const node = path.at(-1) ?? -1;
    let p = target(node);
    let q = draft.proposals[node + 1];
    const accepted = children[node + 1]!.find((child) => {
      const token = draft.tokens[child]!;
      // Without chance, the token had probability 1.
      if (rng() * (q ? q[token]! : 1) < p[token]!) return true;
      p = q ? residual(p, q) : without(p, token);
      q &&= without(q, token);
      return false;
    });
    if (accepted === undefined) return { path, next: drawFrom(p, rng) };
    path.push(accepted);
  }
}

/**
 * As `verifyDraft` at temperature 0, where the target has one token after a node and not a distribution:
 * a candidate that is this token is accepted.
 */
export function followDraft({ tokens, parents }: Draft, target: (node: number) => number): Verdict {
  const path: number[] = [];
  for (;;) {
    const node = path.at(-1) ?? -1;
    const next = target(node);
    const accepted = tokens.findIndex((token, i) => token === next && parents[i] === node);
    if (accepted < 0) return { path, next };
    path.push(accepted);
  }
}

/**
 * What is left to draw from after a token drawn from `q` was refused: max(0, p - q), made to sum to 1.
 * Where nothing is left, which only rounding can bring about, `p` itself.
 */
export function residual(p: Float64Array, q: Float64Array): Float64Array {
  return normalized(
    p.map((probability, id) => Math.max(0, probability - q[id]!)),
    p,
  );
}

/** `p` without `token`, made to sum to 1; `p` itself where nothing is left. */
export function without(p: Float64Array, token: number): Float64Array {
  const rest = p.slice();
  rest[token] = 0;
  return normalized(rest, p);
}

/** A token, as often as its probability says. */
export function drawFrom(p: Float64Array, rng: Rng): number {
  let left = rng();
  let last = 0;
  for (let id = 0; id < p.length; id++) {
    const probability = p[id]!;
    if (probability === 0) continue;
    left -= probability;
    last = id;
    if (left < 0) break;
  }
  // Rounding can leave the sum a little below 1.
  return last;
}

function normalized(weights: Float64Array, otherwise: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return sum > 0 ? weights.map((weight) => weight / sum) : otherwise;
}
