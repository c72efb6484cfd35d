/**
 * The forward pass in pieces that end where a matrix begins, for work that has to see what enters each
 * one: a layer as two halves, and each half as the matrices that read its norm and the one that reads
 * what they make. Takes and gives hidden states in JavaScript's memory, a whole sequence at a time and
 * without a cache. Generating text is `llama.ts`, which computes the same.
 */
import type { Activations, ForwardKernels, Matrix } from "../kernels/forward-kernels.ts";
import type { LlamaConfig } from "./config.ts";
import { rotationTable, type RopeFrequencies } from "./rope.ts";
import type { LayerOf, Projection } from "./weights.ts";

/** The two parts of a layer that add to the hidden states. */
export type HalfKind = "attention" | "feedForward";

/** A half of a layer: hidden += second(middle(first(norm(hidden)))). */
export interface HalfOf<M, V> {
  readonly kind: HalfKind;
  readonly norm: V;
  /** Query, key and value, or gate and up. */
  readonly first: readonly Projection<M, V>[];
  /** The attention's output, or down. */
  readonly second: Projection<M, V>;
}

/** A half whose weights lie where the kernels compute. */
export type HalfLayer = HalfOf<Matrix, Activations>;

/** The halves of a layer in the order in which they run. */
export function halvesOf<M, V>(layer: LayerOf<M, V>): readonly [HalfOf<M, V>, HalfOf<M, V>] {
  const { query, key, value, attentionOutput, gate, up, down } = layer;
  return [
    {
      kind: "attention",
      norm: layer.attentionNorm,
      first: [query, key, value],
      second: attentionOutput,
    },
    { kind: "feedForward", norm: layer.ffnNorm, first: [gate, up], second: down },
  ];
}

/** Runs halves of layers of one model; hidden states are [tokens, hiddenSize], tokens from position 0 on. */
export class HalfLayerRunner {
  readonly #kernels: ForwardKernels;
  readonly #config: LlamaConfig;
  readonly #numTokens: number;
  readonly #hidden: Activations;
  readonly #normed: Activations;
  readonly #queries: Activations;
  readonly #keys: Activations;
  readonly #values: Activations;
  readonly #attended: Activations;
  readonly #gate: Activations;
  readonly #up: Activations;
  readonly #rotations: Activations;

  /** For sequences of up to `numTokens`. Throws InputError where the kernels have no memory for them. */
  constructor(
    kernels: ForwardKernels,
    config: LlamaConfig,
    frequencies: RopeFrequencies,
    numTokens: number,
  ) {
    const { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim, rope } = config;
    const rows = (numCols: number): Activations => kernels.allocate(numTokens, numCols);
    this.#kernels = kernels;
    this.#config = config;
    this.#numTokens = numTokens;
    this.#hidden = rows(hiddenSize);
    this.#normed = rows(hiddenSize);
    this.#queries = rows(numHeads * headDim);
    this.#keys = rows(numKvHeads * headDim);
    this.#values = rows(numKvHeads * headDim);
    this.#attended = rows(numHeads * headDim);
    this.#gate = rows(intermediateSize);
    this.#up = rows(intermediateSize);
    this.#rotations = rows(rope.dim);
    const positions = Array.from({ length: numTokens }, (_, i) => i);
    kernels.write(rotationTable(positions, frequencies), this.#rotations);
  }

  /** What enters the first matrices of a half with this norm: [tokens, hiddenSize]. */
  firstInput(hidden: Float32Array, norm: Activations): Promise<Float32Array<ArrayBuffer>> {
    return this.#kernels.read(this.#norm(hidden, norm));
  }

  /** What enters the second matrix: [tokens, its columns]. */
  secondInput(
    hidden: Float32Array,
    half: Pick<HalfLayer, "kind" | "norm" | "first">,
  ): Promise<Float32Array<ArrayBuffer>> {
    return this.#kernels.read(this.#middle(hidden, half));
  }

  /** The hidden states after a half. */
  apply(hidden: Float32Array, half: HalfLayer): Promise<Float32Array<ArrayBuffer>> {
    const middle = this.#middle(hidden, half);
    const update = this.#rows(this.#normed, middle.numRows);
    this.#project(middle, half.second, update);
    const sum = this.#rows(this.#hidden, middle.numRows);
    this.#kernels.add(sum, update);
    return this.#kernels.read(sum);
  }

  #norm(hidden: Float32Array, norm: Activations): Activations {
    const numTokens = hidden.length / this.#config.hiddenSize;
    const from = this.#rows(this.#hidden, numTokens);
    const normed = this.#rows(this.#normed, numTokens);
    this.#kernels.write(hidden, from);
    this.#kernels.rmsNorm(from, norm, this.#config.rmsEpsilon, normed);
    return normed;
  }

  #middle(
    hidden: Float32Array,
    { kind, norm, first }: Pick<HalfLayer, "kind" | "norm" | "first">,
  ): Activations {
    const normed = this.#norm(hidden, norm);
    return kind === "attention" ? this.#attend(normed, first) : this.#gated(normed, first);
  }

  #attend(x: Activations, first: HalfLayer["first"]): Activations {
    const { headDim, rope } = this.#config;
    const [queries, keys, values, attended, rotations] = [
      ...[this.#queries, this.#keys, this.#values, this.#attended, this.#rotations],
    ].map((all) => this.#rows(all, x.numRows)) as [
      ...[Activations, Activations, Activations, Activations, Activations],
    ];
    [queries, keys, values].forEach((out, i) => {
      this.#project(x, first[i]!, out);
    });
    const rotation = { headDim, pairing: rope.pairing };
    this.#kernels.rope(queries, rotations, rotation);
    this.#kernels.rope(keys, rotations, rotation);
    const slots = new Int32Array(x.numRows).map((_, i) => i);
    const scale = 1 / Math.sqrt(headDim);
    this.#kernels.attention({ queries, keys, values, slots, headDim, scale }, attended);
    return attended;
  }

  #gated(x: Activations, first: HalfLayer["first"]): Activations {
    const [gate, up] = [this.#rows(this.#gate, x.numRows), this.#rows(this.#up, x.numRows)];
    this.#project(x, first[0]!, gate);
    this.#project(x, first[1]!, up);
    this.#kernels.siluMultiply(gate, up);
    return gate;
  }

  #project(
    x: Activations,
    { weight, bias }: Projection<Matrix, Activations>,
    out: Activations,
  ): void {
    this.#kernels.matmul(x, weight, out);
    if (bias) this.#kernels.add(out, bias);
  }

  #rows(x: Activations, count: number): Activations {
    return count === this.#numTokens ? x : this.#kernels.rows(x, 0, count);
  }
}
