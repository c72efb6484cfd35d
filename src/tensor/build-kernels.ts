/** Compiles the wasm kernels for set-up: `node --import tsx src/tensor/build-kernels.ts`. */
import { kernelModule } from "./kernel-module.ts";

// No `await` here: notebooks load every module of src as CommonJS. A failure still ends with 1.
void kernelModule();
