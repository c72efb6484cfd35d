/**
 * The kernels of the forward pass on WebGPU, for Node and for browsers: a device and the shaders' texts
 * are passed in. Activations are float32 and rows of whole 32 columns, filled up with zeros; weights stay
 * in their formats and are decoded where they are multiplied, as keys and values are where they are
 * attended to. An allocation is a buffer of its own, because WebGPU lets no call read and write two parts
 * of one buffer, and so its memory goes when its handle goes.
 */
import { dtypeLayouts, isPlain } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import type {
  Activations,
  AttentionInput,
  ForwardKernels,
  Matrix,
  MatrixRows,
  Rotation,
  StoredRows,
} from "../forward-kernels.ts";
import { checkShapes } from "../forward-shapes.ts";
import { kvBytes, type KvDtype } from "../kv-rows.ts";
import { CommandRecorder, floatBits, spreadGroups } from "./command-recorder.ts";
import type { ComputeKernel } from "./compute-kernel.ts";
import { DeviceHealth } from "./device-health.ts";
import { GpuMemory } from "./gpu-memory.ts";
import { fromGpuRows, kvRowLayout, toGpuRows, type GpuRows } from "./kv-pools.ts";
import { computedDtype, uploadMatrix, type GpuMatrix, type MatrixPart } from "./matrices.ts";
import { KernelLibrary, type VectorKernels } from "./kernel-library.ts";
import type { ShaderSources } from "./shader-sources.ts";
import { columnStep } from "./weight-planes.ts";

/** Invocations of a workgroup, in all kernels but the one for many rows. */
const groupSize = 64;

/** Outputs of a workgroup where there are few rows of x. */
const rowsPerGroup = 4;

/** The tile of a workgroup where there are many. */
const tileSize = 64;

/** From so many rows of x on, weights are decoded once for all of them instead of once for each. */
const manyRows = 5;

export interface WebGpuOptions {
  /** What the device has and may be used; without them, all that it has. */
  readonly features?: { readonly subgroups?: boolean; readonly halves?: boolean };
  /** The most bytes that a kernel reaches in one buffer, below the device's own limit. */
  readonly maxBindingBytes?: number;
}

/** Rows of float32 numbers. */
type GpuActivations = Activations & GpuRows;

interface GpuAttentionInput extends AttentionInput {
  readonly queries: GpuActivations;
  readonly keys: GpuRows;
  readonly values: GpuRows;
}

/** What to ask an adapter for: the features that the kernels use where it has them, and its own limits. */
export function webGpuDeviceDescriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
  const used = ["subgroups", "shader-f16"] as const;
  const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  return {
    requiredFeatures: used.filter((feature) => adapter.features.has(feature)),
    requiredLimits: { maxStorageBufferBindingSize, maxBufferSize },
  };
}

/** The kernels on `device`, which has to live as long as they are used. */
export async function startWebGpuForward(
  device: GPUDevice,
  shaders: ShaderSources,
  { features = {}, maxBindingBytes }: WebGpuOptions = {},
): Promise<ForwardKernels> {
  const library = new KernelLibrary(device, shaders, {
    subgroups: device.features.has("subgroups") && features.subgroups !== false,
    halves: device.features.has("shader-f16") && features.halves !== false,
  });
  return new WebGpuForward(device, library, await library.vectorKernels(), maxBindingBytes);
}

class WebGpuForward implements ForwardKernels {
  readonly name = "webgpu";
  readonly roundsActivations = false;
  readonly #device: GPUDevice;
  readonly #library: KernelLibrary;
  readonly #kernels: VectorKernels;
  readonly #health: DeviceHealth;
  readonly #memory: GpuMemory;
  readonly #recorder: CommandRecorder;

  constructor(
    device: GPUDevice,
    library: KernelLibrary,
    kernels: VectorKernels,
    maxBindingBytes: number | undefined,
  ) {
    this.#device = device;
    this.#library = library;
    this.#kernels = kernels;
    this.#health = new DeviceHealth(device);
    this.#memory = new GpuMemory(device, this.#health, maxBindingBytes);
    this.#recorder = new CommandRecorder(device, this.#health);
  }

  allocate(numRows: number, numCols: number): GpuActivations {
    const stride = Math.ceil(numCols / columnStep) * columnStep;
    const what = `Room for [${numRows}, ${numCols}]`;
    const buffer = this.#memory.allocate(4 * numRows * stride, what);
    return { numRows, numCols, buffer, stride, begin: 0 };
  }

  rows(x: GpuActivations, begin: number, end: number): GpuActivations {
    checkShapes.rows(x, begin, end);
    return { ...x, numRows: end - begin, begin: x.begin + begin };
  }

  write(values: Float32Array, out: GpuActivations): void {
    checkShapes.write(values, out);
    // Calls that were recorded before still see what was there.
    this.#recorder.submit();
    const filled = withStride(values, out);
    this.#device.queue.writeBuffer(out.buffer, 4 * firstNumber(out), filled);
  }

  read(x: GpuActivations): Promise<Float32Array<ArrayBuffer>> {
    const numBytes = 4 * x.numRows * x.stride;
    const record = (staging: GPUBuffer): void => {
      this.#recorder.copy(x.buffer, 4 * firstNumber(x), staging, 0, numBytes);
    };
    return this.#fetch(numBytes, record, (copy) => withoutStride(new Float32Array(copy), x));
  }

  async loadRows(stored: MatrixRows): Promise<Matrix> {
    return this.loadMatrix({ ...stored, bytes: await stored.readRows(0, stored.numRows) });
  }

  async loadMatrix(stored: StoredRows): Promise<Matrix> {
    checkShapes.loadMatrix(stored);
    const kernels = await this.#library.matrixKernels(computedDtype(stored));
    const matrix = uploadMatrix(this.#memory, stored, kernels);
    await this.#health.check();
    return matrix;
  }

  embed(W: GpuMatrix, ids: Int32Array, out: GpuActivations): void {
    checkShapes.embed(W, ids, out);
    for (const { buffer, planes, firstRow, numRows } of W.parts) {
      const { buffer: indices, at } = this.#recorder.stageIndices(ids);
      const where = [firstNumber(out) / 4, out.stride / 4];
      const params = [...planes, firstRow, numRows, W.octetsPerRow, at, ids.length, ...where];
      const buffers = [buffer, indices, out.buffer];
      this.#overItems(W.kernels.embed, params, buffers, ids.length * W.octetsPerRow);
    }
  }

  matmul(x: GpuActivations, W: GpuMatrix, out: GpuActivations): void {
    checkShapes.matmul(x, W, out);
    const input = this.#apart(x, out);
    for (const part of W.parts) this.#multiply(input, W, part, out);
  }

  rmsNorm(x: GpuActivations, weight: GpuActivations, epsilon: number, out: GpuActivations): void {
    checkShapes.rmsNorm(x, weight, out);
    const [input, factors] = [this.#apart(x, out), this.#apart(weight, out)];
    const where = [input, factors, out].map((operand) => firstNumber(operand) / 4);
    const params = [x.numRows, x.numCols, x.stride / 4, ...where, floatBits(epsilon)];
    const buffers = [input.buffer, factors.buffer, out.buffer];
    this.#recorder.dispatch(this.#kernels.rmsNorm, params, buffers, [
      ...spreadGroups(x.numRows),
      1,
    ]);
  }

  add(x: GpuActivations, y: GpuActivations): void {
    checkShapes.add(x, y);
    const addend = this.#apart(y, x);
    const [count, rowLength] = [(x.numRows * x.stride) / 4, x.stride / 4];
    const where = [firstNumber(x) / 4, firstNumber(addend) / 4];
    const params = [count, rowLength, ...where, y.numRows === 1 ? 0 : rowLength];
    this.#overItems(this.#kernels.add, params, [addend.buffer, x.buffer], count);
  }

  siluMultiply(gate: GpuActivations, up: GpuActivations): void {
    checkShapes.siluMultiply(gate, up);
    const factor = this.#apart(up, gate);
    const count = (gate.numRows * gate.stride) / 4;
    const params = [count, firstNumber(gate) / 4, firstNumber(factor) / 4];
    this.#overItems(this.#kernels.siluMultiply, params, [factor.buffer, gate.buffer], count);
  }

  rope(x: GpuActivations, table: GpuActivations, { headDim, pairing }: Rotation): void {
    checkShapes.rope(x, table, { headDim, pairing });
    const angles = this.#apart(table, x);
    const [numHeads, numPairs] = [x.numCols / headDim, table.numCols / 2];
    const distances = pairing === "adjacent" ? [1, 2] : [numPairs, 1];
    const where = [firstNumber(x), x.stride, firstNumber(angles), angles.stride];
    const params = [x.numRows, numHeads, headDim, numPairs, ...distances, ...where];
    const count = x.numRows * numHeads * numPairs;
    this.#overItems(this.#kernels.rope, params, [angles.buffer, x.buffer], count);
  }

  storeRows(x: GpuActivations, slots: Int32Array, pool: GpuRows): void {
    checkShapes.storeRows(x, slots, pool);
    const { dtype = "F32", numCols } = pool;
    const kernel = this.#library.storeRows(dtype);
    const input = this.#apart(x, pool);
    const { buffer: indices, at } = this.#recorder.stageIndices(slots);
    const buffers = [input.buffer, indices, pool.buffer];
    const [first, rowLength] = [firstNumber(input) / 4, x.stride / 4];
    if (isPlain(dtype)) {
      const count = x.numRows * rowLength;
      const params = [count, rowLength, first, at, pool.begin * rowLength];
      this.#overItems(kernel, params, buffers, count);
      return;
    }
    const numBlocks = numCols / dtypeLayouts[dtype].blockElements;
    const places = [firstNumber(pool), pool.stride, firstCode(pool)];
    const params = [x.numRows, numBlocks, first, rowLength, at, ...places];
    // An invocation for four columns, and blocks in pairs.
    this.#overItems(kernel, params, buffers, x.numRows * 16 * Math.ceil(numBlocks / 2));
  }

  allocateKv(numRows: number, numCols: number, dtype: KvDtype): GpuRows {
    // Refuses rows that are not of whole blocks.
    kvBytes(dtype, numRows, numCols);
    const { stride } = kvRowLayout(dtype, numCols);
    const what = `Room for [${numRows}, ${numCols}] in ${dtype}`;
    const buffer = this.#memory.allocate(4 * numRows * stride, what);
    return { numRows, numCols, dtype, buffer, stride, begin: 0 };
  }

  copyRows(pool: GpuRows, from: Int32Array, to: Int32Array): void {
    checkShapes.copyRows(pool, from, to);
    const rows = Int32Array.of(...from, ...to);
    const { buffer: indices, at } = this.#recorder.stageIndices(rows);
    const rowLength = pool.stride / 4;
    const count = from.length * rowLength;
    const params = [count, rowLength, from.length, at, firstNumber(pool) / 4];
    this.#overItems(this.#kernels.copyRows, params, [indices, pool.buffer], count);
  }

  saveRows(pool: GpuRows, rows: Int32Array): Promise<Uint8Array<ArrayBuffer>> {
    checkShapes.saveRows(pool, rows);
    const rowBytes = 4 * pool.stride;
    const record = (staging: GPUBuffer): void => {
      rows.forEach((row, i) => {
        const from = (pool.begin + row) * rowBytes;
        this.#recorder.copy(pool.buffer, from, staging, i * rowBytes, rowBytes);
      });
    };
    return this.#fetch(rows.length * rowBytes, record, (copy) =>
      fromGpuRows(pool, new Uint8Array(copy)),
    );
  }

  restoreRows(pool: GpuRows, rows: Int32Array, saved: Uint8Array<ArrayBuffer>): void {
    checkShapes.restoreRows(pool, rows, saved, kvBytes(pool.dtype ?? "F32", 1, pool.numCols));
    // Calls that were recorded before still see what was there.
    this.#recorder.submit();
    toGpuRows(pool, saved).forEach((row, i) => {
      const to = 4 * pool.stride * (pool.begin + rows[i]!);
      this.#device.queue.writeBuffer(pool.buffer, to, row);
    });
  }

  softmax(x: GpuActivations): void {
    const params = [x.numRows, x.numCols, x.stride / 4, firstNumber(x) / 4];
    const groups = spreadGroups(x.numRows);
    this.#recorder.dispatch(this.#kernels.softmax, params, [x.buffer], [...groups, 1]);
  }

  attention(input: GpuAttentionInput, out: GpuActivations): void {
    checkShapes.attention(input, out);
    const { slots, headDim, scale } = input;
    const queries = this.#apart(input.queries, out);
    const [keys, values] = [this.#apart(input.keys, out), this.#apart(input.values, out)];
    const numHeads = queries.numCols / headDim;
    const { buffer: indices, at } = this.#recorder.stageIndices(slots);
    const params = [
      ...[queries.numRows, slots.length, headDim, queries.numCols / keys.numCols],
      ...[firstNumber(queries), queries.stride, firstNumber(out), at],
      ...[keys, values].flatMap((pool) => [firstNumber(pool), pool.stride, firstCode(pool)]),
      floatBits(scale),
    ];
    const buffers = [queries.buffer, keys.buffer, values.buffer, indices, out.buffer];
    const groups = [numHeads, queries.numRows, 1] as const;
    const kernel = this.#library.attention(keys.dtype ?? "F32", values.dtype ?? "F32");
    this.#recorder.dispatch(kernel, params, buffers, groups);
  }

  #multiply(x: GpuActivations, W: GpuMatrix, part: MatrixPart, out: GpuActivations): void {
    const { buffer, planes, firstRow, numRows } = part;
    const params = [
      ...[...planes, numRows, W.octetsPerRow, firstNumber(x) / 4, x.stride / 4],
      ...[firstNumber(out) + firstRow, out.stride, x.numRows],
    ];
    const buffers = [buffer, x.buffer, out.buffer];
    const many = x.numRows >= manyRows;
    const groups = many
      ? ([Math.ceil(numRows / tileSize), Math.ceil(x.numRows / tileSize), 1] as const)
      : ([...spreadGroups(Math.ceil(numRows / rowsPerGroup)), x.numRows] as const);
    this.#recorder.dispatch(many ? W.kernels.matmul : W.kernels.matvec, params, buffers, groups);
  }

  /** Records a call with an invocation for each of `count` items. */
  #overItems(
    kernel: ComputeKernel,
    params: readonly number[],
    buffers: readonly GPUBuffer[],
    count: number,
  ): void {
    const groups = spreadGroups(Math.ceil(count / groupSize));
    this.#recorder.dispatch(kernel, params, buffers, [...groups, 1]);
  }

  /** `x`, or a copy where it shares a buffer with what a kernel writes. */
  #apart<Rows extends GpuRows>(x: Rows, written: GpuRows): Rows {
    if (x.buffer !== written.buffer) return x;
    const numBytes = 4 * x.numRows * x.stride;
    const buffer = this.#memory.allocate(numBytes, `A copy of [${x.numRows}, ${x.numCols}]`);
    this.#recorder.copy(x.buffer, 4 * firstNumber(x), buffer, 0, numBytes);
    return { ...x, buffer, begin: 0 };
  }

  /** What `take` makes of so many bytes of the GPU's memory, which `record` copies to a buffer. */
  async #fetch<T>(
    numBytes: number,
    record: (staging: GPUBuffer) => void,
    take: (copy: ArrayBuffer) => T,
  ): Promise<T> {
    if (numBytes === 0) return take(new ArrayBuffer(0));
    const staging = this.#memory.staging(numBytes);
    record(staging);
    this.#recorder.submit();
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch (error) {
      await this.#health.check();
      throw new InputError(
        `The GPU gave no result (${(error as Error).message}); load the model again, or use another device.`,
      );
    }
    await this.#health.check();
    const taken = take(staging.getMappedRange());
    staging.destroy();
    return taken;
  }
}

/** Where rows begin in their buffer, in words, which float32 numbers are. */
function firstNumber({ begin, stride }: GpuRows): number {
  return begin * stride;
}

/** Where a row's codes begin, in words. */
function firstCode({ dtype = "F32", numCols }: GpuRows): number {
  return kvRowLayout(dtype, numCols).codes;
}

function withStride(values: Float32Array, out: GpuActivations): Float32Array<ArrayBuffer> {
  const { numRows, numCols, stride } = out;
  const filled = new Float32Array(numRows * stride);
  for (let row = 0; row < numRows; row++) {
    filled.set(values.subarray(row * numCols, (row + 1) * numCols), row * stride);
  }
  return filled;
}

function withoutStride(filled: Float32Array, x: GpuActivations): Float32Array<ArrayBuffer> {
  const { numRows, numCols, stride } = x;
  const values = new Float32Array(numRows * numCols);
  for (let row = 0; row < numRows; row++) {
    values.set(filled.subarray(row * stride, row * stride + numCols), row * numCols);
  }
  return values;
}
