/** Which shapes the kernels of the forward pass accept: the same for every implementation. */
import { bytesOfShape } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { quoted } from "../formats/byte-source.ts";
import type {
  Activations,
  AttentionInput,
  Matrix,
  Rotation,
  StoredRows,
} from "./forward-kernels.ts";
import type { KvRows } from "./kv-rows.ts";

/** Throws InputError where a kernel's arguments do not fit each other; takes those of the kernels. */
export const checkShapes = {
  rows(x: Activations, begin: number, end: number): void {
    need(0 <= begin && begin <= end && end <= x.numRows, "rows", `${begin} to ${end}`, x);
  },
  write(values: Float32Array, out: Activations): void {
    need(values.length === out.numRows * out.numCols, "write", `${values.length} values`, out);
  },
  loadMatrix({ name, dtype, numRows, numCols, bytes }: StoredRows): void {
    const needed = bytesOfShape([numRows, numCols], dtype);
    if (bytes.length === needed) return;
    throw new InputError(
      `Tensor ${quoted(name)} has ${bytes.length} bytes, and [${numRows}, ${numCols}] in ${dtype} takes ${needed}.`,
    );
  },
  embed(W: Matrix, ids: Int32Array, out: Activations): void {
    need(out.numRows === ids.length && out.numCols === W.numCols, "embed", W, out);
    needIndices("embed", ids, W.numRows);
  },
  matmul(x: Activations, W: Matrix, out: Activations): void {
    const fits = x.numCols === W.numCols && out.numCols === W.numRows && x.numRows === out.numRows;
    need(fits, "matmul", x, W, out);
  },
  rmsNorm(x: Activations, weight: Activations, out: Activations): void {
    need(isVector(weight, x.numCols) && sameShape(x, out), "rmsNorm", x, weight, out);
  },
  add(x: Activations, y: Activations): void {
    need(sameShape(x, y) || isVector(y, x.numCols), "add", x, y);
  },
  siluMultiply(gate: Activations, up: Activations): void {
    need(sameShape(gate, up), "siluMultiply", gate, up);
  },
  rope(x: Activations, table: Activations, { headDim }: Rotation): void {
    const fits =
      x.numRows === table.numRows &&
      x.numCols % headDim === 0 &&
      table.numCols % 2 === 0 &&
      table.numCols <= headDim;
    need(fits, "rope", x, table, `heads of ${headDim}`);
  },
  storeRows(x: Activations, slots: Int32Array, pool: KvRows): void {
    need(x.numRows === slots.length && x.numCols === pool.numCols, "storeRows", x, pool);
    needIndices("storeRows", slots, pool.numRows);
  },
  copyRows(pool: KvRows, from: Int32Array, to: Int32Array): void {
    need(from.length === to.length, "copyRows", `${from.length} rows for ${to.length}`, pool);
    needIndices("copyRows", from, pool.numRows);
    needIndices("copyRows", to, pool.numRows);
  },
  saveRows(pool: KvRows, rows: Int32Array): void {
    needIndices("saveRows", rows, pool.numRows);
  },
  /** `rowBytes` is what the kernels save a row in. */
  restoreRows(pool: KvRows, rows: Int32Array, saved: Uint8Array, rowBytes: number): void {
    const fits = saved.length === rows.length * rowBytes;
    need(fits, "restoreRows", `${saved.length} bytes for ${rows.length} rows`, pool);
    needIndices("restoreRows", rows, pool.numRows);
  },
  attention({ queries, keys, values, slots, headDim }: AttentionInput, out: Activations): void {
    const fits =
      keys.numCols % headDim === 0 &&
      queries.numCols % keys.numCols === 0 &&
      queries.numRows <= slots.length &&
      sameShape(keys, values) &&
      sameShape(queries, out);
    need(fits, "attention", queries, keys, values, out, `heads of ${headDim}`);
    needIndices("attention", slots, keys.numRows);
  },
};

type Shape = Pick<Activations, "numRows" | "numCols">;
type Shown = string | Shape;

function need(fits: boolean, kernel: string, ...found: readonly Shown[]): void {
  if (fits) return;
  const shapes = found.map((item) =>
    typeof item === "string" ? item : `[${item.numRows}, ${item.numCols}]`,
  );
  throw new InputError(`The kernel ${kernel} was given what does not fit: ${shapes.join(", ")}.`);
}

function needIndices(kernel: string, indices: Int32Array, count: number): void {
  for (const index of indices) {
    if (index >= 0 && index < count) continue;
    throw new InputError(`The kernel ${kernel} was given row ${index}, and there are ${count}.`);
  }
}

function sameShape(a: Shape, b: Shape): boolean {
  return a.numRows === b.numRows && a.numCols === b.numCols;
}

function isVector(x: Activations, length: number): boolean {
  return x.numRows === 1 && x.numCols === length;
}
