/**
 * The kernels of the forward pass in WebAssembly. Every call is recorded, and `read` runs what was
 * recorded as one program on all threads (`forward-program.ts`); the arithmetic is in
 * `assembly/forward/`. Activations lie in the first arena; matrices that it has no room for lie in
 * others, and their products carry x there and the result back.
 */
import { bytesOfShape } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { quoted } from "../../formats/byte-source.ts";
import type {
  Activations,
  AttentionInput,
  ForwardKernels,
  MatrixRows,
  Rotation,
  StoredRows,
} from "../forward-kernels.ts";
import { checkShapes } from "../forward-shapes.ts";
import { kvBytes, type KvDtype, type KvRows } from "../kv-rows.ts";
import { checkWeightFormat, reexpressedDtype } from "../reexpress.ts";
import { Arena, mostArenaBytes } from "./arena.ts";
import {
  ForwardArena,
  groupRows,
  partsPerThread,
  perPart,
  roundUp,
  tileTokens,
  type WasmMatrix,
} from "./forward-arena.ts";
import { computedDtypes, forwardFormats } from "./forward-formats.ts";
import { operations, type Extent } from "./forward-program.ts";
import { KernelThreads, type StartThread } from "./kernel-threads.ts";

/** Float32 in the first arena. */
type WasmActivations = Activations & Extent;

/** Rows of a format in the first arena. */
type WasmKvRows = KvRows & Extent;

interface WasmAttentionInput extends AttentionInput {
  readonly queries: WasmActivations;
  readonly keys: WasmKvRows;
  readonly values: WasmKvRows;
}

export interface WasmForwardOptions {
  /** As compiled for this kind of memory. */
  readonly module: WebAssembly.Module;
  readonly shared: boolean;
  /** The caller's included. */
  readonly numThreads: number;
  readonly startThread: StartThread;
  /** Whether the caller's thread may sleep while others compute; a page's own may not. */
  readonly maySleep?: boolean;
  /** The size of one memory; 4 GiB unless given. */
  readonly arenaBytes?: number;
}

/** What has to be closed, so that its threads end. */
export interface WasmForwardKernels extends ForwardKernels {
  readonly numThreads: number;
  close(): Promise<void>;
}

/** Starts the kernels. Throws InputError where the engine cannot run them. */
export async function startWasmForward(options: WasmForwardOptions): Promise<WasmForwardKernels> {
  const { module, numThreads, startThread, maySleep = true } = options;
  const threads = await KernelThreads.start(module, numThreads, maySleep, startThread);
  try {
    return new WasmForward(threads, options);
  } catch (error) {
    await threads.close();
    throw error;
  }
}

/** How much of the first arena weights leave for activations, and of others for what a product needs. */
const keptForActivations = 1 / 4;
const keptElsewhere = 1 / 16;

/** As in `assembly/forward/attention.ts`. */
const mostHeadDim = 1024;

class WasmForward implements WasmForwardKernels {
  readonly name = "wasm";
  readonly roundsActivations = true;
  readonly numThreads: number;
  readonly #options: WasmForwardOptions;
  readonly #threads: KernelThreads;
  readonly #arenas: ForwardArena[] = [];

  constructor(threads: KernelThreads, options: WasmForwardOptions) {
    this.numThreads = options.numThreads;
    this.#options = options;
    this.#threads = threads;
    this.#addArena();
  }

  close(): Promise<void> {
    return this.#threads.close();
  }

  allocate(numRows: number, numCols: number): WasmActivations {
    return activations(numRows, numCols, this.#first.arena.allocate(4 * numRows * numCols));
  }

  rows(x: WasmActivations, begin: number, end: number): WasmActivations {
    checkShapes.rows(x, begin, end);
    return activations(end - begin, x.numCols, x.at + 4 * begin * x.numCols);
  }

  write(values: Float32Array, out: WasmActivations): void {
    checkShapes.write(values, out);
    this.#first.write(values, out.at);
  }

  read({ at, numRows, numCols }: WasmActivations): Promise<Float32Array<ArrayBuffer>> {
    return new Promise((resolve) => {
      this.#first.run();
      resolve(this.#first.arena.floats.slice(at / 4, at / 4 + numRows * numCols));
    });
  }

  async loadMatrix(stored: StoredRows): Promise<WasmMatrix> {
    checkShapes.loadMatrix(stored);
    const rowBytes = bytesOfShape([1, stored.numCols], stored.dtype);
    const readRows = (begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> =>
      Promise.resolve(stored.bytes.subarray(begin * rowBytes, end * rowBytes));
    return this.loadRows({ ...stored, readRows });
  }

  async loadRows(stored: MatrixRows): Promise<WasmMatrix> {
    checkWeightFormat(stored);
    const { name, numRows, numCols } = stored;
    const dtype = reexpressedDtype(stored.dtype, computedDtypes);
    const format = forwardFormats[dtype]!;
    const numGroups = Math.ceil(numRows / groupRows);
    const numBytes = numGroups * (numCols / format.recordCols) * format.recordBytes;
    const home = this.#arenaFor(name, numBytes);
    const at = home.arena.allocate(numBytes);
    const W = { name, dtype, numRows, numCols, home, at, numBytes, format };
    await home.pack(W, stored);
    return W;
  }

  embed(W: WasmMatrix, ids: Int32Array, out: WasmActivations): void {
    checkShapes.embed(W, ids, out);
    ids.forEach((id, i) => {
      this.#first.write(W.home.unpackRow(W, id), out.at + 4 * i * out.numCols);
    });
  }

  matmul(x: WasmActivations, W: WasmMatrix, out: WasmActivations): void {
    checkShapes.matmul(x, W, out);
    if (W.home === this.#first) this.#first.product(W, x, x.numRows, out);
    else this.#productElsewhere(x, W, out);
  }

  rmsNorm(x: WasmActivations, weight: WasmActivations, epsilon: number, out: WasmActivations) {
    checkShapes.rmsNorm(x, weight, out);
    const rows = this.#rowsPerPart(x);
    this.#first.record({
      code: operations.norm,
      reads: [x, weight],
      writes: [out],
      numParts: Math.ceil(x.numRows / rows),
      args: [x.at, weight.at, out.at, x.numRows, x.numCols, rows],
      factor: epsilon,
    });
  }

  add(x: WasmActivations, y: WasmActivations): void {
    checkShapes.add(x, y);
    const rows = this.#rowsPerPart(x);
    const step = y.numRows === x.numRows ? y.numCols : 0;
    this.#first.record({
      code: operations.add,
      reads: [x, y],
      writes: [x],
      numParts: Math.ceil(x.numRows / rows),
      args: [x.at, y.at, x.numRows, x.numCols, rows, step],
    });
  }

  siluMultiply(gate: WasmActivations, up: WasmActivations): void {
    checkShapes.siluMultiply(gate, up);
    const count = gate.numRows * gate.numCols;
    const perPart = this.#perPart(count, 4, 16);
    this.#first.record({
      code: operations.silu,
      reads: [gate, up],
      writes: [gate],
      numParts: Math.ceil(count / perPart),
      args: [gate.at, up.at, count, perPart],
    });
  }

  rope(x: WasmActivations, table: WasmActivations, { headDim, pairing }: Rotation): void {
    checkShapes.rope(x, table, { headDim, pairing });
    const rows = this.#rowsPerPart(x);
    const numPairs = table.numCols / 2;
    const isAdjacent = Number(pairing === "adjacent");
    this.#first.record({
      code: operations.rope,
      reads: [x, table],
      writes: [x],
      numParts: Math.ceil(x.numRows / rows),
      args: [x.at, table.at, x.numRows, x.numCols, rows, headDim, numPairs, isAdjacent],
    });
  }

  allocateKv(numRows: number, numCols: number, dtype: KvDtype): WasmKvRows {
    const numBytes = kvBytes(dtype, numRows, numCols);
    return { numRows, numCols, dtype, at: this.#first.arena.allocate(numBytes), numBytes };
  }

  storeRows(x: WasmActivations, slots: Int32Array, pool: WasmKvRows): void {
    checkShapes.storeRows(x, slots, pool);
    this.#first.record(
      {
        code: operations.scatter,
        reads: [x],
        writes: [pool],
        numParts: 1,
        args: [x.at, 0, pool.at, x.numRows, x.numCols, kvFormat(pool)],
      },
      { values: slots, argument: 1 },
    );
  }

  copyRows(pool: WasmKvRows, from: Int32Array, to: Int32Array): void {
    checkShapes.copyRows(pool, from, to);
    this.#first.record(
      {
        code: operations.copy,
        reads: [pool],
        writes: [pool],
        numParts: 1,
        args: [pool.at, 0, from.length, rowBytesOf(pool)],
      },
      { values: Int32Array.of(...from, ...to), argument: 1 },
    );
  }

  saveRows(pool: WasmKvRows, rows: Int32Array): Promise<Uint8Array<ArrayBuffer>> {
    checkShapes.saveRows(pool, rows);
    this.#first.run();
    const { bytes } = this.#first.arena;
    const rowBytes = rowBytesOf(pool);
    const saved = new Uint8Array(rows.length * rowBytes);
    rows.forEach((row, i) => {
      const at = pool.at + row * rowBytes;
      saved.set(bytes.subarray(at, at + rowBytes), i * rowBytes);
    });
    return Promise.resolve(saved);
  }

  restoreRows(pool: WasmKvRows, rows: Int32Array, saved: Uint8Array<ArrayBuffer>): void {
    const rowBytes = rowBytesOf(pool);
    checkShapes.restoreRows(pool, rows, saved, rowBytes);
    this.#first.run();
    const { bytes } = this.#first.arena;
    rows.forEach((row, i) => {
      bytes.set(saved.subarray(i * rowBytes, (i + 1) * rowBytes), pool.at + row * rowBytes);
    });
  }

  softmax(x: WasmActivations): void {
    const rows = this.#rowsPerPart(x);
    this.#first.record({
      code: operations.softmax,
      reads: [x],
      writes: [x],
      numParts: Math.ceil(x.numRows / rows),
      args: [x.at, x.numRows, x.numCols, rows],
    });
  }

  attention(input: WasmAttentionInput, out: WasmActivations): void {
    checkShapes.attention(input, out);
    const { queries, keys, values, slots, headDim, scale } = input;
    if (headDim > mostHeadDim) {
      throw new InputError(
        `The wasm kernels compute attention with heads of up to ${mostHeadDim} columns, and these have ${headDim}.`,
      );
    }
    const numKvHeads = keys.numCols / headDim;
    const sharing = queries.numCols / keys.numCols;
    const numRows = queries.numRows * sharing;
    const wanted = Math.ceil((this.numThreads * partsPerThread) / numKvHeads);
    const perPart =
      this.numThreads === 1 ? numRows : roundUp(Math.max(1, numRows / wanted), tileTokens);
    const sizes = [queries.numRows, slots.length, numKvHeads, sharing, headDim, perPart];
    const formats = [kvFormat(keys), kvFormat(values)];
    this.#first.record(
      {
        code: operations.attention,
        reads: [queries, keys, values],
        writes: [out],
        numParts: numKvHeads * Math.ceil(numRows / perPart),
        args: [queries.at, keys.at, values.at, out.at, 0, ...sizes, ...formats],
        factor: scale,
      },
      { values: slots, argument: 4 },
    );
  }

  get #first(): ForwardArena {
    return this.#arenas[0]!;
  }

  #addArena(): ForwardArena {
    const { arenaBytes: mostBytes = mostArenaBytes } = this.#options;
    const added = new ForwardArena(new Arena({ ...this.#options, mostBytes }), this.#threads);
    this.#arenas.push(added);
    this.#threads.addArena(added.arena);
    return added;
  }

  #rowsPerPart(x: Activations): number {
    return this.#perPart(x.numRows, 4 * x.numCols, 1);
  }

  #perPart(count: number, itemBytes: number, multiple: number): number {
    return perPart(this.numThreads, count, itemBytes, multiple);
  }

  #productElsewhere(x: WasmActivations, W: WasmMatrix, out: WasmActivations): void {
    this.#first.run();
    const from = this.#first.arena.bytes;
    const there = { ...x, at: W.home.room("x", x.numBytes) };
    const made = { ...out, at: W.home.room("out", out.numBytes) };
    W.home.arena.bytes.set(from.subarray(x.at, x.at + x.numBytes), there.at);
    W.home.product(W, there, x.numRows, made);
    W.home.run();
    from.set(W.home.arena.bytes.subarray(made.at, made.at + made.numBytes), out.at);
    this.#first.forget(out);
  }

  /** Where a matrix of so many bytes goes. */
  #arenaFor(name: string, numBytes: number): ForwardArena {
    const { arenaBytes = mostArenaBytes } = this.#options;
    const fits = (home: ForwardArena): boolean => {
      const kept = home === this.#first ? keptForActivations : keptElsewhere;
      return numBytes <= home.arena.numFree - kept * arenaBytes;
    };
    const home = this.#arenas.find(fits) ?? this.#addArena();
    if (fits(home)) return home;
    throw new InputError(
      `Tensor ${quoted(name)} takes ${numBytes} bytes, and one memory of the wasm kernels holds ${arenaBytes}.`,
    );
  }
}

function activations(numRows: number, numCols: number, at: number): WasmActivations {
  return { numRows, numCols, at, numBytes: 4 * numRows * numCols };
}

function rowBytesOf({ dtype = "F32", numCols }: WasmKvRows): number {
  return kvBytes(dtype, 1, numCols);
}

/** The interpreter's number. */
function kvFormat({ dtype = "F32" }: WasmKvRows): number {
  return forwardFormats[dtype]!.id;
}
