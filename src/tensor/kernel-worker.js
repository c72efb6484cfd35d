/** A thread of the wasm kernels on Node; plain JavaScript, so that it starts without a transpiler. */
import { parentPort } from "node:worker_threads";
import { kernelThread } from "../kernels/wasm/kernel-thread.js";

parentPort.on("message", kernelThread());
// Until here the loading of modules may need the thread that started this one.
parentPort.postMessage("ready");
