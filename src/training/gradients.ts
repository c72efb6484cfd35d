/**
 * Where gradients come from. A step's windows are cut into shards; each shard's gradient is computed by
 * itself, and they are added in the order of the shards. Which thread computed which one changes
 * nothing, so any number of threads gives the same bits.
 */
import type { Scalar, Tensor } from "@tensorflow/tfjs";
import type { BackendName, ChosenBackend, Tfjs } from "../tensor/backend.ts";
import { registerWasmKernels } from "../tensor/wasm-kernels.ts";
import { parameterTensors, valuesOf } from "./parameters.ts";
import { parameterSpecs, type ParameterSpec, type TransformerShape } from "./transformer-shape.ts";
import { Transformer, type WeightTensors } from "./transformer.ts";

/** Tokens [numWindows, contextLength + 1] of one shard. */
export type Shard = Int32Array;

/** Computes losses and gradients for one model; closed by whoever made it. */
export interface GradientSource {
  /** What it computes on, for people. */
  readonly name: string;
  /**
   * The mean loss over `shards` of one size, in nats per token; writes its gradient to `gradient`, in
   * the layout of `parameters`.
   */
  gradients(
    parameters: Float32Array,
    shards: readonly Shard[],
    gradient: Float32Array,
  ): Promise<number>;
  /** The mean loss alone. */
  loss(parameters: Float32Array, shards: readonly Shard[]): Promise<number>;
  close(): Promise<void>;
}

/** Gradients in this thread, on the backend that was chosen. */
export class TfjsGradients implements GradientSource {
  readonly name: string;
  readonly #tf: Tfjs;
  readonly #backend: BackendName;
  readonly #specs: readonly ParameterSpec[];
  readonly #transformer: Transformer;

  constructor({ tf, name, device }: ChosenBackend, shape: TransformerShape) {
    if (name === "wasm") registerWasmKernels(tf);
    this.name = `${name} (${device})`;
    this.#tf = tf;
    this.#backend = name;
    this.#specs = parameterSpecs(shape);
    this.#transformer = new Transformer(tf, shape);
  }

  async gradients(
    parameters: Float32Array,
    shards: readonly Shard[],
    gradient: Float32Array,
  ): Promise<number> {
    gradient.fill(0);
    let loss = 0;
    for (const shard of shards) loss += await this.addGradient(parameters, shard, gradient);
    scaleBy(gradient, 1 / shards.length);
    return loss / shards.length;
  }

  async loss(parameters: Float32Array, shards: readonly Shard[]): Promise<number> {
    let sum = 0;
    for (const shard of shards) sum += await this.shardLoss(parameters, shard);
    return sum / shards.length;
  }

  /** One shard's loss; adds its gradient to `sums`. */
  async addGradient(parameters: Float32Array, shard: Shard, sums: Float32Array): Promise<number> {
    const tf = await this.#activate();
    const tensors = parameterTensors(tf, this.#specs, parameters);
    const lossOf = (...weights: Tensor[]): Scalar => this.#loss(weights, shard);
    const { value, grads } = tf.valueAndGrads(lossOf)(tensors);
    for (const [i, spec] of this.#specs.entries()) {
      addTo(valuesOf(sums, spec), (await grads[i]!.data()) as Float32Array);
    }
    const [loss] = await value.data();
    tf.dispose([value, ...grads, ...tensors]);
    return loss!;
  }

  async shardLoss(parameters: Float32Array, shard: Shard): Promise<number> {
    const tf = await this.#activate();
    const value = tf.tidy(() => this.#loss(parameterTensors(tf, this.#specs, parameters), shard));
    const [loss] = await value.data();
    value.dispose();
    return loss!;
  }

  close(): Promise<void> {
    this.#transformer.dispose();
    return Promise.resolve();
  }

  /** tfjs, on this source's backend: there is one current backend for the whole process. */
  async #activate(): Promise<Tfjs> {
    if (this.#tf.getBackend() !== this.#backend) await this.#tf.setBackend(this.#backend);
    return this.#tf;
  }

  #loss(tensors: readonly Tensor[], shard: Shard): Scalar {
    const weights: WeightTensors = new Map(this.#specs.map(({ name }, i) => [name, tensors[i]!]));
    return this.#transformer.loss(weights, shard);
  }
}

/** sums[i] += values[i] */
export function addTo(sums: Float32Array, values: Float32Array): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += values[i]!;
}

/** values[i] *= factor */
export function scaleBy(values: Float32Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i]! *= factor;
}
