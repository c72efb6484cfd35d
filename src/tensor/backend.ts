/**
 * Which tfjs backend does the work: TensorFlow's own library (with CUDA where there is a GPU), then
 * WebGPU, then WebAssembly, then plain JavaScript. A backend that is passed over is named with the
 * reason; one that was asked for and is missing is an error, never a slower answer in silence.
 */
import nodeUtil from "node:util";
import { InputError, UsageError } from "../core/errors.ts";
import { findAdapter, isMissing } from "./webgpu-adapter.ts";

/** tfjs's whole interface. */
export type Tfjs = typeof import("@tensorflow/tfjs");

/** tfjs's names of the backends, best first. */
export const backendNames = ["tensorflow", "webgpu", "wasm", "cpu"] as const;

export type BackendName = (typeof backendNames)[number];

/** What INFINITY_DEVICE may say; `webgpu-software` is WebGPU on an adapter that is no GPU. */
export const deviceNames = ["tensorflow", "webgpu", "wasm", "cpu", "webgpu-software"] as const;

export type DeviceName = (typeof deviceNames)[number];

/** A backend that was passed over, and why. */
export interface RefusedBackend {
  readonly name: BackendName;
  readonly reason: string;
}

/** The backend that tfjs now uses. */
export interface ChosenBackend {
  readonly name: BackendName;
  /** What it computes on, for people. */
  readonly device: string;
  readonly tf: Tfjs;
  readonly refused: readonly RefusedBackend[];
}

/** A backend that works here, or one that does not. */
export type BackendStatus =
  | { readonly name: BackendName; readonly available: true; readonly device: string }
  | { readonly name: BackendName; readonly available: false; readonly reason: string };

export interface BackendRequest {
  /** The one to use; without it INFINITY_DEVICE, and without that the best there is. */
  readonly device?: DeviceName | undefined;
  /** What INFINITY_DEVICE is read from. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts a backend and makes it tfjs's current one. Throws UsageError where INFINITY_DEVICE is no
 * device, InputError where the one that was asked for is not available.
 */
export async function chooseBackend(request: BackendRequest = {}): Promise<ChosenBackend> {
  const wanted = request.device ?? deviceOfEnvironment(request.environment ?? process.env);
  const tf = await loadTfjs();
  if (wanted !== undefined) {
    const status = await start(tf, wanted);
    if (status.available) return { name: status.name, device: status.device, tf, refused: [] };
    throw new InputError(
      `The device ${wanted} was asked for and is not available: ${status.reason}.`,
    );
  }
  const refused: RefusedBackend[] = [];
  for (const name of backendNames) {
    const status = await start(tf, name);
    if (status.available) return { name, device: status.device, tf, refused };
    refused.push({ name, reason: status.reason });
  }
  throw new Error("tfjs could not start its plain JavaScript backend.");
}

/** Tries every backend, best first; the last that works remains tfjs's current one. */
export async function listBackends(): Promise<readonly BackendStatus[]> {
  const tf = await loadTfjs();
  const statuses: BackendStatus[] = [];
  for (const name of backendNames) statuses.push(await start(tf, name));
  return statuses;
}

/** True for a name that INFINITY_DEVICE may have. */
export function isDeviceName(name: string): name is DeviceName {
  return (deviceNames as readonly string[]).includes(name);
}

function deviceOfEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): DeviceName | undefined {
  const name = environment["INFINITY_DEVICE"];
  if (!name) return undefined;
  if (isDeviceName(name)) return name;
  throw new UsageError(
    `INFINITY_DEVICE is "${name}", which is no device: it may be ${deviceNames.join(", ")}.`,
  );
}

/** tfjs without the advertisement that it prints in Node. */
async function loadTfjs(): Promise<Tfjs> {
  const tf = await import("@tensorflow/tfjs");
  tf.enableProdMode();
  return tf;
}

async function start(tf: Tfjs, device: DeviceName): Promise<BackendStatus> {
  const name = device === "webgpu-software" ? "webgpu" : device;
  const refuse = (reason: string): BackendStatus => ({ name, available: false, reason });
  switch (device) {
    case "tensorflow": {
      const refusal = await loadTensorflow();
      if (refusal !== undefined) return refuse(refusal);
      break;
    }
    case "webgpu":
    case "webgpu-software": {
      const adapter = await findAdapter(device === "webgpu-software");
      if (!adapter.available) return refuse(adapter.reason);
      // Registers itself, because there is a navigator.gpu now.
      await import("@tensorflow/tfjs-backend-webgpu");
      return activate(tf, name, adapter.description);
    }
    case "wasm":
      await import("@tensorflow/tfjs-backend-wasm");
      break;
    case "cpu":
      break;
  }
  return activate(tf, name, name === "tensorflow" ? tensorflowDevice(tf) : "CPU");
}

async function activate(tf: Tfjs, name: BackendName, device: string): Promise<BackendStatus> {
  if (await tf.setBackend(name)) return { name, available: true, device };
  return { name, available: false, reason: `it does not start: ${await failureOf(tf, name)}` };
}

/** tfjs reports that a backend failed, and not how: starting it once more shows the error. */
async function failureOf(tf: Tfjs, name: BackendName): Promise<string> {
  try {
    await tf.findBackendFactory(name)();
    return "tfjs gives no reason";
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0]! : String(error);
  }
}

/** Loads TensorFlow's binding, which registers itself; or says why it cannot. */
async function loadTensorflow(): Promise<string | undefined> {
  // tfjs-node 4.22 calls what Node 23 removed.
  const legacy = nodeUtil as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  // TensorFlow reports every library that it looks for; 2 leaves the errors.
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2";
  // Not a literal, so that type checking does not need the optional package.
  const packageName: string = "@tensorflow/tfjs-node-gpu";
  try {
    await import(packageName);
    return undefined;
  } catch (error) {
    if (isMissing(error)) {
      return "TensorFlow's library is not installed: `npx infinity setup --tensorflow` fetches it";
    }
    const reason = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    return `TensorFlow's library does not load here: ${reason}`;
  }
}

function tensorflowDevice(tf: Tfjs): string {
  const backend = tf.findBackend("tensorflow") as { isUsingGpuDevice?: boolean } | null;
  return backend?.isUsingGpuDevice === true ? "NVIDIA GPU (CUDA)" : "CPU";
}
