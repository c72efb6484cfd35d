/** A thread of the wasm kernels in a browser. */
import { kernelThread } from "../../src/kernels/wasm/kernel-thread.js";

const receive = kernelThread();
addEventListener("message", ({ data }) => receive(data));
// Until whoever started this knows that it runs, its messages are kept back, and it sleeps soon.
setTimeout(() => postMessage("ready"));
