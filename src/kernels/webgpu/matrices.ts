/**
 * Weights on the GPU: loaded in parts of whole rows, each within what a kernel can reach, with the kernels
 * that decode their format.
 */
import { dtypeLayouts, type Dtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { quoted } from "../../formats/byte-source.ts";
import type { Matrix, StoredRows } from "../forward-kernels.ts";
import { reexpress, reexpressedDtype, checkWeightFormat } from "../reexpress.ts";
import type { ComputeKernel } from "./compute-kernel.ts";
import type { GpuMemory } from "./gpu-memory.ts";
import { columnStep, planeLayout, weightFormats, writePlanes } from "./weight-planes.ts";

/** The kernels that decode weights of one format. */
export interface MatrixKernels {
  readonly embed: ComputeKernel;
  /** For few rows of activations. */
  readonly matvec: ComputeKernel;
  /** For many. */
  readonly matmul: ComputeKernel;
}

/** Rows of a matrix that lie in one buffer. */
export interface MatrixPart {
  readonly firstRow: number;
  readonly numRows: number;
  readonly buffer: GPUBuffer;
  /** Where its planes begin, in words. */
  readonly planes: readonly number[];
}

export interface GpuMatrix extends Matrix {
  readonly parts: readonly MatrixPart[];
  readonly kernels: MatrixKernels;
  /** Eight columns are an octet. */
  readonly octetsPerRow: number;
}

/** A part is in this machine's memory twice while it is loaded. */
const maxPartBytes = 2 ** 28;

const computed = Object.keys(weightFormats) as Dtype[];

/** The format that weights in `dtype` are computed with. Throws InputError where there is none. */
export function computedDtype(stored: StoredRows): Dtype {
  checkWeightFormat(stored);
  return reexpressedDtype(stored.dtype, computed);
}

/** Throws InputError where a row is too large or the GPU's memory is used up. */
export function uploadMatrix(
  memory: GpuMemory,
  stored: StoredRows,
  kernels: MatrixKernels,
): GpuMatrix {
  const { name, numRows, numCols } = stored;
  const dtype = computedDtype(stored);
  const rowBytes = planeLayout(weightFormats[dtype]!, 1, numCols).numBytes;
  const rowsPerPart = Math.floor(Math.min(memory.maxBytes, maxPartBytes) / rowBytes);
  if (numRows > 0 && rowsPerPart === 0) {
    throw new InputError(
      `Tensor ${quoted(name)} cannot be used: a row takes ${rowBytes} bytes, and this GPU reaches ${memory.maxBytes} at once; use another device.`,
    );
  }
  const parts: MatrixPart[] = [];
  for (let row = 0; row < numRows; row += rowsPerPart) {
    parts.push(uploadRows(memory, stored, row, Math.min(numRows, row + rowsPerPart)));
  }
  const octetsPerRow = (Math.ceil(numCols / columnStep) * columnStep) / 8;
  return { name, dtype, numRows, numCols, parts, kernels, octetsPerRow };
}

function uploadRows(
  memory: GpuMemory,
  stored: StoredRows,
  firstRow: number,
  endRow: number,
): MatrixPart {
  const { numCols } = stored;
  const { blockElements, blockBytes } = dtypeLayouts[stored.dtype];
  const rowBytes = (numCols / blockElements) * blockBytes;
  const numRows = endRow - firstRow;
  const part = stored.bytes.subarray(firstRow * rowBytes, endRow * rowBytes);
  const { dtype, bytes } = reexpress({ ...stored, numRows, bytes: part }, computed);
  const format = weightFormats[dtype]!;
  const { planes, numBytes } = planeLayout(format, numRows, numCols);
  const buffer = memory.store(numBytes, `tensor ${quoted(stored.name)}`, (out) => {
    writePlanes(dtype, format, numCols, bytes, out);
  });
  return { firstRow, numRows, buffer, planes };
}
