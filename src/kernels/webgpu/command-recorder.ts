/**
 * Calls of kernels, recorded and given to the GPU many at a time. The parameters and the row numbers of
 * all of them travel in one buffer each.
 */
import type { DeviceHealth } from "./device-health.ts";
import { paramsBytes, type ComputeKernel } from "./compute-kernel.ts";

/** Calls that go to the GPU together, unasked: it computes these while the next are recorded. */
const maxCalls = 128;

/** Row numbers that there is room for at first. */
const firstIndices = 65_536;

/** WebGPU's limit in each dimension. */
const maxGroups = 65_535;

/** The bits of `x` as float32, among parameters that are whole numbers. */
export function floatBits(x: number): number {
  return new Uint32Array(Float32Array.of(x).buffer)[0]!;
}

interface StagedIndices {
  readonly values: Int32Array;
  readonly at: number;
}

export class CommandRecorder {
  readonly #device: GPUDevice;
  readonly #health: DeviceHealth;
  readonly #params: GPUBuffer;
  readonly #paramsHost = new Uint32Array((maxCalls * paramsBytes) / 4);
  #indices: GPUBuffer;
  #indicesHost = new Int32Array(firstIndices);
  #staged: StagedIndices[] = [];
  #numIndices = 0;
  #numCalls = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;

  constructor(device: GPUDevice, health: DeviceHealth) {
    this.#device = device;
    this.#health = health;
    this.#params = device.createBuffer({
      size: this.#paramsHost.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    this.#indices = this.#indexBuffer(firstIndices);
  }

  /** Row numbers for the next call, and where they begin in their buffer. */
  stageIndices(values: Int32Array): { readonly buffer: GPUBuffer; readonly at: number } {
    const known = this.#staged.find((staged) => sameValues(staged.values, values));
    if (known && this.#numCalls < maxCalls) return { buffer: this.#indices, at: known.at };
    // Room for the call's parameters as well: to submit between the two would give its numbers away.
    if (
      this.#numCalls === maxCalls ||
      this.#numIndices + values.length > this.#indicesHost.length
    ) {
      this.submit();
      this.#growIndices(values.length);
    }
    const at = this.#numIndices;
    this.#indicesHost.set(values, at);
    this.#numIndices += values.length;
    this.#staged.push({ values: this.#indicesHost.subarray(at, this.#numIndices), at });
    return { buffer: this.#indices, at };
  }

  /**
   * Records a call of so many workgroups: `params` are whole numbers of 32 bits, and `buffers` in the
   * order of the kernel's bindings.
   */
  dispatch(
    kernel: ComputeKernel,
    params: readonly number[],
    buffers: readonly GPUBuffer[],
    numGroups: readonly [x: number, y: number, z: number],
  ): void {
    if (numGroups.includes(0)) return;
    if (this.#numCalls === maxCalls) this.submit();
    const offset = this.#numCalls * paramsBytes;
    this.#paramsHost.set(params, offset / 4);
    this.#numCalls++;
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    this.#pass.setPipeline(kernel.pipeline);
    this.#pass.setBindGroup(0, kernel.bindGroup(this.#params, buffers), [offset]);
    this.#pass.dispatchWorkgroups(...numGroups);
  }

  /** Records a copy; offsets and length in bytes. */
  copy(from: GPUBuffer, fromAt: number, to: GPUBuffer, toAt: number, numBytes: number): void {
    this.#endPass();
    this.#encoder ??= this.#device.createCommandEncoder();
    this.#encoder.copyBufferToBuffer(from, fromAt, to, toAt, numBytes);
  }

  /** Gives what is recorded to the GPU. */
  submit(): void {
    this.#endPass();
    if (this.#encoder) this.#submit(this.#encoder);
    this.#encoder = undefined;
    this.#staged = [];
    this.#numIndices = this.#numCalls = 0;
  }

  #submit(encoder: GPUCommandEncoder): void {
    const { queue } = this.#device;
    queue.writeBuffer(this.#params, 0, this.#paramsHost, 0, (this.#numCalls * paramsBytes) / 4);
    queue.writeBuffer(this.#indices, 0, this.#indicesHost, 0, this.#numIndices);
    const defect = (message: string): Error => new Error(`WebGPU refused a command: ${message}`);
    this.#health.watch("validation", defect, () => {
      queue.submit([encoder.finish()]);
    });
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  /** What was given to the GPU keeps the buffer that it names. */
  #growIndices(needed: number): void {
    if (needed <= this.#indicesHost.length) return;
    this.#indicesHost = new Int32Array(2 * needed);
    this.#indices = this.#indexBuffer(2 * needed);
  }

  #indexBuffer(numIndices: number): GPUBuffer {
    return this.#device.createBuffer({
      size: 4 * numIndices,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
  }
}

/** `count` workgroups as the sizes of two dimensions, neither beyond WebGPU's limit. */
export function spreadGroups(count: number): [x: number, y: number] {
  const y = Math.ceil(count / maxGroups);
  return [y === 0 ? 0 : Math.ceil(count / y), y];
}

function sameValues(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
