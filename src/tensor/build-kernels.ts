/** Compiles the wasm kernels for set-up: `node --import tsx src/tensor/build-kernels.ts`. */
import { kernelModule } from "./kernel-module.ts";

await kernelModule();
