/**
 * The forward pass of the Llama family (Touvron et al., 2023), one for all formats of weights and all
 * kernels. Runs tokens of one sequence or of several; says nothing about which token comes next.
 */
import { InputError } from "../core/errors.ts";
import type { Progress } from "../core/progress.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { Activations, ForwardKernels, Matrix } from "../kernels/forward-kernels.ts";
import { llamaConfigFromGguf, type LlamaConfig } from "./config.ts";
import type { KvCache } from "./kv-cache.ts";
import { ropeFrequencies, rotationTable, type RopeFrequencies } from "./rope.ts";
import type { Rounding } from "./rounded-rows.ts";
import { joinedRows, planRows, type PassPlan, type SequencePart } from "./sequence-part.ts";
import {
  llamaTensors,
  loadLlamaWeights,
  type LlamaLayer,
  type LlamaWeights,
  type Projection,
} from "./weights.ts";

/** Tokens that go through the model together, unless told otherwise. */
const defaultBatchSize = 128;

/** Logits that are computed at once: 8 MB, or one token's where the vocabulary is larger. */
const mostLogits = 2 ** 21;

/** A model that is ready to run. */
export interface Llama {
  readonly config: LlamaConfig;
  readonly vocabSize: number;
  /** The most tokens that one forward pass takes. */
  readonly batchSize: number;
  readonly kernels: ForwardKernels;
  readonly weights: LlamaWeights;
  readonly frequencies: RopeFrequencies;
  /** Room for what is between two kernels; one forward pass at a time may use it. */
  readonly scratch: Scratch;
}

/** What a forward pass writes to, `batchSize` rows each but for the logits. */
interface Scratch {
  readonly hidden: Activations;
  readonly normed: Activations;
  readonly queries: Activations;
  readonly keys: Activations;
  readonly values: Activations;
  readonly attended: Activations;
  readonly gate: Activations;
  readonly up: Activations;
  /** What a part of a layer adds to `hidden`. */
  readonly update: Activations;
  readonly rotations: Activations;
  /** One row or more. */
  readonly logits: Activations;
}

export interface LoadOptions {
  readonly batchSize?: number;
  readonly progress?: Progress;
  /** What matrices are rounded to; `file` unless given. */
  readonly rounding?: Rounding;
}

/**
 * Loads the model that a GGUF file holds. Throws InputError where its architecture, its shape or a
 * tensor's format is not supported, and where the file is damaged.
 */
export async function loadLlama(
  file: GgufFile,
  kernels: ForwardKernels,
  { batchSize = defaultBatchSize, progress, rounding }: LoadOptions = {},
): Promise<Llama> {
  const config = llamaConfigFromGguf(file);
  const tensors = llamaTensors(file, config);
  const weights = await loadLlamaWeights(file, tensors, kernels, progress, rounding);
  const vocabSize = weights.embedding.numRows;
  return {
    config,
    vocabSize,
    batchSize,
    kernels,
    weights,
    frequencies: ropeFrequencies(config.rope, weights.ropeFactors),
    scratch: scratchFor(kernels, config, vocabSize, batchSize),
  };
}

/**
 * Runs `tokens` at `positions` [n] after what `cache` holds, and adds them to it. Returns what the
 * model expects after the last of them: logits [vocabSize]. Throws InputError for a token or position
 * that there is not, for more tokens than `model.batchSize`, and where the cache is full.
 */
export async function forward(
  model: Llama,
  tokens: Int32Array,
  positions: Int32Array,
  cache: KvCache,
): Promise<Float32Array<ArrayBuffer>> {
  const [logits] = await forwardBatch(model, [{ tokens, positions, cache, wanted: "last" }]);
  return logits!;
}

/**
 * As `forward`, for parts of several sequences whose tokens go through the matrices together, at most
 * `model.batchSize` in all. Returns the logits of each part [its wanted tokens · vocabSize]. Where it
 * throws InputError, no cache has changed.
 */
export async function forwardBatch(
  model: Llama,
  parts: readonly SequencePart[],
): Promise<Float32Array<ArrayBuffer>[]> {
  const { kernels, weights } = model;
  const plan = planRows(parts, model.vocabSize, model.batchSize);
  const step = rowsOfScratch(model, plan.tokens.length);
  kernels.write(rotationTable(plan.positions, model.frequencies), step.rotations);

  kernels.embed(weights.embedding, plan.tokens, step.hidden); // [n, hiddenSize]
  for (const [i, layer] of weights.layers.entries()) {
    attend(model, layer, i, plan, step);
    feedForward(model, layer, step);
  }
  return readLogits(model, plan, step);
}

/**
 * Runs a prompt of any length after what `cache` holds, `model.batchSize` tokens at a time, and returns
 * the logits after its last token. `pause` is awaited before each forward pass: a place for the caller
 * to let other work run, and to throw. Throws as `forward` does, and for an empty prompt.
 */
export async function prefill(
  model: Llama,
  tokens: Int32Array,
  cache: KvCache,
  pause: () => Promise<void> | void = () => undefined,
): Promise<Float32Array<ArrayBuffer>> {
  if (tokens.length === 0)
    throw new InputError("The prompt is empty; at least one token is needed.");
  const room = cache.numFree;
  if (tokens.length > room) {
    throw new InputError(`The prompt has ${tokens.length} tokens, and there is room for ${room}.`);
  }
  let logits = new Float32Array();
  for (let begin = 0; begin < tokens.length; begin += model.batchSize) {
    await pause();
    const some = tokens.subarray(begin, begin + model.batchSize);
    const first = cache.slots.length;
    logits = await forward(
      model,
      some,
      some.map((_, i) => first + i),
      cache,
    );
  }
  return logits;
}

/** hidden += attention(norm(hidden)) */
function attend(
  { kernels, config }: Llama,
  layer: LlamaLayer,
  layerIndex: number,
  { stored, attending }: PassPlan,
  step: Scratch,
): void {
  const { headDim, rmsEpsilon, rope } = config;
  kernels.rmsNorm(step.hidden, layer.attentionNorm, rmsEpsilon, step.normed); // [n, hiddenSize]
  project(kernels, step.normed, layer.query, step.queries); // [n, numHeads · headDim]
  project(kernels, step.normed, layer.key, step.keys); // [n, numKvHeads · headDim]
  project(kernels, step.normed, layer.value, step.values); // [n, numKvHeads · headDim]

  const rotation = { headDim, pairing: rope.pairing };
  kernels.rope(step.queries, step.rotations, rotation);
  kernels.rope(step.keys, step.rotations, rotation);
  for (const { begin, end, slots, pools } of stored) {
    const { keys, values } = pools[layerIndex]!;
    kernels.storeRows(kernels.rows(step.keys, begin, end), slots, keys);
    kernels.storeRows(kernels.rows(step.values, begin, end), slots, values);
  }

  const scale = 1 / Math.sqrt(headDim);
  for (const { begin, end, slots, pools } of attending) {
    const queries = kernels.rows(step.queries, begin, end);
    const attended = kernels.rows(step.attended, begin, end); // [end - begin, numHeads · headDim]
    kernels.attention({ queries, ...pools[layerIndex]!, slots, headDim, scale }, attended);
  }
  project(kernels, step.attended, layer.attentionOutput, step.update); // [n, hiddenSize]
  kernels.add(step.hidden, step.update);
}

/** hidden += down(silu(gate(x)) · up(x)) for x = norm(hidden): SwiGLU (Shazeer, 2020) */
function feedForward({ kernels, config }: Llama, layer: LlamaLayer, step: Scratch): void {
  kernels.rmsNorm(step.hidden, layer.ffnNorm, config.rmsEpsilon, step.normed); // [n, hiddenSize]
  project(kernels, step.normed, layer.gate, step.gate); // [n, intermediateSize]
  project(kernels, step.normed, layer.up, step.up); // [n, intermediateSize]
  kernels.siluMultiply(step.gate, step.up);
  project(kernels, step.gate, layer.down, step.update); // [n, hiddenSize]
  kernels.add(step.hidden, step.update);
}

/** The logits of the rows that are wanted, of each part; computed when it returns. */
async function readLogits(
  model: Llama,
  { wanted }: PassPlan,
  step: Scratch,
): Promise<Float32Array<ArrayBuffer>[]> {
  const { kernels, weights, config, vocabSize } = model;
  let numRows = 0;
  for (const { begin, end } of joinedRows(wanted)) {
    const to = kernels.rows(step.normed, numRows, numRows + end - begin);
    const from = kernels.rows(step.hidden, begin, end);
    kernels.rmsNorm(from, weights.outputNorm, config.rmsEpsilon, to);
    numRows += end - begin;
  }
  // Without a result to read, the pass would only have been recorded.
  if (numRows === 0) await kernels.read(kernels.rows(step.hidden, 0, 1));
  const all = await projectToLogits(model, step, numRows);
  let at = 0;
  return wanted.map(({ begin, end }) => {
    const length = (end - begin) * vocabSize;
    at += length;
    return all.subarray(at - length, at);
  });
}

/** The logits of the first rows of `normed`: [numRows · vocabSize]. */
async function projectToLogits(
  { kernels, weights, vocabSize }: Llama,
  { normed, logits }: Scratch,
  numRows: number,
): Promise<Float32Array<ArrayBuffer>> {
  const some = (begin: number, end: number): Promise<Float32Array<ArrayBuffer>> => {
    const out = kernels.rows(logits, 0, end - begin);
    project(kernels, kernels.rows(normed, begin, end), weights.output, out);
    return kernels.read(out);
  };
  // The usual case does without a second copy.
  if (numRows > 0 && numRows <= logits.numRows) return some(0, numRows);
  const all = new Float32Array(numRows * vocabSize);
  for (let begin = 0; begin < numRows; begin += logits.numRows) {
    const end = Math.min(numRows, begin + logits.numRows);
    all.set(await some(begin, end), begin * vocabSize);
  }
  return all;
}

function project(
  kernels: ForwardKernels,
  x: Activations,
  { weight, bias }: Projection<Matrix, Activations>,
  out: Activations,
): void {
  kernels.matmul(x, weight, out);
  if (bias) kernels.add(out, bias);
}

function scratchFor(
  kernels: ForwardKernels,
  { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim, rope }: LlamaConfig,
  vocabSize: number,
  batchSize: number,
): Scratch {
  const rows = (numCols: number): Activations => kernels.allocate(batchSize, numCols);
  return {
    hidden: rows(hiddenSize),
    normed: rows(hiddenSize),
    queries: rows(numHeads * headDim),
    keys: rows(numKvHeads * headDim),
    values: rows(numKvHeads * headDim),
    attended: rows(numHeads * headDim),
    gate: rows(intermediateSize),
    up: rows(intermediateSize),
    update: rows(hiddenSize),
    rotations: rows(rope.dim),
    logits: kernels.allocate(
      Math.max(1, Math.min(batchSize, Math.floor(mostLogits / vocabSize))),
      vocabSize,
    ),
  };
}

/** The first `n` rows of everything. */
function rowsOfScratch({ kernels, scratch }: Llama, n: number): Scratch {
  return {
    hidden: kernels.rows(scratch.hidden, 0, n),
    normed: kernels.rows(scratch.normed, 0, n),
    queries: kernels.rows(scratch.queries, 0, n),
    keys: kernels.rows(scratch.keys, 0, n),
    values: kernels.rows(scratch.values, 0, n),
    attended: kernels.rows(scratch.attended, 0, n),
    gate: kernels.rows(scratch.gate, 0, n),
    up: kernels.rows(scratch.up, 0, n),
    update: kernels.rows(scratch.update, 0, n),
    rotations: kernels.rows(scratch.rotations, 0, n),
    logits: scratch.logits,
  };
}
