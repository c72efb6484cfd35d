/** Buffers on the GPU: within its limits, or an error that says which limit. */
import { InputError } from "../../core/errors.ts";
import type { DeviceHealth } from "./device-health.ts";

export class GpuMemory {
  /** The most bytes that a kernel can reach in one buffer. */
  readonly maxBytes: number;
  readonly #device: GPUDevice;
  readonly #health: DeviceHealth;

  /** `maxBytes` lowers the device's own limit. */
  constructor(device: GPUDevice, health: DeviceHealth, maxBytes: number = Infinity) {
    this.#device = device;
    this.#health = health;
    const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
    this.maxBytes = Math.min(maxBytes, maxStorageBufferBindingSize, maxBufferSize);
  }

  /** A buffer of zeros that kernels write. Throws InputError beyond the limit; `what` is for messages. */
  allocate(numBytes: number, what: string): GPUBuffer {
    if (!(numBytes <= this.maxBytes)) {
      throw new InputError(
        `${what} takes ${numBytes} bytes, and this GPU reaches ${this.maxBytes} at once; use a shorter context, a smaller batch or another device.`,
      );
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return this.#create(numBytes, what, { size: Math.max(numBytes, 16), usage });
  }

  /** A buffer that kernels read, with what `fill` writes into zeros. Throws InputError without memory. */
  store(numBytes: number, what: string, fill: (bytes: ArrayBuffer) => void): GPUBuffer {
    const buffer = this.#create(numBytes, what, {
      size: numBytes,
      usage: GPUBufferUsage.STORAGE,
      mappedAtCreation: true,
    });
    fill(buffer.getMappedRange());
    buffer.unmap();
    return buffer;
  }

  /** A buffer that results are copied to and read from. */
  staging(numBytes: number): GPUBuffer {
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    return this.#create(numBytes, "A result", { size: numBytes, usage });
  }

  #create(numBytes: number, what: string, descriptor: GPUBufferDescriptor): GPUBuffer {
    const outOfMemory = (message: string): InputError =>
      new InputError(
        `The GPU has no memory for ${numBytes} bytes more (${what}: ${message}); use a smaller model, a shorter context or another device.`,
      );
    return this.#health.watch("out-of-memory", outOfMemory, () => {
      try {
        return this.#device.createBuffer(descriptor);
      } catch (error) {
        // What is mapped at once is refused at once.
        throw error instanceof RangeError ? outOfMemory(error.message) : error;
      }
    });
  }
}
