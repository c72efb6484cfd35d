/** The dense linear algebra of the wasm kernels on Node: the build that its engine runs best. */
import { startWasmDense, type WasmDenseAlgebra } from "../kernels/wasm/wasm-dense.ts";
import { defaultThreads } from "./cpu-cores.ts";
import { denseBuild, kernelModule } from "./kernel-module.ts";
import { hasRelaxedSimd, startThread } from "./wasm-forward.ts";

/** Opens it; the caller closes it, or it ends with the process. `threads` is one a core unless given. */
export async function openWasmDense(threads: number = defaultThreads()): Promise<WasmDenseAlgebra> {
  const build = denseBuild({ relaxed: hasRelaxedSimd(), shared: true });
  const module = await WebAssembly.compile(await kernelModule(build));
  return startWasmDense({ module, shared: true, numThreads: threads, startThread });
}
