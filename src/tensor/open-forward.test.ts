import { expect } from "chai";
import { availableParallelism } from "node:os";
import { InputError, UsageError } from "../core/errors.ts";
import { notRunOutsideCi, rejection } from "../testing.ts";
import { defaultThreads } from "./cpu-cores.ts";
import { openForwardKernels } from "./open-forward.ts";
import { findAdapter } from "./webgpu-adapter.ts";

describe("openForwardKernels", () => {
  it("opens the reference kernels", async () => {
    const { kernels, numThreads, close } = await openForwardKernels({ device: "reference" });
    await close();
    expect([kernels.name, numThreads]).to.deep.equal(["reference", 1]);
  });

  for (const device of ["cpu", "wasm"] as const) {
    it(`opens the wasm kernels for ${device}, with a thread for each core`, async () => {
      const { kernels, numThreads, close } = await openForwardKernels({ device });
      await close();
      expect([kernels.name, numThreads]).to.deep.equal(["wasm", defaultThreads()]);
    });
  }

  it("opens as many threads as were asked for, and takes that for the processor", async () => {
    const { kernels, numThreads, close } = await openForwardKernels({ threads: 2 });
    await close();
    expect([kernels.name, numThreads]).to.deep.equal(["wasm", 2]);
  });

  it("opens a GPU or else the processor where nothing was asked for", async () => {
    const { kernels, close } = await openForwardKernels();
    await close();
    expect(kernels.name).to.be.oneOf(["webgpu", "wasm"]);
  });

  it("opens WebGPU on software only where that was asked for", async function () {
    const status = await findAdapter(true);
    if (!status.available) return notRunOutsideCi(this, status.reason);
    const { kernels, numThreads, close } = await openForwardKernels({ device: "webgpu-software" });
    await close();
    expect([kernels.name, numThreads]).to.deep.equal(["webgpu", 1]);
    if (!status.description.startsWith("software")) return undefined;
    const error = await rejection(openForwardKernels({ device: "webgpu" }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/^WebGPU is not available: the only adapter is software/);
    return undefined;
  });

  for (const device of ["reference", "webgpu", "webgpu-software"] as const) {
    it(`refuses threads for ${device}`, async () => {
      const error = await rejection(openForwardKernels({ device, threads: 2 }));
      expect(error).to.be.instanceOf(UsageError);
      expect(error.message).to.match(/2 threads were asked for.*choose --device cpu/);
    });
  }

  it("refuses more threads than there can be", async () => {
    const error = await rejection(openForwardKernels({ device: "cpu", threads: 1000 }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/1000 threads were asked for; the wasm kernels run on 1 to 64/);
  });

  it("gives threads to cores and not to their halves", () => {
    expect(defaultThreads()).to.be.within(1, Math.min(8, availableParallelism()));
  });
});
