/**
 * Dense linear algebra for quantising, in WebAssembly on several threads: products in float64, and the
 * products XᵀX of float32 inputs that a Hessian is the mean of. Matrices lie in JavaScript's memory; on
 * their way into that of the kernels they are brought into the order in which these read them.
 */
import { addProduct, type AddGram, type AddProduct, type DenseAlgebra } from "../../quant/dense.ts";
import { Arena, mostArenaBytes } from "./arena.ts";
import { KernelThreads, type StartThread } from "./kernel-threads.ts";

/** As in `assembly/dense/interpreter.ts`. */
const panelRows = 4;
const panelBytes = 32;

/** Inner length of a program: a part's panels of A and of B together stay in a core's own cache. */
const innerLength = 256;
const rowPanelsPerPart = 16;
const colPanelsPerPart = 32;

/** Products of fewer multiplications cost more to bring over than to compute here. */
const leastWork = 2 ** 18;

/** What a program writes to at once. */
const mostResultBytes = 2 ** 27;

const programWords = 13;

export interface WasmDenseOptions {
  /** As compiled for shared memory or not. */
  readonly module: WebAssembly.Module;
  readonly shared: boolean;
  /** The caller's included. */
  readonly numThreads: number;
  readonly startThread: StartThread;
}

/** What has to be closed, so that its threads end. */
export interface WasmDenseAlgebra extends DenseAlgebra {
  readonly numThreads: number;
  close(): Promise<void>;
}

/** Starts the kernels. Throws InputError where the engine cannot run them. */
export async function startWasmDense(options: WasmDenseOptions): Promise<WasmDenseAlgebra> {
  const { module, numThreads, startThread } = options;
  const threads = await KernelThreads.start(module, numThreads, true, startThread);
  try {
    return new WasmDense(threads, options);
  } catch (error) {
    await threads.close();
    throw error;
  }
}

/** Number of values and bytes of one. */
interface Format {
  readonly isDouble: boolean;
  readonly valueBytes: 4 | 8;
  readonly panelCols: number;
}

const double: Format = { isDouble: true, valueBytes: 8, panelCols: panelBytes / 8 };
const single: Format = { isDouble: false, valueBytes: 4, panelCols: panelBytes / 4 };

class WasmDense implements WasmDenseAlgebra {
  readonly numThreads: number;
  readonly #threads: KernelThreads;
  readonly #arena: Arena;
  readonly #program: number;
  readonly #rooms = new Map<string, { readonly at: number; readonly numBytes: number }>();

  constructor(threads: KernelThreads, options: WasmDenseOptions) {
    this.numThreads = options.numThreads;
    this.#threads = threads;
    this.#arena = new Arena({ ...options, mostBytes: mostArenaBytes });
    threads.addArena(this.#arena);
    this.#program = this.#arena.allocate(4 * programWords);
  }

  close(): Promise<void> {
    return this.#threads.close();
  }

  readonly product: AddProduct = (C, factor, A, B, [m, k, n]) => {
    if (m * k * n < leastWork) {
      addProduct(C, factor, A, B, [m, k, n]);
      return;
    }
    const colPanels = Math.ceil(n / double.panelCols);
    const perRow = colPanels * double.panelCols;
    const mostRows = Math.max(panelRows, Math.floor(mostResultBytes / (8 * perRow)));
    for (let first = 0; first < m; first += mostRows) {
      const rows = Math.min(mostRows, m - first);
      const result = this.#zeros(rows, perRow, double);
      for (let at = 0; at < k; at += innerLength) {
        const inner = Math.min(innerLength, k - at);
        const { columnStride = 1 } = A;
        const a = this.#packRows(A.data, inner, rows, double, {
          at: A.at + first * A.rowStride + at * columnStride,
          rowStride: A.rowStride,
          columnStride,
          factor,
        });
        const b = this.#packColumns(B.data, inner, n, double, {
          at: B.at + at * B.rowStride,
          rowStride: B.rowStride,
        });
        this.#run(double, { a, b, result, inner, rows, colPanels, upperOnly: false });
      }
      const found = this.#doubles(result, rows * perRow);
      for (let i = 0; i < rows; i++) {
        const to = C.at + (first + i) * C.rowStride;
        for (let j = 0, from = i * perRow; j < n; j++, from++) C.data[to + j]! += found[from]!;
      }
    }
  };

  readonly addGram: AddGram = (H, factor, X, cols) => {
    const colPanels = Math.ceil(cols / single.panelCols);
    const perRow = colPanels * single.panelCols;
    const result = this.#zeros(cols, perRow, single);
    const numTokens = X.length / cols;
    for (let token = 0; token < numTokens; token += innerLength) {
      const inner = Math.min(innerLength, numTokens - token);
      const at = token * cols;
      const a = this.#packRows(X, inner, cols, single, {
        ...{ at, rowStride: 1, columnStride: cols, factor: 1 },
      });
      const b = this.#packColumns(X, inner, cols, single, { at, rowStride: cols });
      this.#run(single, { a, b, result, inner, rows: cols, colPanels, upperOnly: true });
    }
    const found = this.#arena.floats.subarray(result / 4, result / 4 + cols * perRow);
    for (let i = 0; i < cols; i++) {
      for (let j = i; j < cols; j++) H[i * cols + j]! += factor * found[i * perRow + j]!;
    }
  };

  #run(
    { isDouble, valueBytes, panelCols }: Format,
    product: {
      readonly a: number;
      readonly b: number;
      readonly result: number;
      readonly inner: number;
      readonly rows: number;
      readonly colPanels: number;
      readonly upperOnly: boolean;
    },
  ): void {
    const { a, b, result, inner, rows, colPanels, upperOnly } = product;
    const rowPanels = Math.ceil(rows / panelRows);
    const numParts =
      Math.ceil(rowPanels / rowPanelsPerPart) * Math.ceil(colPanels / colPanelsPerPart);
    this.#arena.words.set(
      [
        ...[0, numParts, Number(isDouble), a, b, result, inner, rowPanels, colPanels],
        ...[colPanels * panelCols * valueBytes, Number(upperOnly)],
        ...[rowPanelsPerPart, colPanelsPerPart],
      ],
      this.#program / 4,
    );
    this.#threads.run(this.#arena, this.#program);
  }

  /** Panels of A [rows, inner], times the factor; returns where they begin. */
  #packRows(
    data: Float32Array | Float64Array,
    inner: number,
    rows: number,
    format: Format,
    from: {
      readonly at: number;
      readonly rowStride: number;
      readonly columnStride: number;
      readonly factor: number;
    },
  ): number {
    const numPanels = Math.ceil(rows / panelRows);
    const numBytes = numPanels * panelRows * inner * format.valueBytes;
    const begin = this.#room(`a${format.valueBytes}`, numBytes);
    const out = this.#view(begin, numPanels * panelRows * inner, format);
    const { rowStride, columnStride, factor } = from;
    for (let panel = 0, to = 0; panel < numPanels; panel++) {
      const row = from.at + panel * panelRows * rowStride;
      const height = Math.min(panelRows, rows - panel * panelRows);
      for (let i = 0; i < inner; i++, to += panelRows) {
        const at = row + i * columnStride;
        for (let r = 0; r < panelRows; r++) {
          out[to + r] = r < height ? factor * data[at + r * rowStride]! : 0;
        }
      }
    }
    return begin;
  }

  /** Panels of B [inner, cols]; returns where they begin. */
  #packColumns(
    data: Float32Array | Float64Array,
    inner: number,
    cols: number,
    format: Format,
    from: { readonly at: number; readonly rowStride: number },
  ): number {
    const { panelCols, valueBytes } = format;
    const numPanels = Math.ceil(cols / panelCols);
    const begin = this.#room(`b${valueBytes}`, numPanels * inner * panelBytes);
    const out = this.#view(begin, numPanels * inner * panelCols, format);
    for (let panel = 0, to = 0; panel < numPanels; panel++) {
      const width = Math.min(panelCols, cols - panel * panelCols);
      for (let i = 0; i < inner; i++, to += panelCols) {
        const at = from.at + i * from.rowStride + panel * panelCols;
        for (let c = 0; c < panelCols; c++) out[to + c] = c < width ? data[at + c]! : 0;
      }
    }
    return begin;
  }

  #zeros(rows: number, perRow: number, format: Format): number {
    const count = Math.ceil(rows / panelRows) * panelRows * perRow;
    const begin = this.#room("c", count * format.valueBytes);
    this.#view(begin, count, format).fill(0);
    return begin;
  }

  /** Memory for `what`, the same again until more is asked for. */
  #room(what: string, numBytes: number): number {
    const found = this.#rooms.get(what);
    if (found && found.numBytes >= numBytes) return found.at;
    const at = this.#arena.allocate(numBytes);
    this.#rooms.set(what, { at, numBytes });
    return at;
  }

  #view(at: number, count: number, { isDouble }: Format): Float32Array | Float64Array {
    return isDouble
      ? this.#doubles(at, count)
      : this.#arena.floats.subarray(at / 4, at / 4 + count);
  }

  #doubles(at: number, count: number): Float64Array {
    return new Float64Array(this.#arena.memory.buffer, at, count);
  }
}
