/**
 * The forward pass of the Llama family (Touvron et al., 2023), one for all formats of weights and all
 * kernels. Runs one sequence at a time; says nothing about which token comes next.
 */
import { InputError } from "../core/errors.ts";
import type { Progress } from "../core/progress.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { Activations, ForwardKernels, Matrix } from "../kernels/forward-kernels.ts";
import { llamaConfigFromGguf, type LlamaConfig } from "./config.ts";
import type { KvCache, KvPool } from "./kv-cache.ts";
import { ropeFrequencies, rotationTable, type RopeFrequencies } from "./rope.ts";
import {
  llamaTensors,
  loadLlamaWeights,
  type LlamaLayer,
  type LlamaWeights,
  type Projection,
} from "./weights.ts";

/** Tokens of a prompt that go through the model together, unless told otherwise. */
const defaultBatchSize = 128;

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
  /** One row. */
  readonly logits: Activations;
}

export interface LoadOptions {
  readonly batchSize?: number;
  readonly progress?: Progress;
}

/**
 * Loads the model that a GGUF file holds. Throws InputError where its architecture, its shape or a
 * tensor's format is not supported, and where the file is damaged.
 */
export async function loadLlama(
  file: GgufFile,
  kernels: ForwardKernels,
  { batchSize = defaultBatchSize, progress }: LoadOptions = {},
): Promise<Llama> {
  const config = llamaConfigFromGguf(file);
  const tensors = llamaTensors(file, config);
  const weights = await loadLlamaWeights(file, tensors, kernels, progress);
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
  checkInput(model, tokens, positions);
  const { kernels, weights, config } = model;
  const n = tokens.length;
  const slots = cache.extend(n);
  const step = rowsOfScratch(model, n);
  kernels.write(rotationTable(positions, model.frequencies), step.rotations);

  kernels.embed(weights.embedding, tokens, step.hidden); // [n, hiddenSize]
  for (const [i, layer] of weights.layers.entries()) {
    attend(model, layer, cache, cache.pools[i]!, slots, step);
    feedForward(model, layer, step);
  }
  const last = kernels.rows(step.hidden, n - 1, n); // [1, hiddenSize]
  const normed = kernels.rows(step.normed, 0, 1);
  kernels.rmsNorm(last, weights.outputNorm, config.rmsEpsilon, normed);
  project(kernels, normed, weights.output, step.logits); // [1, vocabSize]
  return kernels.read(step.logits);
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
  cache: KvCache,
  { keys, values }: KvPool,
  slots: Int32Array,
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
  kernels.storeRows(step.keys, slots, keys);
  kernels.storeRows(step.values, slots, values);

  const scale = 1 / Math.sqrt(headDim);
  kernels.attention(
    { queries: step.queries, keys, values, slots: cache.slots, headDim, scale },
    step.attended, // [n, numHeads · headDim]
  );
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
    logits: kernels.allocate(1, vocabSize),
  };
}

/** The first `n` rows of everything. */
function rowsOfScratch({ kernels, scratch }: Llama, n: number): Scratch {
  const rows = (x: Activations): Activations => kernels.rows(x, 0, n);
  return {
    hidden: rows(scratch.hidden),
    normed: rows(scratch.normed),
    queries: rows(scratch.queries),
    keys: rows(scratch.keys),
    values: rows(scratch.values),
    attended: rows(scratch.attended),
    gate: rows(scratch.gate),
    up: rows(scratch.up),
    update: rows(scratch.update),
    rotations: rows(scratch.rotations),
    logits: scratch.logits,
  };
}

function checkInput(
  { vocabSize, batchSize }: Llama,
  tokens: Int32Array,
  positions: Int32Array,
): void {
  const n = tokens.length;
  if (n < 1 || n > batchSize || positions.length !== n) {
    throw new InputError(
      `A forward pass takes 1 to ${batchSize} tokens and a position for each, not ${n} and ${positions.length}.`,
    );
  }
  const stranger = tokens.find((token) => token < 0 || token >= vocabSize);
  if (stranger !== undefined) {
    throw new InputError(`${stranger} is no token: the vocabulary has ${vocabSize}, from 0 on.`);
  }
  const negative = positions.find((position) => position < 0);
  if (negative !== undefined) throw new InputError(`${negative} is no position; they start at 0.`);
}
