import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { normal, seededRng } from "../core/rng.ts";
import { describeForwardKernels } from "../kernels/forward-conformance.testing.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { controlWords } from "../kernels/wasm/arena.ts";
import type { StartThread } from "../kernels/wasm/kernel-threads.ts";
import { startWasmForward } from "../kernels/wasm/wasm-forward.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import { rejection, root } from "../testing.ts";
import { forwardBuild, kernelModule } from "./kernel-module.ts";
import { openWasmForward, type WasmForwardRequest } from "./wasm-forward.ts";

/** So small that every matrix lies in another memory than the activations, and a few fill it. */
const tinyArena = 1_600_000;

const variants: readonly (readonly [string, WasmForwardRequest])[] = [
  ["wasm", {}],
  ["wasm on 3 threads", { threads: 3 }],
  ["wasm without relaxed SIMD", { variant: { relaxed: false } }],
  ["wasm in memory of its own", { variant: { shared: false } }],
  ["wasm in many memories", { threads: 2, arenaBytes: tinyArena }],
];

for (const [name, request] of variants) {
  describeForwardKernels(name, () => openWasmForward(request));
}

describe("the wasm forward pass", () => {
  let module: WebAssembly.Module;

  before(async () => {
    const build = forwardBuild({ relaxed: false, shared: true });
    module = await WebAssembly.compile(await kernelModule(build));
  });

  it("gives the same bits on any number of threads, time after time", async () => {
    const [alone, together] = [await openWasmForward(), await openWasmForward({ threads: 3 })];
    try {
      const wanted = await layers(alone, 1);
      const found = await layers(together, 20);
      for (const row of found) expect(row).to.deep.equal(wanted[0]);
    } finally {
      await together.close();
    }
  });

  it("lets the process end, and ends its threads when it is closed", async () => {
    const file = join(root, "src", "tensor", "wasm-forward.ts");
    const source = `import { openWasmForward } from ${JSON.stringify(file)};
      const kernels = await openWasmForward({ threads: 3 });
      await kernels.read(kernels.allocate(1, 1));`;
    const args = ["--import", "tsx/esm", "--input-type=module", "--eval", source];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, timeout: 180_000 });
    expect(status, String(stderr)).to.equal(0);

    const kernels = await openWasmForward({ threads: 2 });
    const x = kernels.allocate(1, 4);
    kernels.add(x, x);
    await kernels.close();
    expect((await rejection(kernels.read(x))).message).to.match(/kernels are closed/);
  });

  it("grows while a thread is being told of its memory", async () => {
    // Where V8 loses the news, a thread traps; it does in about every third of these.
    for (let time = 0; time < 20; time++) {
      const kernels = await openWasmForward({ threads: 2 });
      const pool = kernels.allocateKv(128, 256, "F32");
      const out = kernels.allocate(1, 1);
      try {
        // Each waits for the one before, so that every thread gets some.
        for (let row = 0; row < 100; row++) {
          kernels.copyRows(pool, Int32Array.of(row), Int32Array.of(row + 1));
        }
        await kernels.read(out);
      } finally {
        await kernels.close();
      }
    }
  });

  it("fails at once when a thread fails before the others wait for it", async () => {
    const startThread: StartThread = () =>
      Promise.resolve({
        post: ({ memory, control }) => {
          const words = new Int32Array(memory.buffer, control);
          Atomics.store(words, controlWords.failed, 1);
          Atomics.add(words, controlWords.generation, 1);
        },
        end: () => Promise.resolve(),
      });
    const kernels = await startWasmForward({ module, shared: true, numThreads: 2, startThread });
    const x = kernels.allocate(1, 4);
    kernels.add(x, x);
    expect((await rejection(kernels.read(x))).message).to.match(/stopped: it has failed/);
  }).timeout(10_000);

  it("fails with the reason when a thread has died", async () => {
    let fail: (reason: string) => void = () => undefined;
    const kernels = await startWasmForward({
      module,
      shared: true,
      numThreads: 2,
      startThread: (failed) => {
        fail = failed;
        return Promise.resolve({ post: () => undefined, end: () => Promise.resolve() });
      },
    });
    fail("out of memory");
    const x = kernels.allocate(1, 4);
    kernels.add(x, x);
    expect((await rejection(kernels.read(x))).message).to.match(/stopped: out of memory/);
  });

  it("refuses what it has no memory for", async () => {
    const kernels = await openWasmForward({ arenaBytes: 2 ** 22 });
    expect(() => kernels.allocate(2 ** 20, 2)).to.throw(InputError, /bytes left and 8388608/);
    const bytes = new Uint8Array(2 ** 22);
    const wide = { name: "w", dtype: "F32", numRows: 1024, numCols: 1024, bytes } as const;
    const error = await rejection(kernels.loadMatrix(wide));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/^Tensor "w" takes 4194304 bytes, and one memory/);
  });

  it("refuses numbers of threads that it cannot have", async () => {
    for (const request of [
      { threads: 0 },
      { threads: 65 },
      { threads: 1.5 },
      { threads: 2, variant: { shared: false } },
    ]) {
      expect(await rejection(openWasmForward(request))).to.be.instanceOf(InputError);
    }
  });
});

/** Several programs of products that depend on each other, and what each has left. */
async function layers(kernels: ForwardKernels, numTimes: number): Promise<Float32Array[]> {
  const rng = seededRng(8);
  const random = (length: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length }, () => normal(rng));
  const size = 256;
  const bytes = new Uint8Array(quantizeBlocks("Q8_0", random(size * size)));
  const W = await kernels.loadMatrix({
    name: "w",
    dtype: "Q8_0",
    numRows: size,
    numCols: size,
    bytes,
  });
  const start = random(9 * size);
  const weight = kernels.allocate(1, size);
  kernels.write(random(size), weight);
  const [x, y] = [kernels.allocate(9, size), kernels.allocate(9, size)];
  const results: Float32Array[] = [];
  for (let time = 0; time < numTimes; time++) {
    kernels.write(start, x);
    for (let layer = 0; layer < 10; layer++) {
      kernels.rmsNorm(x, weight, 1e-5, y);
      kernels.matmul(y, W, x);
      kernels.siluMultiply(x, y);
      kernels.add(x, kernels.rows(y, 3, 4));
    }
    results.push(await kernels.read(x));
  }
  return results;
}
