/**
 * An arena of the wasm forward pass with the program that is being recorded for it: where its matrices
 * are packed, and which activations the program has already rounded for them.
 */
import { bytesOfShape, isPlain } from "../../core/dtypes.ts";
import { plainToFloat32 } from "../../formats/plain-values.ts";
import { dequantizeBlocks } from "../../quant/blocks/dequantize.ts";
import type { Matrix, MatrixRows, StoredRows } from "../forward-kernels.ts";
import { checkShapes } from "../forward-shapes.ts";
import { reexpress } from "../reexpress.ts";
import type { Arena } from "./arena.ts";
import { computedDtypes, type ActivationLayout, type ForwardFormat } from "./forward-formats.ts";
import {
  ForwardProgram,
  operations,
  overlap,
  type Extent,
  type Operation,
} from "./forward-program.ts";
import type { KernelThreads } from "./kernel-threads.ts";

/** Rows of weights that belong together. */
export const groupRows: number = 8;

export const tileTokens: number = 4;

/** The least that is worth handing to another thread: some microseconds of work. */
const leastPartBytes = 2 ** 15;

/** Parts for each thread, so that one that was held up leaves some of its own to others. */
export const partsPerThread: number = 4;

/** Stored rows that are packed at once. */
const pieceBytes = 2 ** 21;

/** A matrix as records of its format. */
export interface WasmMatrix extends Matrix {
  readonly home: ForwardArena;
  readonly at: number;
  readonly numBytes: number;
  readonly format: ForwardFormat;
}

/** Int32 that an operation reads from the program, and which of its arguments is to point there. */
export interface OperationData {
  readonly values: Int32Array;
  readonly argument: number;
}

interface Prepared {
  /** Undefined where it has changed since. */
  source: Extent | undefined;
  readonly numRows: number;
  readonly made: Extent;
}

export class ForwardArena {
  readonly arena: Arena;
  readonly #threads: KernelThreads;
  readonly #program: ForwardProgram;
  /** The activations that the program has rounded last for each layout. */
  readonly #prepared = new Map<ActivationLayout, Prepared>();
  readonly #rooms = new Map<string | ActivationLayout, Extent>();
  /** Of `pieceBytes` each and not in use. A new one for each read, until collected, takes tens of MB. */
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];

  constructor(arena: Arena, threads: KernelThreads) {
    this.arena = arena;
    this.#threads = threads;
    this.#program = new ForwardProgram(arena);
  }

  /** Runs what was recorded. */
  run(): void {
    if (this.#program.isEmpty) return;
    for (const one of this.#prepared.values()) one.source = undefined;
    this.#threads.run(this.arena, this.#program.finish());
  }

  record(operation: Operation, data?: OperationData): void {
    const numWords = operation.args.length + 1 + (data?.values.length ?? 0) + 8;
    if (!this.#program.hasRoom(numWords)) this.run();
    this.#program.reserve(numWords);
    for (const written of operation.writes) this.forget(written);
    const dataAt = data && { at: this.#program.addData(data.values), argument: data.argument };
    this.#program.add(operation, dataAt);
  }

  /** Values from outside, after everything that was recorded. */
  write(values: Float32Array, at: number): void {
    this.run();
    this.arena.floats.set(values, at / 4);
  }

  /** What was made of these bytes is no longer so. */
  forget(written: Extent): void {
    for (const one of this.#prepared.values()) {
      if (one.source && overlap(one.source, written)) one.source = undefined;
    }
  }

  /** Memory for `what`, the same again until more is asked for. */
  room(what: string | ActivationLayout, numBytes: number): number {
    const found = this.#rooms.get(what);
    if (found && found.numBytes >= numBytes) return found.at;
    const wanted = Math.max(numBytes, 2 * (found?.numBytes ?? 0));
    const at = this.arena.allocate(wanted);
    this.#rooms.set(what, { at, numBytes: wanted });
    return at;
  }

  /** out = x · Wᵀ, all of this arena. */
  product(W: WasmMatrix, x: Extent, numTokens: number, out: Extent): void {
    const { format, numRows, numCols } = W;
    const X = this.#prepare(format.layout, x, numTokens, numCols);
    const rowBytes = W.numBytes / numRows;
    const cost = rowBytes * Math.max(1, numTokens / 2);
    const rows = perPart(this.#threads.count, numRows, cost, groupRows);
    const single = numTokens === 1;
    const args = [format.id, W.at, X.at, out.at, numCols, numRows, rows];
    if (!single) args.push(numTokens);
    this.record({
      code: single ? operations.matvec : operations.gemm,
      reads: [X],
      writes: [out],
      numParts: Math.ceil(numRows / rows),
      args,
    });
  }

  /** Brings stored rows into the format's records, some at a time while the next are read. */
  async pack(W: WasmMatrix, stored: MatrixRows): Promise<void> {
    const rowBytes = bytesOfShape([1, W.numCols], W.dtype);
    const rowsAtOnce = groupRows * Math.max(1, Math.floor(pieceBytes / rowBytes / groupRows));
    const read = (row: number, piece: Uint8Array<ArrayBuffer>): Promise<StoredRows["bytes"]> => {
      const end = Math.min(row + rowsAtOnce, W.numRows);
      const bytes = stored.readRows(row, end, piece.subarray(0, (end - row) * rowBytes));
      // It is awaited later, and must not count as unhandled should packing fail before.
      bytes.catch(() => undefined);
      return bytes;
    };
    let [piece, nextPiece] = [this.#takePiece(), this.#takePiece()];
    let next = read(0, piece);
    for (let row = 0; row < W.numRows; row += rowsAtOnce) {
      const numRows = Math.min(rowsAtOnce, W.numRows - row);
      const rows = { ...stored, numRows, bytes: await next };
      if (row + numRows < W.numRows) next = read(row + numRows, nextPiece);
      checkShapes.loadMatrix(rows);
      this.#packRows(W, row, reexpress(rows, computedDtypes), rowBytes);
      [piece, nextPiece] = [nextPiece, piece];
    }
    this.#pieces.push(piece, nextPiece);
  }

  #takePiece(): Uint8Array<ArrayBuffer> {
    return this.#pieces.pop() ?? new Uint8Array(pieceBytes);
  }

  #packRows(W: WasmMatrix, firstRow: number, rows: StoredRows, rowBytes: number): void {
    this.run();
    const room = this.room("stored", rows.bytes.length);
    this.arena.bytes.set(rows.bytes, room);
    const groupBytes = W.numBytes / Math.ceil(W.numRows / groupRows);
    const to = W.at + (firstRow / groupRows) * groupBytes;
    const numGroups = Math.ceil(rows.numRows / groupRows);
    const groups = perPart(this.#threads.count, numGroups, groupBytes, 1);
    this.record({
      code: operations.pack,
      reads: [],
      writes: [],
      numParts: Math.ceil(numGroups / groups),
      args: [W.format.id, room, to, rowBytes, groupBytes, rows.numRows, rows.numCols, groups],
    });
    this.run();
  }

  /** The values of one row, perhaps where the next one will be. */
  unpackRow({ format, at, numCols, dtype }: WasmMatrix, row: number): Float32Array {
    const numBytes = bytesOfShape([1, numCols], dtype);
    const room = this.room("stored", numBytes);
    this.arena.exports.unpackRow(format.id, at, row, room, numCols);
    const stored = this.arena.bytes.subarray(room, room + numBytes);
    return isPlain(dtype)
      ? plainToFloat32(stored, dtype)
      : dequantizeBlocks(dtype, stored, numCols);
  }

  /** Where x lies in the layout: made by the program, unless it has been. */
  #prepare(layout: ActivationLayout, x: Extent, numRows: number, numCols: number): Extent {
    const single = numRows === 1;
    if (single && layout.id === 0) return x;
    const known = this.#prepared.get(layout);
    if (known?.numRows === numRows && isSame(known.source, x)) return known.made;
    const numBytes = preparedBytes(layout, numRows, numCols);
    const at = this.room(layout, numBytes);
    const made = { at, numBytes };
    const numTiles = Math.ceil(numRows / tileTokens);
    const tiles = perPart(this.#threads.count, numTiles, 4 * tileTokens * numCols, 1);
    this.record({
      code: single ? operations.vector : operations.tiles,
      reads: [x],
      writes: [made],
      numParts: single ? 1 : Math.ceil(numTiles / tiles),
      args: single
        ? [layout.id, x.at, at, numCols]
        : [layout.id, x.at, at, numRows, numCols, tiles],
    });
    this.#prepared.set(layout, { source: x, numRows, made });
    return made;
  }
}

function isSame(one: Extent | undefined, other: Extent): boolean {
  return one?.at === other.at && one.numBytes === other.numBytes;
}

function preparedBytes(layout: ActivationLayout, numRows: number, numCols: number): number {
  if (numRows === 1) return layout.vectorBytes(numCols);
  return Math.ceil(numRows / tileTokens) * layout.tileBytes(numCols);
}

/** How many of `count` items go to one part, a multiple of `multiple`. */
export function perPart(
  numThreads: number,
  count: number,
  itemBytes: number,
  multiple: number,
): number {
  if (numThreads === 1) return roundUp(count, multiple);
  const least = leastPartBytes / itemBytes;
  return roundUp(Math.max(1, least, count / (numThreads * partsPerThread)), multiple);
}

export function roundUp(count: number, multiple: number): number {
  return multiple * Math.ceil(count / multiple);
}
