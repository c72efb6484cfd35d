/**
 * The weights of a model of the Llama family in a GGUF file: which tensors there are, checked against
 * the model's shape before any is read, and their way into the kernels, one at a time and as they are
 * stored.
 */
import { bytesOfShape, isPlain, numElements } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import { quoted } from "../formats/byte-source.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { StoredTensor } from "../formats/stored-tensors.ts";
import type {
  Activations,
  ForwardKernels,
  Matrix,
  MatrixRows,
} from "../kernels/forward-kernels.ts";
import type { LlamaConfig } from "./config.ts";
import { roundedRows, type Rounding } from "./rounded-rows.ts";

/** y = x · Wᵀ + b, where the architecture has b. */
export interface Projection<M, V> {
  readonly weight: M;
  readonly bias: V | undefined;
}

/** The weights of one layer, by what they do; `M` is a matrix and `V` a vector. */
export interface LayerOf<M, V> {
  readonly attentionNorm: V;
  readonly query: Projection<M, V>;
  readonly key: Projection<M, V>;
  readonly value: Projection<M, V>;
  readonly attentionOutput: Projection<M, V>;
  readonly ffnNorm: V;
  readonly gate: Projection<M, V>;
  readonly up: Projection<M, V>;
  readonly down: Projection<M, V>;
}

/** All weights of a model. */
export interface WeightsOf<M, V> {
  /** [vocabSize, hiddenSize] */
  readonly embedding: M;
  readonly layers: readonly LayerOf<M, V>[];
  readonly outputNorm: V;
  /** The embedding where the two are tied, and there is one matrix for both. */
  readonly output: Projection<M, V>;
}

/** Where a model's weights are in its file. */
export interface LlamaTensors extends WeightsOf<StoredTensor, StoredTensor> {
  /** Divisors of RoPE's frequencies [rope.dim / 2]. */
  readonly ropeFactors: StoredTensor | undefined;
}

/** A layer whose weights lie where the kernels compute. */
export type LlamaLayer = LayerOf<Matrix, Activations>;

/** Weights that lie where the kernels compute. */
export interface LlamaWeights extends WeightsOf<Matrix, Activations> {
  readonly ropeFactors: Float32Array | undefined;
}

/**
 * Finds a model's tensors without reading them. Throws InputError where one is missing or has another
 * shape than the configuration asks for, and where one is left over: leaving it out would give another
 * model's results.
 */
export function llamaTensors(file: GgufFile, config: LlamaConfig): LlamaTensors {
  if (!file.littleEndian) {
    throw new InputError(
      `${file.name} is big-endian, and models are run from little-endian files; the gguf package's gguf-convert-endian turns it round.`,
    );
  }
  const finder = new TensorFinder(file);
  const { hiddenSize, numLayers } = config;
  const vocabSize = vocabSizeOf(file, finder);
  const embedding = finder.get("token_embd.weight", [vocabSize, hiddenSize]);
  const output = finder.find("output.weight", [vocabSize, hiddenSize]) ?? embedding;
  // Before a list of this length is made: every layer has tensors of its own.
  if (numLayers > file.tensors.length) {
    throw new InputError(
      `${file.name} says that it has ${numLayers} layers, and it holds ${file.tensors.length} tensors.`,
    );
  }
  const tensors = {
    embedding,
    layers: Array.from({ length: numLayers }, (_, i) => layerTensors(finder, `blk.${i}`, config)),
    outputNorm: finder.get("output_norm.weight", [hiddenSize]),
    output: { weight: output, bias: finder.find("output.bias", [vocabSize]) },
    ropeFactors: finder.find("rope_freqs.weight", [config.rope.dim / 2]),
  };
  finder.refuseRest();
  return tensors;
}

/**
 * Reads a model's weights and gives them to `kernels`, matrices rounded: no more than one tensor is held
 * outside them at a time, and some rows of it where the kernels take them so. Throws InputError where
 * the file is damaged or the kernels cannot compute with a format.
 */
export async function loadLlamaWeights(
  file: GgufFile,
  tensors: LlamaTensors,
  kernels: ForwardKernels,
  progress: Progress = silent,
  rounding: Rounding = "file",
): Promise<LlamaWeights> {
  const { layers, output } = tensors;
  const loader = new WeightLoader(file, kernels, progress, rounding);
  const embedding = await loader.matrix(tensors.embedding);
  const loaded: LlamaLayer[] = [];
  for (const layer of layers) loaded.push(await loader.layer(layer));
  const isTied = output.weight === tensors.embedding;
  const weights = {
    embedding,
    layers: loaded,
    outputNorm: await loader.vector(tensors.outputNorm),
    output: {
      weight: isTied ? embedding : await loader.matrix(output.weight),
      bias: output.bias && (await loader.vector(output.bias)),
    },
    ropeFactors: tensors.ropeFactors && (await file.readFloat32(tensors.ropeFactors.name)),
  };
  progress.finish();
  return weights;
}

/** The vocabulary's size is the embedding's; where the file has the tokens, it must be theirs. */
function vocabSizeOf(file: GgufFile, finder: TensorFinder): number {
  const [vocabSize] = finder.any("token_embd.weight").shape;
  const tokens = file.metadata.get("tokenizer.ggml.tokens");
  if (vocabSize === undefined || vocabSize < 1) {
    throw new InputError(`${file.name} is damaged: tensor "token_embd.weight" has no rows.`);
  }
  if (tokens?.type === "array" && tokens.items.length !== vocabSize) {
    throw new InputError(
      `${file.name} is damaged: tensor "token_embd.weight" has ${vocabSize} rows for ${tokens.items.length} tokens.`,
    );
  }
  return vocabSize;
}

function layerTensors(
  finder: TensorFinder,
  layer: string,
  { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim }: LlamaConfig,
): LayerOf<StoredTensor, StoredTensor> {
  const norm = (part: string): StoredTensor => finder.get(`${layer}.${part}.weight`, [hiddenSize]);
  const projection = (
    part: string,
    numRows: number,
    numCols: number,
  ): Projection<StoredTensor, StoredTensor> => ({
    weight: finder.get(`${layer}.${part}.weight`, [numRows, numCols]),
    bias: finder.find(`${layer}.${part}.bias`, [numRows]),
  });
  return {
    attentionNorm: norm("attn_norm"),
    query: projection("attn_q", numHeads * headDim, hiddenSize),
    key: projection("attn_k", numKvHeads * headDim, hiddenSize),
    value: projection("attn_v", numKvHeads * headDim, hiddenSize),
    attentionOutput: projection("attn_output", hiddenSize, numHeads * headDim),
    ffnNorm: norm("ffn_norm"),
    gate: projection("ffn_gate", intermediateSize, hiddenSize),
    up: projection("ffn_up", intermediateSize, hiddenSize),
    down: projection("ffn_down", hiddenSize, intermediateSize),
  };
}

/** A file's tensors by name, and which of them nobody has asked for. */
class TensorFinder {
  readonly #file: GgufFile;
  readonly #rest: Map<string, StoredTensor>;

  constructor(file: GgufFile) {
    this.#file = file;
    this.#rest = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  }

  /** The tensor, of any shape; it still has to be asked for with one. */
  any(name: string): StoredTensor {
    const tensor = this.#rest.get(name);
    if (tensor) return tensor;
    throw new InputError(`${this.#file.name} holds no tensor ${quoted(name)}, which is needed.`);
  }

  get(name: string, shape: readonly number[]): StoredTensor {
    return this.find(name, shape) ?? this.any(name);
  }

  /** Vectors are taken in plain formats only; undefined where there is no tensor of the name. */
  find(name: string, shape: readonly number[]): StoredTensor | undefined {
    const tensor = this.#rest.get(name);
    if (!tensor) return undefined;
    this.#rest.delete(name);
    const sameShape =
      tensor.shape.length === shape.length && tensor.shape.every((size, i) => size === shape[i]);
    if (!sameShape) {
      this.#fail(tensor, `has the shape [${tensor.shape.join(", ")}], and`, shape);
    }
    if (shape.length === 1 && !isPlain(tensor.dtype)) {
      this.#fail(tensor, `is stored in ${tensor.dtype}, and a plain format and`, shape);
    }
    return tensor;
  }

  refuseRest(): void {
    const [name] = this.#rest.keys();
    if (name === undefined) return;
    throw new InputError(
      `${this.#file.name} cannot be run: tensor ${quoted(name)} has no place in its architecture as it is implemented here.`,
    );
  }

  #fail({ name }: StoredTensor, wrong: string, shape: readonly number[]): never {
    throw new InputError(
      `${this.#file.name} cannot be run: tensor ${quoted(name)} ${wrong} [${shape.join(", ")}] is needed.`,
    );
  }
}

/** Brings tensors into the kernels, and says how many. */
class WeightLoader {
  readonly #file: GgufFile;
  readonly #kernels: ForwardKernels;
  readonly #progress: Progress;
  readonly #rounding: Rounding;
  #numLoaded = 0;

  constructor(file: GgufFile, kernels: ForwardKernels, progress: Progress, rounding: Rounding) {
    this.#file = file;
    this.#kernels = kernels;
    this.#progress = progress;
    this.#rounding = rounding;
  }

  async layer(layer: LayerOf<StoredTensor, StoredTensor>): Promise<LlamaLayer> {
    return {
      attentionNorm: await this.vector(layer.attentionNorm),
      query: await this.#projection(layer.query),
      key: await this.#projection(layer.key),
      value: await this.#projection(layer.value),
      attentionOutput: await this.#projection(layer.attentionOutput),
      ffnNorm: await this.vector(layer.ffnNorm),
      gate: await this.#projection(layer.gate),
      up: await this.#projection(layer.up),
      down: await this.#projection(layer.down),
    };
  }

  async matrix({ name, shape, dtype }: StoredTensor): Promise<Matrix> {
    const [numRows, numCols] = shape as [number, number];
    const rowBytes = bytesOfShape([1, numCols], dtype);
    const readRows: MatrixRows["readRows"] = (begin, end, into) =>
      this.#file.readBytes(name, begin * rowBytes, end * rowBytes, into);
    const stored = { name, dtype, numRows, numCols, readRows };
    const matrix = await this.#kernels.loadRows(roundedRows(stored, this.#rounding));
    this.#count();
    return matrix;
  }

  async vector(tensor: StoredTensor): Promise<Activations> {
    const vector = this.#kernels.allocate(1, numElements(tensor.shape));
    this.#kernels.write(await this.#file.readFloat32(tensor.name), vector);
    this.#count();
    return vector;
  }

  async #projection({
    weight,
    bias,
  }: Projection<StoredTensor, StoredTensor>): Promise<Projection<Matrix, Activations>> {
    return { weight: await this.matrix(weight), bias: bias && (await this.vector(bias)) };
  }

  #count(): void {
    this.#progress.update(++this.#numLoaded, this.#file.tensors.length);
  }
}
