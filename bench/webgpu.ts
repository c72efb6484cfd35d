/**
 * The WebGPU kernels for a single token: how many bytes of weights they read a second, as a share of
 * what a copy on the same device reads and writes. Software adapters are refused, because their figures
 * say nothing about a GPU; `--software` is for trying this program out, and keeps no result.
 */
import { dtypeLayouts, type Dtype } from "../src/core/dtypes.ts";
import { InputError } from "../src/core/errors.ts";
import { seededRng } from "../src/core/rng.ts";
import type { ForwardKernels, Matrix } from "../src/kernels/forward-kernels.ts";
import { startWebGpuForward } from "../src/kernels/webgpu/webgpu-forward.ts";
import { openGpuDevice, readShaders } from "../src/tensor/open-webgpu-forward.ts";
import { saveResult } from "./result.ts";

const software = process.argv.includes("--software");
const [numRows, numCols] = software ? [1024, 1024] : [16_384, 4096];
/** Different matrices in turn, so that none is still in a cache. */
const numMatrices = 4;
const copyBytes = software ? 2 ** 26 : 2 ** 28;
const [fewTurns, manyTurns] = software ? [2, 8] : [8, 48];
const numRounds = software ? 5 : 11;
const dtypes: readonly Dtype[] = [
  ...(["F32", "F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q4_K", "Q5_K", "Q6_K", "TQ2_0"] as const),
];

try {
  await main();
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  console.error(`${error.message} To try this program out: --software.`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { device, description } = await openGpuDevice(software);
  const copyGBs = await copySpeed(device);
  device.destroy();
  const figures: Record<string, { GBs: number; share: number }> = {};
  for (const dtype of dtypes) {
    const GBs = await decodeSpeed(dtype);
    figures[dtype] = { GBs, share: GBs / copyGBs };
  }
  console.log(`${description}: a copy moves ${copyGBs.toFixed(1)} GB/s, read and written`);
  console.table(figures);
  if (software) return;
  const shape = [numRows, numCols];
  saveResult("webgpu", { adapter: description, shape, rounds: numRounds, copyGBs, figures });
}

/** Bytes read and written by a copy from one buffer to another. */
async function copySpeed(device: GPUDevice): Promise<number> {
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [from, to] = [1, 2].map(() => device.createBuffer({ size: copyBytes, usage }));
  const seconds = await perTurn(async (turns) => {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < turns; i++) encoder.copyBufferToBuffer(from!, 0, to!, 0, copyBytes);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
  });
  return (2 * copyBytes) / seconds / 1e9;
}

/** Bytes of weights that one row of activations is multiplied by; a device's memory goes with it. */
async function decodeSpeed(dtype: Dtype): Promise<number> {
  const { device } = await openGpuDevice(software);
  const kernels = await startWebGpuForward(device, await readShaders());
  const { blockElements, blockBytes } = dtypeLayouts[dtype];
  const numBytes = numRows * (numCols / blockElements) * blockBytes;
  const matrices = await loadMatrices(kernels, dtype, numBytes);
  const x = kernels.allocate(1, numCols);
  const out = kernels.allocate(1, numRows);
  const seconds = await perTurn(async (turns) => {
    for (let i = 0; i < turns; i++) {
      for (const W of matrices) kernels.matmul(x, W, out);
    }
    await kernels.read(kernels.rows(out, 0, 1));
  });
  device.destroy();
  return (numMatrices * numBytes) / seconds / 1e9;
}

/** Bits at random: time does not depend on them. */
async function loadMatrices(
  kernels: ForwardKernels,
  dtype: Dtype,
  numBytes: number,
): Promise<Matrix[]> {
  const rng = seededRng(1);
  const words = Uint32Array.from({ length: 4096 }, () => rng() * 2 ** 32);
  const matrices: Matrix[] = [];
  while (matrices.length < numMatrices) {
    const bytes = new Uint8Array(numBytes);
    const pattern = new Uint8Array(words.buffer);
    for (let at = 0; at < numBytes; at += pattern.length) {
      bytes.set(pattern.subarray(0, numBytes - at), at);
    }
    const name = `${dtype} ${matrices.length}`;
    matrices.push(await kernels.loadMatrix({ name, dtype, numRows, numCols, bytes }));
  }
  return matrices;
}

/** Seconds that one turn takes: what is the same for few and for many is not counted. */
async function perTurn(run: (turns: number) => Promise<void>): Promise<number> {
  const times: number[] = [];
  await run(manyTurns);
  for (let round = 0; round < numRounds; round++) {
    const [few, many] = [await time(fewTurns, run), await time(manyTurns, run)];
    times.push((many - few) / (manyTurns - fewTurns));
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

async function time(turns: number, run: (turns: number) => Promise<void>): Promise<number> {
  const begin = performance.now();
  await run(turns);
  return (performance.now() - begin) / 1000;
}
