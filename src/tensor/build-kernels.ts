/** Compiles the wasm kernels for set-up: `node --import tsx src/tensor/build-kernels.ts`. */
import { forwardBuild, kernelModule, quantizeBuild } from "./kernel-module.ts";
import { hasRelaxedSimd } from "./wasm-forward.ts";

// No `await` here: notebooks load every module of src as CommonJS. A failure still ends with 1.
void kernelModule(quantizeBuild);
void kernelModule(forwardBuild({ relaxed: hasRelaxedSimd(), shared: true }));
