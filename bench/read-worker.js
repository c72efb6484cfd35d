/** A thread of read-bandwidth.ts: reads its own memory whenever it is told to, and says when it is done. */
import { parentPort, workerData } from "node:worker_threads";

const { module, numBytes } = workerData;
const memory = new WebAssembly.Memory({ initial: numBytes / 65536 });
const { readMemory } = new WebAssembly.Instance(module, { env: { memory } }).exports;
// Pages that nobody has written are one page of zeros, which never leaves the cache.
new Float64Array(memory.buffer).fill(1);
parentPort.on("message", () => {
  readMemory(0, numBytes);
  parentPort.postMessage("done");
});
parentPort.postMessage("ready");
