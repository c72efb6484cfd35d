/**
 * The Llama forward pass on tfjs, for whole windows of tokens at once, which autograd differentiates:
 * the arithmetic of `src/model/llama.ts`, without a cache. All of it is made of tfjs's operations, so
 * it runs on every backend.
 */
import type { Scalar, Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs";
import { ropeFrequencies, rotationTable } from "../model/rope.ts";
import type { Tfjs } from "../tensor/backend.ts";
import { crossEntropy } from "./losses.ts";
import { headDimOf, rmsEpsilon, ropeOf, type TransformerShape } from "./transformer-shape.ts";

/** Tensors by their names in GGUF. */
export type WeightTensors = ReadonlyMap<string, Tensor>;

/** What only depends on positions. */
interface Constants {
  /** [length, 1, headDim] */
  readonly cosines: Tensor3D;
  readonly sines: Tensor3D;
  /** [headDim, headDim]: x · turn has the columns of each pair exchanged, the first one negated. */
  readonly turn: Tensor2D;
  /** [length, length]: 0 for what a token may see, far below every score for the rest. */
  readonly mask: Tensor2D;
}

/** Masked scores become exactly 0 in softmax; −∞ would make NaN of 0 · ∞ on some backends. */
const masked = -1e9;

/** The forward pass of one shape; holds the tensors that do not depend on weights. */
export class Transformer {
  readonly #tf: Tfjs;
  readonly #shape: TransformerShape;
  readonly #constants: Constants;

  constructor(tf: Tfjs, shape: TransformerShape) {
    this.#tf = tf;
    this.#shape = shape;
    this.#constants = constantsOf(tf, shape);
  }

  /**
   * The mean loss over all targets of `windows` [numWindows, contextLength + 1]: each token but a
   * window's first is to be predicted from those before it.
   */
  loss(weights: WeightTensors, windows: Int32Array): Scalar {
    const { contextLength } = this.#shape;
    const numWindows = windows.length / (contextLength + 1);
    const inputs = new Int32Array(numWindows * contextLength);
    const targets = new Int32Array(inputs.length);
    for (let row = 0; row < numWindows; row++) {
      const begin = row * (contextLength + 1);
      const end = begin + contextLength;
      inputs.set(windows.subarray(begin, end), row * contextLength);
      targets.set(windows.subarray(begin + 1, end + 1), row * contextLength);
    }
    const logits = this.logits(weights, inputs);
    return crossEntropy(this.#tf, logits, this.#tf.tensor1d(targets, "int32"));
  }

  /** Logits [tokens.length, vocabSize] for `tokens` [numWindows, contextLength]. */
  logits(weights: WeightTensors, tokens: Int32Array): Tensor2D {
    const tf = this.#tf;
    const embedding = matrixOf(weights, "token_embd");
    let hidden = tf.gather(embedding, tf.tensor1d(tokens, "int32")); // [n, hiddenSize]
    for (let i = 0; i < this.#shape.numLayers; i++) {
      hidden = hidden.add(this.#attend(weights, `blk.${i}`, hidden));
      hidden = hidden.add(this.#feedForward(weights, `blk.${i}`, hidden));
    }
    return tf.matMul(this.#norm(weights, "output_norm", hidden), embedding, false, true);
  }

  dispose(): void {
    this.#tf.dispose(Object.values(this.#constants) as Tensor[]);
  }

  /** Causal attention with grouped queries: successive heads of queries share one of keys. */
  #attend(weights: WeightTensors, layer: string, hidden: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const { numHeads, numKvHeads, contextLength: length } = this.#shape;
    const headDim = headDimOf(this.#shape);
    const numWindows = hidden.shape[0] / length;
    const group = numHeads / numKvHeads;
    const x = this.#norm(weights, `${layer}.attn_norm`, hidden);
    // [numWindows · numKvHeads, rows, headDim]: the queries that share a head of keys lie together.
    const byHead = (heads: Tensor, count: number, rows: number): Tensor3D =>
      heads
        .reshape([numWindows, length, count, headDim])
        .transpose([0, 2, 1, 3])
        .reshape([numWindows * numKvHeads, rows, headDim]);
    const project = (part: string): Tensor2D => this.#project(weights, `${layer}.${part}`, x);
    const queries = byHead(this.#rotate(project("attn_q")), numHeads, group * length);
    const keys = byHead(this.#rotate(project("attn_k")), numKvHeads, length);
    const values = byHead(project("attn_v"), numKvHeads, length);

    const scores = tf.matMul(queries.mul(1 / Math.sqrt(headDim)), keys, false, true);
    const seen = scores.reshape([-1, length, length]).add(this.#constants.mask);
    const shares = tf.softmax(seen).reshape<Tensor3D>(scores.shape);
    const attended = tf
      .matMul(shares, values)
      .reshape([numWindows, numHeads, length, headDim])
      .transpose([0, 2, 1, 3])
      .reshape<Tensor2D>([numWindows * length, numHeads * headDim]);
    return this.#project(weights, `${layer}.attn_output`, attended);
  }

  /** down(silu(gate(x)) · up(x)): SwiGLU (Shazeer, 2020) */
  #feedForward(weights: WeightTensors, layer: string, hidden: Tensor2D): Tensor2D {
    const x = this.#norm(weights, `${layer}.ffn_norm`, hidden);
    const gate = this.#project(weights, `${layer}.ffn_gate`, x); // [n, intermediateSize]
    const up = this.#project(weights, `${layer}.ffn_up`, x); // [n, intermediateSize]
    const product = gate.mul(gate.sigmoid()).mul<Tensor2D>(up);
    return this.#project(weights, `${layer}.ffn_down`, product);
  }

  /** x / √(mean of x² + epsilon) · weight (Zhang and Sennrich, 2019) */
  #norm(weights: WeightTensors, name: string, x: Tensor2D): Tensor2D {
    const scale = x.square().mean(1, true).add(rmsEpsilon).rsqrt();
    return x.mul(scale).mul(weightOf(weights, name));
  }

  /** x · Wᵀ */
  #project(weights: WeightTensors, name: string, x: Tensor2D): Tensor2D {
    return this.#tf.matMul(x, matrixOf(weights, name), false, true);
  }

  /** RoPE on every head of x [n, heads · headDim]: a pair (a, b) becomes (a·cos − b·sin, b·cos + a·sin). */
  #rotate(x: Tensor2D): Tensor {
    const { cosines, sines, turn } = this.#constants;
    const headDim = headDimOf(this.#shape);
    const heads = x.reshape<Tensor2D>([-1, headDim]);
    const shape = [-1, this.#shape.contextLength, x.shape[1] / headDim, headDim];
    const turned = this.#tf.matMul(heads, turn).reshape(shape);
    return heads.reshape(shape).mul(cosines).add(turned.mul(sines));
  }
}

function constantsOf(tf: Tfjs, shape: TransformerShape): Constants {
  const { contextLength: length } = shape;
  const headDim = headDimOf(shape);
  const positions = Int32Array.from({ length }, (_, i) => i);
  const table = rotationTable(positions, ropeFrequencies(ropeOf(shape)));
  /** Both columns of a pair have its angle; the sines follow the cosines in a row of the table. */
  const columns = (first: number): Float32Array =>
    Float32Array.from({ length: length * headDim }, (_, i) => {
      const pair = Math.floor((i % headDim) / 2);
      return table[Math.floor(i / headDim) * headDim + first + pair]!;
    });
  const turn = new Float32Array(headDim * headDim);
  for (let pair = 0; pair < headDim; pair += 2) {
    turn[(pair + 1) * headDim + pair] = -1;
    turn[pair * headDim + pair + 1] = 1;
  }
  const mask = new Float32Array(length * length);
  for (let row = 0; row < length; row++)
    mask.fill(masked, row * length + row + 1, (row + 1) * length);
  return {
    cosines: tf.tensor3d(columns(0), [length, 1, headDim]),
    sines: tf.tensor3d(columns(headDim / 2), [length, 1, headDim]),
    turn: tf.tensor2d(turn, [headDim, headDim]),
    mask: tf.tensor2d(mask, [length, length]),
  };
}

function weightOf(weights: WeightTensors, part: string): Tensor {
  return weights.get(`${part}.weight`)!;
}

function matrixOf(weights: WeightTensors, part: string): Tensor2D {
  return weightOf(weights, part) as Tensor2D;
}
