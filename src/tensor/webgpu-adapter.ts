/**
 * WebGPU in Node: gives this process the `navigator.gpu` that a browser has, from Dawn (the optional
 * package `webgpu`), and says in plain words what adapter there is or why there is none.
 */

/** The part of the WebGPU interface that is used here. */
interface Gpu {
  requestAdapter(options: { powerPreference: "high-performance" }): Promise<Adapter | null>;
}

interface Adapter {
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly isFallbackAdapter?: boolean;
  };
}

/** Dawn as the package `webgpu` offers it. */
interface Dawn {
  create(options: string[]): Gpu;
  readonly globals: object;
}

/** What WebGPU computes on, or why there is nothing. */
export type AdapterStatus =
  | { readonly available: true; readonly description: string }
  | { readonly available: false; readonly reason: string };

/**
 * Whether `navigator.gpu` gives an adapter. A software adapter (lavapipe, SwiftShader) counts only if
 * `allowSoftware`: it computes on the CPU, slower than the CPU backends do.
 */
export async function findAdapter(allowSoftware: boolean): Promise<AdapterStatus> {
  const gpu = await navigatorGpu();
  if (typeof gpu === "string") return { available: false, reason: gpu };
  // An adapter that cannot be asked for is none.
  const adapter = await gpu
    .requestAdapter({ powerPreference: "high-performance" })
    .catch(() => null);
  if (!adapter) {
    const reason =
      "no GPU was found: WebGPU needs a driver for Vulkan (on Linux also libvulkan1), Metal or Direct3D 12";
    return { available: false, reason };
  }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const name = description || `${vendor} ${architecture}`.trim() || "unnamed GPU";
  if (isFallbackAdapter !== true) return { available: true, description: name };
  if (allowSoftware) return { available: true, description: `software: ${name}` };
  return {
    available: false,
    reason: `the only adapter is software on the CPU (${name}) and slower than wasm; INFINITY_DEVICE=webgpu-software uses it nevertheless`,
  };
}

/** True for the error of importing a package that is not installed. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
}

/** `navigator.gpu`, made from Dawn where there is none yet; or why it cannot be made. */
async function navigatorGpu(): Promise<Gpu | string> {
  const { navigator = {} } = globalThis as { navigator?: { gpu?: Gpu } };
  if (navigator.gpu) return navigator.gpu;
  // Not a literal, so that type checking does not need the optional package.
  const packageName: string = "webgpu";
  try {
    const dawn = (await import(packageName)) as Dawn;
    const gpu = dawn.create([]);
    // tfjs looks for all of this in the global scope. It also keeps Dawn's instance alive: a device
    // whose instance was collected crashes the process.
    Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
    if (!("navigator" in globalThis)) Object.assign(globalThis, { navigator });
    Object.assign(globalThis, dawn.globals);
    return gpu;
  } catch (error) {
    if (isMissing(error)) {
      return "the optional package webgpu is not installed: `npm install` adds it on Linux, macOS and Windows";
    }
    const reason = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    return `Dawn does not load here: ${reason}`;
  }
}
