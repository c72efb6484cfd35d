/**
 * The keys and values of the tokens that a model has seen. The forward pass and the attention kernel
 * know a cache as pools of rows and the slot of each token in them, so that a sequence may lie in one
 * piece or in pages.
 */
import { InputError } from "../core/errors.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { kvBytes, type KvDtype, type KvRows } from "../kernels/kv-rows.ts";
import type { LlamaConfig } from "./config.ts";

/** The keys and values of one layer: a row [numKvHeads · headDim] for each slot. */
export interface KvPool {
  readonly keys: KvRows;
  readonly values: KvRows;
}

/** The memory of one sequence. */
export interface KvCache {
  /** The slot of each token so far, in order. */
  readonly slots: Int32Array;
  /** One pool for each layer. */
  readonly pools: readonly KvPool[];
  /** Tokens that there is still room for. */
  readonly numFree: number;
  /** Adds tokens and returns their slots. Throws InputError where there is no room. */
  extend(tokens: Int32Array): Int32Array;
  /** Forgets all tokens but the first `length`. Throws InputError where there are fewer. */
  truncate(length: number): void;
}

/** Bytes of the keys and values of `capacity` tokens. Throws InputError as `kvBytes`. */
export function poolBytes(config: LlamaConfig, capacity: number, dtype: KvDtype): number {
  return 2 * config.numLayers * kvBytes(dtype, capacity, config.numKvHeads * config.headDim);
}

/**
 * Room for the keys and values of `capacity` tokens in every layer. Throws InputError where the memory
 * for it cannot be had, or the kernels cannot store them in `dtype`.
 */
export function allocatePools(
  kernels: ForwardKernels,
  config: LlamaConfig,
  capacity: number,
  dtype: KvDtype,
): KvPool[] {
  const width = config.numKvHeads * config.headDim;
  const numBytes = poolBytes(config, capacity, dtype);
  const reserve = (): KvRows => kernels.allocateKv(capacity, width, dtype);
  try {
    return Array.from({ length: config.numLayers }, () => ({
      keys: reserve(),
      values: reserve(),
    }));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(
      `There is no memory for the keys and values of ${capacity} tokens, ${numBytes} bytes; ask for fewer tokens.`,
      { cause: error },
    );
  }
}

/** A cache of fixed size in one piece: token t has slot t. */
export class ContiguousKvCache implements KvCache {
  readonly pools: readonly KvPool[];
  /** Bytes of all keys and values. */
  readonly numBytes: number;
  readonly #slots: Int32Array;
  #length = 0;

  /** Room for `capacity` tokens. Throws InputError as `allocatePools`. */
  constructor(
    kernels: ForwardKernels,
    config: LlamaConfig,
    capacity: number,
    dtype: KvDtype = "F32",
  ) {
    this.numBytes = poolBytes(config, capacity, dtype);
    this.pools = allocatePools(kernels, config, capacity, dtype);
    this.#slots = new Int32Array(capacity).map((_, i) => i);
  }

  get slots(): Int32Array {
    return this.#slots.subarray(0, this.#length);
  }

  get numFree(): number {
    return this.#slots.length - this.#length;
  }

  extend({ length: count }: Int32Array): Int32Array {
    if (count > this.numFree) {
      throw new InputError(
        `The cache has room for ${this.#slots.length} tokens and holds ${this.#length}; ${count} more do not fit.`,
      );
    }
    this.#length += count;
    return this.#slots.subarray(this.#length - count, this.#length);
  }

  truncate(length: number): void {
    if (!(Number.isInteger(length) && length >= 0 && length <= this.#length)) {
      throw new InputError(
        `The cache holds ${this.#length} tokens and cannot be cut to ${length}.`,
      );
    }
    this.#length = length;
  }
}
