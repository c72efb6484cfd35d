/**
 * The kernels of the forward pass in plain TypeScript: what the others are judged by. Activations are
 * float32 between kernels and every sum is a double, so results are those of exact arithmetic, rounded
 * once. Weights stay as they are stored and are decoded a row at a time. Written to be read, not to be
 * fast.
 */
import { isPlain } from "../core/dtypes.ts";
import { plainToFloat32 } from "../formats/plain-values.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { activationFormat, roundActivations } from "./activation-rounding.ts";
import type {
  Activations,
  AttentionInput,
  ForwardKernels,
  Rotation,
  StoredRows,
} from "./forward-kernels.ts";
import { checkShapes } from "./forward-shapes.ts";
import {
  allocateHostKv,
  bytesOfRow,
  kvRow,
  setKvRow,
  type HostKvRows,
} from "./reference-kv-rows.ts";
import { checkWeightFormat } from "./reexpress.ts";

/** Activations row after row in JavaScript's memory. */
interface HostActivations extends Activations {
  readonly values: Float32Array<ArrayBuffer>;
}

interface HostAttentionInput extends AttentionInput {
  readonly queries: HostActivations;
  readonly keys: HostKvRows;
  readonly values: HostKvRows;
}

/** What a head of a query attends with: the tokens' keys and values, in order. */
interface Memory {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** Activations stay float32. */
export const referenceForward: ForwardKernels = {
  name: "reference",
  roundsActivations: false,

  allocate: (numRows, numCols): HostActivations => ({
    numRows,
    numCols,
    values: new Float32Array(numRows * numCols),
  }),

  rows(x: HostActivations, begin: number, end: number): HostActivations {
    checkShapes.rows(x, begin, end);
    const values = x.values.subarray(begin * x.numCols, end * x.numCols);
    return { numRows: end - begin, numCols: x.numCols, values };
  },

  write(values: Float32Array, out: HostActivations): void {
    checkShapes.write(values, out);
    out.values.set(values);
  },

  read: (x: HostActivations) => Promise.resolve(x.values.slice()),

  loadMatrix: (stored) =>
    new Promise((resolve) => {
      checkShapes.loadMatrix(stored);
      checkWeightFormat(stored);
      resolve(stored);
    }),

  loadRows: async (stored) =>
    referenceForward.loadMatrix({ ...stored, bytes: await stored.readRows(0, stored.numRows) }),

  embed(W: StoredRows, ids: Int32Array, out: HostActivations): void {
    checkShapes.embed(W, ids, out);
    ids.forEach((id, i) => {
      out.values.set(weightRow(W, id), i * out.numCols);
    });
  },

  matmul(x: HostActivations, W: StoredRows, out: HostActivations): void {
    checkShapes.matmul(x, W, out);
    for (let r = 0; r < W.numRows; r++) {
      const weights = weightRow(W, r);
      for (let i = 0; i < x.numRows; i++) {
        out.values[i * W.numRows + r] = dot(x.values, i * x.numCols, weights, 0, x.numCols);
      }
    }
  },

  rmsNorm(x: HostActivations, weight: HostActivations, epsilon: number, out: HostActivations) {
    checkShapes.rmsNorm(x, weight, out);
    for (let at = 0; at < x.values.length; at += x.numCols) {
      const meanSquare = dot(x.values, at, x.values, at, x.numCols) / x.numCols;
      const scale = 1 / Math.sqrt(meanSquare + epsilon);
      for (let c = 0; c < x.numCols; c++) {
        out.values[at + c] = x.values[at + c]! * scale * weight.values[c]!;
      }
    }
  },

  add(x: HostActivations, y: HostActivations): void {
    checkShapes.add(x, y);
    const { length } = y.values;
    for (let i = 0; i < x.values.length; i++) x.values[i]! += y.values[i % length]!;
  },

  siluMultiply(gate: HostActivations, up: HostActivations): void {
    checkShapes.siluMultiply(gate, up);
    for (let i = 0; i < gate.values.length; i++) {
      const value = gate.values[i]!;
      gate.values[i] = (value / (1 + Math.exp(-value))) * up.values[i]!;
    }
  },

  rope(x: HostActivations, table: HostActivations, rotation: Rotation): void {
    checkShapes.rope(x, table, rotation);
    for (let row = 0; row < x.numRows; row++) {
      const angles = row * table.numCols;
      for (let head = 0; head < x.numCols; head += rotation.headDim) {
        rotateHead(x.values, row * x.numCols + head, table, angles, rotation);
      }
    }
  },

  allocateKv: allocateHostKv,

  storeRows(x: HostActivations, slots: Int32Array, pool: HostKvRows): void {
    checkShapes.storeRows(x, slots, pool);
    slots.forEach((slot, i) => {
      setKvRow(pool, slot, x.values.subarray(i * x.numCols, (i + 1) * x.numCols));
    });
  },

  copyRows(pool: HostKvRows, from: Int32Array, to: Int32Array): void {
    checkShapes.copyRows(pool, from, to);
    from.forEach((row, i) => {
      bytesOfRow(pool, to[i]!).set(bytesOfRow(pool, row));
    });
  },

  saveRows(pool: HostKvRows, rows: Int32Array): Promise<Uint8Array<ArrayBuffer>> {
    checkShapes.saveRows(pool, rows);
    const rowBytes = bytesOfRow(pool, 0).length;
    const saved = new Uint8Array(rows.length * rowBytes);
    rows.forEach((row, i) => {
      saved.set(bytesOfRow(pool, row), i * rowBytes);
    });
    return Promise.resolve(saved);
  },

  restoreRows(pool: HostKvRows, rows: Int32Array, saved: Uint8Array<ArrayBuffer>): void {
    const rowBytes = bytesOfRow(pool, 0).length;
    checkShapes.restoreRows(pool, rows, saved, rowBytes);
    rows.forEach((row, i) => {
      bytesOfRow(pool, row).set(saved.subarray(i * rowBytes, (i + 1) * rowBytes));
    });
  },

  softmax(x: HostActivations): void {
    for (let at = 0; at < x.values.length; at += x.numCols) {
      softmaxInPlace(x.values.subarray(at, at + x.numCols));
    }
  },

  attention(input: HostAttentionInput, out: HostActivations): void {
    checkShapes.attention(input, out);
    const { queries, slots, headDim } = input;
    const keys = Array.from(slots, (slot) => kvRow(input.keys, slot));
    const values = Array.from(slots, (slot) => kvRow(input.values, slot));
    for (let i = 0; i < queries.numRows; i++) {
      const numVisible = slots.length - queries.numRows + i + 1;
      const memory = { keys: keys.slice(0, numVisible), values: values.slice(0, numVisible) };
      for (let at = 0; at < queries.numCols; at += headDim) {
        attendHead(input, i * queries.numCols + at, at, memory, out);
      }
    }
  },
};

/** As `referenceForward`, with activations rounded as llama.cpp rounds them. */
export const roundingReferenceForward: ForwardKernels = {
  ...referenceForward,
  name: "reference, rounding activations",
  roundsActivations: true,

  matmul(x: HostActivations, W: StoredRows, out: HostActivations): void {
    checkShapes.matmul(x, W, out);
    const values = roundActivations(x.values, activationFormat(W.dtype));
    referenceForward.matmul({ ...x, values } as HostActivations, W, out);
  },
};

/** Attention of one head of one query, which starts at `start`, and at column `column` of its row. */
function attendHead(
  { queries, keys, headDim, scale }: HostAttentionInput,
  start: number,
  column: number,
  memory: Memory,
  out: HostActivations,
): void {
  const sharing = queries.numCols / keys.numCols;
  const kvColumn = Math.floor(column / headDim / sharing) * headDim;
  const weights = Float64Array.from(
    memory.keys,
    (key) => scale * dot(queries.values, start, key, kvColumn, headDim),
  );
  softmaxInPlace(weights);
  for (let c = 0; c < headDim; c++) {
    let sum = 0;
    for (let t = 0; t < weights.length; t++) sum += weights[t]! * memory.values[t]![kvColumn + c]!;
    out.values[start + c] = sum;
  }
}

function rotateHead(
  values: Float32Array,
  head: number,
  table: HostActivations,
  angles: number,
  { pairing }: Rotation,
): void {
  const numPairs = table.numCols / 2;
  for (let i = 0; i < numPairs; i++) {
    const cos = table.values[angles + i]!;
    const sin = table.values[angles + numPairs + i]!;
    const first = head + (pairing === "adjacent" ? 2 * i : i);
    const second = pairing === "adjacent" ? first + 1 : first + numPairs;
    const [a, b] = [values[first]!, values[second]!];
    values[first] = a * cos - b * sin;
    values[second] = a * sin + b * cos;
  }
}

/** Subtracting the largest value first keeps e^x finite and changes nothing else. */
function softmaxInPlace(x: Float32Array | Float64Array): void {
  let largest = -Infinity;
  for (const value of x) largest = Math.max(largest, value);
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    x[i] = Math.exp(x[i]! - largest);
    sum += x[i]!;
  }
  for (let i = 0; i < x.length; i++) x[i]! /= sum;
}

/** Σ a[i]·b[i] over `length` values from the given places on. */
function dot(
  a: Float32Array,
  aStart: number,
  b: Float32Array,
  bStart: number,
  length: number,
): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[aStart + i]! * b[bStart + i]!;
  return sum;
}

/** The values of one row. */
function weightRow({ dtype, numRows, numCols, bytes }: StoredRows, row: number): Float32Array {
  const rowBytes = bytes.length / numRows;
  const stored = bytes.subarray(row * rowBytes, (row + 1) * rowBytes);
  return isPlain(dtype) ? plainToFloat32(stored, dtype) : dequantizeBlocks(dtype, stored, numCols);
}
