/** How fast a tensor backend and the memory are, for `infinity doctor`. Medians, after a warm-up. */
import type { Tfjs } from "../tensor/backend.ts";

/** A run that is shorter says more about the call than about the arithmetic. */
const shortestRunMs = 20;
const measureMs = 400;
const fewestRuns = 3;
const mostRuns = 20;
const smallestMatrix = 512;
const largestMatrix = 4096;
/** 64 MiB of float32: far beyond every cache, within WebGPU's smallest limit for one buffer. */
const numElements = 2 ** 24;
const copyBytes = 2 ** 27;

/** Speed of one backend. */
export interface Speed {
  /** Square float32 matrices of `matrixSize`: 2 n³ operations. */
  readonly gflops: number;
  readonly matrixSize: number;
  /** Bytes read and written by −x over 64 MiB. */
  readonly gbPerSecond: number;
}

/** Measures tfjs's current backend; about a second. */
export async function measureSpeed(tf: Tfjs): Promise<Speed> {
  let matrixSize = smallestMatrix;
  let matmulMs = await matmul(tf, matrixSize);
  while (matmulMs < shortestRunMs && matrixSize < largestMatrix) {
    matrixSize *= 2;
    matmulMs = await matmul(tf, matrixSize);
  }
  const x = tf.ones([numElements]);
  const negateMs = await medianMs(() => finish(() => tf.neg(x)));
  x.dispose();
  return {
    gflops: (2 * matrixSize ** 3) / matmulMs / 1e6,
    matrixSize,
    gbPerSecond: (2 * 4 * numElements) / negateMs / 1e6,
  };
}

/** Bytes that one core reads and writes in a second when it copies 128 MiB, in GB. */
export async function measureCopy(): Promise<number> {
  // Filled, because the first touch of fresh memory costs more than the copy.
  const [from, to] = [new Uint8Array(copyBytes).fill(1), new Uint8Array(copyBytes).fill(2)];
  const ms = await medianMs(() => {
    to.set(from);
    return Promise.resolve();
  });
  return (2 * copyBytes) / ms / 1e6;
}

async function matmul(tf: Tfjs, size: number): Promise<number> {
  const a = tf.randomUniform([size, size], -1, 1, "float32", 1);
  const ms = await medianMs(() => finish(() => tf.matMul(a, a)));
  a.dispose();
  return ms;
}

/** Runs an operation to its end: reading one value waits for the GPU, and copies next to nothing. */
async function finish(operation: () => ReturnType<Tfjs["neg"]>): Promise<void> {
  const result = operation();
  const first = result.slice(
    result.shape.map(() => 0),
    result.shape.map(() => 1),
  );
  await first.data();
  first.dispose();
  result.dispose();
}

async function medianMs(run: () => Promise<void>): Promise<number> {
  await run();
  const times: number[] = [];
  const start = performance.now();
  while (
    times.length < fewestRuns ||
    (times.length < mostRuns && performance.now() - start < measureMs)
  ) {
    const before = performance.now();
    await run();
    times.push(performance.now() - before);
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}
