/**
 * How much of the machine's read bandwidth our kernels reach when they multiply one row of activations
 * by weights, which is what decoding does: matrices of 4096 × 4096, enough of them that no cache holds
 * them, one after the other.
 */
import { bytesOfShape } from "../src/core/dtypes.ts";
import { normal, seededRng } from "../src/core/rng.ts";
import type { Activations, ForwardKernels, Matrix } from "../src/kernels/forward-kernels.ts";
import { quantizeBlocks, type QuantizableDtype } from "../src/quant/blocks/quantize.ts";
import { openForwardKernels } from "../src/tensor/open-forward.ts";
import { MemoryReaders } from "./read-bandwidth.ts";
import { median } from "./result.ts";

const size = 4096;
const numMatrices = 16;
const dtypes: readonly QuantizableDtype[] = ["F16", "Q8_0", "Q4_0", "Q4_K"];

/** Medians, GB/s. */
export interface MatvecFigures {
  readonly dtype: string;
  readonly threads: number;
  readonly matvecGbPerSecond: number;
  readonly readGbPerSecond: number;
  readonly share: number;
}

/** Measures every format; rounds of reading and of multiplying alternate. */
export async function measureMatvec(
  threads: number,
  numRounds: number,
): Promise<readonly MatvecFigures[]> {
  const figures: MatvecFigures[] = [];
  for (const dtype of dtypes) figures.push(await measureFormat(dtype, threads, numRounds));
  return figures;
}

async function measureFormat(
  dtype: QuantizableDtype,
  threads: number,
  numRounds: number,
): Promise<MatvecFigures> {
  const { kernels, close } = await openForwardKernels({ device: "cpu", threads });
  const readers = await MemoryReaders.start(threads);
  try {
    const work = await prepare(kernels, dtype);
    await multiply(kernels, work);
    const [matvec, read]: [number[], number[]] = [[], []];
    for (let round = 0; round < numRounds; round++) {
      read.push((await readers.measure()) / 1e9);
      const start = performance.now();
      await multiply(kernels, work);
      matvec.push(work.numBytes / ((performance.now() - start) / 1000) / 1e9);
    }
    const [matvecGbPerSecond, readGbPerSecond] = [median(matvec), median(read)];
    const share = matvecGbPerSecond / readGbPerSecond;
    return { dtype, threads, matvecGbPerSecond, readGbPerSecond, share };
  } finally {
    await readers.stop();
    await close();
  }
}

interface Work {
  readonly matrices: readonly Matrix[];
  readonly x: Activations;
  readonly out: Activations;
  readonly numBytes: number;
}

async function prepare(kernels: ForwardKernels, dtype: QuantizableDtype): Promise<Work> {
  const rng = seededRng(0);
  const row = quantizeBlocks(
    dtype,
    Float32Array.from({ length: size }, () => normal(rng)),
  );
  const bytes = new Uint8Array(bytesOfShape([size, size], dtype));
  for (let at = 0; at < bytes.length; at += row.length) bytes.set(row, at);
  const matrices: Matrix[] = [];
  for (let i = 0; i < numMatrices; i++) {
    const stored = { name: `${i}`, dtype, numRows: size, numCols: size, bytes: bytes.slice() };
    matrices.push(await kernels.loadMatrix(stored));
  }
  const [x, out] = [kernels.allocate(1, size), kernels.allocate(1, size)];
  kernels.write(
    Float32Array.from({ length: size }, () => normal(rng)),
    x,
  );
  return { matrices, x, out, numBytes: numMatrices * bytes.length };
}

async function multiply(kernels: ForwardKernels, { matrices, x, out }: Work): Promise<void> {
  for (const matrix of matrices) kernels.matmul(x, matrix, out);
  await kernels.read(out);
}
