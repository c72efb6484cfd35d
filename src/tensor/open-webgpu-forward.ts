/** The kernels of the forward pass on this machine's GPU, by Node's WebGPU: Dawn, from the package `webgpu`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { shaderNames, type ShaderSources } from "../kernels/webgpu/shader-sources.ts";
import {
  startWebGpuForward,
  webGpuDeviceDescriptor,
  type WebGpuOptions,
} from "../kernels/webgpu/webgpu-forward.ts";
import { findAdapter } from "./webgpu-adapter.ts";

const shaderFolder = join(import.meta.dirname, "..", "kernels", "webgpu", "shaders");

export interface OpenWebGpuOptions extends WebGpuOptions {
  /** Whether a GPU that is only software on the CPU will do. */
  readonly allowSoftware: boolean;
}

/** Kernels with a device of their own. */
export interface OpenedWebGpu extends ForwardKernels {
  /** What they compute on. */
  readonly adapter: string;
  /** Gives the device back; nothing that was made on it may be used after that. */
  close(): Promise<void>;
}

/** Throws InputError, with the reason, where there is no adapter that will do. */
export async function openWebGpuForward({
  allowSoftware,
  ...options
}: OpenWebGpuOptions): Promise<OpenedWebGpu> {
  const { device, description } = await openGpuDevice(allowSoftware);
  const kernels = await startWebGpuForward(device, await readShaders(), options);
  const close = async (): Promise<void> => {
    device.destroy();
    await device.lost;
  };
  return Object.assign(kernels, { adapter: description, close });
}

/** The text of every shader. */
export async function readShaders(): Promise<ShaderSources> {
  const texts = await Promise.all(
    shaderNames.map(
      async (name) => [name, await readFile(join(shaderFolder, `${name}.wgsl`), "utf8")] as const,
    ),
  );
  return Object.fromEntries(texts) as ShaderSources;
}

/** A device of this machine's GPU, as the kernels need it. Throws InputError where there is none. */
export async function openGpuDevice(
  allowSoftware: boolean,
): Promise<{ readonly device: GPUDevice; readonly description: string }> {
  const status = await findAdapter(allowSoftware);
  if (!status.available) throw new InputError(`WebGPU is not available: ${status.reason}.`);
  const { gpu } = (globalThis as unknown as { navigator: { gpu: GPU } }).navigator;
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new InputError("WebGPU is not available: the GPU is gone; try again.");
  const device = await adapter.requestDevice(webGpuDeviceDescriptor(adapter));
  return { device, description: status.description };
}
