/**
 * The interface to the arithmetic of a model's forward pass. Kernels know rows and columns, not
 * models: which of them run in what order is in `src/model/llama.ts`, and which implementation runs
 * is decided by whoever loads the model.
 *
 * Activations and weights are handles to what lies where the kernels compute: in JavaScript's memory,
 * in WebAssembly's, on a GPU. Only `write` and `read` copy them. Everything else may be recorded and
 * run later, in the order of the calls, until `read` asks for the result. An implementation is given
 * only handles that it made itself. Where shapes do not fit each other, every kernel throws
 * InputError; `forward-shapes.ts` has the checks.
 */
import type { Dtype } from "../core/dtypes.ts";
import type { KvDtype, KvRows } from "./kv-rows.ts";

/** Float32 numbers [numRows, numCols]. */
export interface Activations {
  readonly numRows: number;
  readonly numCols: number;
}

/** Weights [numRows, numCols]: one row for each output. */
export interface Matrix {
  /** The tensor's name, for messages. */
  readonly name: string;
  readonly dtype: Dtype;
  readonly numRows: number;
  readonly numCols: number;
}

/** A matrix as a GGUF file has it: little-endian, row after row. */
export interface StoredRows extends Matrix {
  /** The kernels may keep them and change them. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A matrix in a file, as `StoredRows` has it in memory. */
export interface MatrixRows extends Matrix {
  /**
   * The bytes of the rows from `begin` to `end`, the caller's own: in `into`, where that is given with
   * as many bytes and can be filled.
   */
  readRows(
    begin: number,
    end: number,
    into?: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** How RoPE turns each head's first columns, as many as the table has; the others stay. */
export interface Rotation {
  readonly headDim: number;
  /** Column 2i with 2i+1, or column i with the one half the table's columns further on. */
  readonly pairing: "adjacent" | "halves";
}

/** What attention reads. */
export interface AttentionInput {
  /** [numQueries, numHeads · headDim]: the queries of the last tokens of a sequence. */
  readonly queries: Activations;
  /** [any, numKvHeads · headDim]: rows that may belong to many sequences. */
  readonly keys: KvRows;
  /** As `keys`. */
  readonly values: KvRows;
  /** The row of each of the sequence's tokens, in order, in `keys` and `values`. */
  readonly slots: Int32Array;
  readonly headDim: number;
  /** What dot products of queries and keys are multiplied by. */
  readonly scale: number;
}

export interface ForwardKernels {
  readonly name: string;
  /**
   * Whether `matmul` first rounds x to what llama.cpp's CPU kernels multiply weights of that format by
   * (`activation-rounding.ts`), and so may multiply whole numbers; else x stays float32.
   */
  readonly roundsActivations: boolean;
  /** Zeros. Throws InputError where memory is used up. */
  allocate(numRows: number, numCols: number): Activations;
  /** The rows from `begin` to `end` of `x`, sharing its memory. */
  rows(x: Activations, begin: number, end: number): Activations;
  write(values: Float32Array, out: Activations): void;
  /** A copy of the values, row after row. */
  read(x: Activations): Promise<Float32Array<ArrayBuffer>>;
  /** Takes weights over. Throws InputError for a format that these kernels cannot compute with. */
  loadMatrix(stored: StoredRows): Promise<Matrix>;
  /** As `loadMatrix`, holding as few rows as it can outside the kernels' memory. */
  loadRows(stored: MatrixRows): Promise<Matrix>;
  /** out[i] = W[ids[i]]. */
  embed(W: Matrix, ids: Int32Array, out: Activations): void;
  /** out = x · Wᵀ, for x [n, W.numCols] and out [n, W.numRows]. */
  matmul(x: Activations, W: Matrix, out: Activations): void;
  /** out[i] = x[i] / √(mean of x[i]² + epsilon) · weight, for weight [1, x.numCols]. */
  rmsNorm(x: Activations, weight: Activations, epsilon: number, out: Activations): void;
  /** x += y; where y has a single row, it is added to every row of x. */
  add(x: Activations, y: Activations): void;
  /** gate = silu(gate) · up, with silu(x) = x / (1 + e⁻ˣ). */
  siluMultiply(gate: Activations, up: Activations): void;
  /**
   * Turns pairs of columns of every head of x in place. A row of `table` has the cosines and then the
   * sines of the angles for that row of x, one of each for a pair.
   */
  rope(x: Activations, table: Activations, rotation: Rotation): void;
  /** Zeros, for keys or values. Throws InputError for a format that does not fit, and without memory. */
  allocateKv(numRows: number, numCols: number, dtype: KvDtype): KvRows;
  /** pool[slots[i]] = x[i], rounded to what the pool stores. */
  storeRows(x: Activations, slots: Int32Array, pool: KvRows): void;
  /** pool[to[i]] = pool[from[i]]; no row is in both. */
  copyRows(pool: KvRows, from: Int32Array, to: Int32Array): void;
  /** A copy of rows as these kernels store them, for `restoreRows` and outside their memory. */
  saveRows(pool: KvRows, rows: Int32Array): Promise<Uint8Array<ArrayBuffer>>;
  /** Brings back as many rows as were saved, to these places. */
  restoreRows(pool: KvRows, rows: Int32Array, saved: Uint8Array<ArrayBuffer>): void;
  /** Each row of x in place: e^x, divided by the row's sum of them. */
  softmax(x: Activations): void;
  /**
   * Causal attention: each query sees its own token and those before it. Where there are fewer heads
   * of keys than of queries, successive heads of queries share one.
   */
  attention(input: AttentionInput, out: Activations): void;
}
