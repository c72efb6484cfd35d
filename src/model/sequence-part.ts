/**
 * The tokens that several sequences bring to one forward pass, and which rows of it are whose. Extends
 * the sequences' caches; computes nothing.
 */
import { InputError } from "../core/errors.ts";
import type { KvCache, KvPool } from "./kv-cache.ts";

/** What one sequence brings to a forward pass. */
export interface SequencePart {
  /** One or more. */
  readonly tokens: Int32Array;
  /** As many as `tokens`. */
  readonly positions: Int32Array;
  /** What the sequence has so far; no two parts of a pass have the same. */
  readonly cache: KvCache;
  /** After which of the tokens the model's logits are wanted. */
  readonly wanted: "last" | "all" | "none";
  /**
   * Makes the tokens a tree instead of a chain: for each its parent, an earlier one of the part, or −1
   * for what was cached before. A token sees that, its ancestors and itself.
   */
  readonly parents?: Int32Array | undefined;
}

/** Rows of a pass, from `begin` to `end`. */
export interface PassRows {
  readonly begin: number;
  readonly end: number;
}

/** Rows of a pass that lie at, or attend over, `slots` of the pools. */
export interface RowsOfPools extends PassRows {
  readonly pools: readonly KvPool[];
  readonly slots: Int32Array;
}

/** The rows of a forward pass. */
export interface PassPlan {
  readonly tokens: Int32Array;
  readonly positions: Int32Array;
  /** Where the keys and values of all rows go. */
  readonly stored: readonly RowsOfPools[];
  /** What all rows attend to, as the attention kernel takes it. */
  readonly attending: readonly RowsOfPools[];
  /** The rows of each part whose logits are wanted. */
  readonly wanted: readonly PassRows[];
}

/**
 * Lays the parts out one behind the other and adds their tokens to their caches. Throws InputError for
 * a token, position or parent that there is not, for no tokens or more than `batchSize`, for a cache
 * that two parts have, and where a cache is full; no cache has changed then.
 */
export function planRows(
  parts: readonly SequencePart[],
  vocabSize: number,
  batchSize: number,
): PassPlan {
  for (const part of parts) checkPart(part, vocabSize, batchSize);
  const numTokens = parts.reduce((sum, { tokens }) => sum + tokens.length, 0);
  checkCount(numTokens, numTokens, batchSize);
  if (parts.length > 1 && new Set(parts.map(({ cache }) => cache)).size < parts.length) {
    throw new InputError(
      "Two parts of a forward pass have the same cache; run one after the other.",
    );
  }
  const placed = extendAll(parts);
  return {
    tokens: joined(parts.map(({ tokens }) => tokens)),
    positions: joined(parts.map(({ positions }) => positions)),
    stored: mergedByPools(placed),
    attending: placed.flatMap((rows, i) => attendingRows(rows, parts[i]!)),
    wanted: placed.map(({ begin, end }, i) => wantedRows(begin, end, parts[i]!)),
  };
}

/** The same rows, in as few pieces as they make. */
export function joinedRows(rows: readonly PassRows[]): PassRows[] {
  const pieces: PassRows[] = [];
  for (const { begin, end } of rows) {
    if (begin === end) continue;
    const last = pieces.at(-1);
    if (last?.end === begin) pieces[pieces.length - 1] = { begin: last.begin, end };
    else pieces.push({ begin, end });
  }
  return pieces;
}

function checkPart(
  { tokens, positions, parents }: SequencePart,
  vocabSize: number,
  batchSize: number,
): void {
  checkCount(tokens.length, positions.length, batchSize);
  const stranger = tokens.find((token) => token < 0 || token >= vocabSize);
  if (stranger !== undefined) {
    throw new InputError(`${stranger} is no token: the vocabulary has ${vocabSize}, from 0 on.`);
  }
  const negative = positions.find((position) => position < 0);
  if (negative !== undefined) throw new InputError(`${negative} is no position; they start at 0.`);
  if (!parents) return;
  const isTree =
    parents.length === tokens.length && parents.every((parent, i) => parent >= -1 && parent < i);
  if (isTree) return;
  throw new InputError(
    `The parents of ${tokens.length} tokens have to be as many, each -1 or an earlier token of the part; they are ${parents.join(", ")}.`,
  );
}

function checkCount(numTokens: number, numPositions: number, batchSize: number): void {
  if (numTokens >= 1 && numTokens <= batchSize && numPositions === numTokens) return;
  throw new InputError(
    `A forward pass takes 1 to ${batchSize} tokens and a position for each, not ${numTokens} and ${numPositions}.`,
  );
}

/** Where the new tokens of each part lie. */
function extendAll(parts: readonly SequencePart[]): RowsOfPools[] {
  const lengths = parts.map(({ cache }) => cache.slots.length);
  const placed: RowsOfPools[] = [];
  let begin = 0;
  try {
    for (const { cache, tokens } of parts) {
      const end = begin + tokens.length;
      placed.push({ begin, end, pools: cache.pools, slots: cache.extend(tokens) });
      begin = end;
    }
  } catch (error) {
    placed.forEach((_, i) => {
      parts[i]!.cache.truncate(lengths[i]!);
    });
    throw error;
  }
  return placed;
}

/** Neighbours whose pools are the same, as one. */
function mergedByPools(placed: readonly RowsOfPools[]): readonly RowsOfPools[] {
  if (placed.length === 1) return placed;
  const runs: RowsOfPools[][] = [];
  for (const rows of placed) {
    const run = runs.at(-1);
    if (run?.[0]!.pools === rows.pools) run.push(rows);
    else runs.push([rows]);
  }
  return runs.map((run) => ({
    ...run[0]!,
    end: run.at(-1)!.end,
    slots: joined(run.map(({ slots }) => slots)),
  }));
}

/** A chain attends as one; of a tree every token has its own past. */
function attendingRows(
  { begin, end, pools, slots }: RowsOfPools,
  { cache, parents }: SequencePart,
): RowsOfPools[] {
  const isChain = parents?.every((parent, i) => parent === i - 1) ?? true;
  if (isChain) return [{ begin, end, pools, slots: cache.slots }];
  const before = cache.slots.subarray(0, cache.slots.length - slots.length);
  const seen: Int32Array[] = [];
  parents!.forEach((parent, i) => {
    seen.push(joined([parent < 0 ? before : seen[parent]!, slots.subarray(i, i + 1)]));
  });
  return seen.map((own, i) => ({ begin: begin + i, end: begin + i + 1, pools, slots: own }));
}

function wantedRows(begin: number, end: number, { wanted }: SequencePart): PassRows {
  switch (wanted) {
    case "all":
      return { begin, end };
    case "last":
      return { begin: end - 1, end };
    case "none":
      return { begin: end, end };
    default:
      return wanted satisfies never;
  }
}

function joined(pieces: readonly Int32Array[]): Int32Array {
  if (pieces.length === 1) return pieces[0]!;
  const all = new Int32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
