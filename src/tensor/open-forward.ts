/**
 * The choice of kernels for the forward pass: what was asked for or an error, and without a wish the
 * fastest that this machine has.
 */
import { existsSync } from "node:fs";
import { UsageError } from "../core/errors.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { defaultThreads } from "./cpu-cores.ts";
import { openWebGpuForward } from "./open-webgpu-forward.ts";
import { openWasmForward } from "./wasm-forward.ts";
import { findAdapter } from "./webgpu-adapter.ts";

/** What may be asked for; `cpu` is the fastest on the processor, and `webgpu-software` is for tests. */
export const forwardDevices = ["cpu", "wasm", "webgpu", "webgpu-software", "reference"] as const;

export type ForwardDevice = (typeof forwardDevices)[number];

export interface ForwardRequest {
  /** Without it a GPU where there is one, else the processor. */
  readonly device?: ForwardDevice | undefined;
  /** Threads of the processor; without it one for each core, at most 8. */
  readonly threads?: number | undefined;
}

/** Kernels, and what has to be closed when they are no longer needed. */
export interface OpenedForward {
  readonly kernels: ForwardKernels;
  /** Threads that compute. */
  readonly numThreads: number;
  readonly close: () => Promise<void>;
}

/**
 * Opens kernels. Throws InputError where the device that was asked for cannot be had here, UsageError
 * for threads on a device that has none.
 */
export async function openForwardKernels(request: ForwardRequest = {}): Promise<OpenedForward> {
  const device = request.device ?? (await fastestDevice(request));
  switch (device) {
    case "cpu":
    case "wasm": {
      const kernels = await openWasmForward({ threads: request.threads ?? defaultThreads() });
      return { kernels, numThreads: kernels.numThreads, close: () => kernels.close() };
    }
    case "webgpu":
    case "webgpu-software": {
      refuseThreads(device, request);
      const kernels = await openWebGpuForward({ allowSoftware: device === "webgpu-software" });
      return { kernels, numThreads: 1, close: () => kernels.close() };
    }
    case "reference":
      refuseThreads(device, request);
      return { kernels: referenceForward, numThreads: 1, close: () => Promise.resolve() };
  }
}

/** Whoever asks for threads means the processor. */
async function fastestDevice({ threads }: ForwardRequest): Promise<ForwardDevice> {
  if (threads !== undefined || !mayHaveGpu()) return "cpu";
  return (await findAdapter(false)).available ? "webgpu" : "cpu";
}

/** Spares a machine without a GPU the second that asking its drivers takes. */
function mayHaveGpu(): boolean {
  if (process.platform !== "linux") return true;
  return ["/dev/dri", "/dev/nvidia0", "/dev/dxg"].some((device) => existsSync(device));
}

function refuseThreads(device: ForwardDevice, { threads = 1 }: ForwardRequest): void {
  if (threads === 1) return;
  throw new UsageError(
    `${threads} threads were asked for, and the device ${device} does not use them; leave out --threads or choose --device cpu.`,
  );
}
