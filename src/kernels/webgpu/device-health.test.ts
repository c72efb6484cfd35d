import { expect } from "chai";
import { InputError } from "../../core/errors.ts";
import { rejection } from "../../testing.ts";
import { DeviceHealth } from "./device-health.ts";
import { GpuMemory } from "./gpu-memory.ts";

/** A device whose error scopes find `errors`, one after the other. */
function fakeDevice(
  errors: readonly (string | undefined)[],
  lost: Promise<GPUDeviceLostInfo>,
): { device: GPUDevice; scopes: string[] } {
  const found = [...errors];
  const scopes: string[] = [];
  const device = {
    lost,
    limits: { maxStorageBufferBindingSize: 1024, maxBufferSize: 4096 },
    pushErrorScope: (kind: string) => scopes.push(kind),
    popErrorScope: () => {
      const message = found.shift();
      return Promise.resolve(message === undefined ? null : { message });
    },
    createBuffer: ({ size, mappedAtCreation }: GPUBufferDescriptor) => {
      if (mappedAtCreation === true && size > 2048) throw new RangeError("too large to map");
      return { size };
    },
  };
  return { device: device as unknown as GPUDevice, scopes };
}

const never = new Promise<GPUDeviceLostInfo>(() => undefined);

describe("the health of a GPU", () => {
  // A browser and Dawn bring these names along.
  before(() => {
    const usage = { STORAGE: 1, COPY_SRC: 2, COPY_DST: 4 };
    if (!("GPUBufferUsage" in globalThis)) Object.assign(globalThis, { GPUBufferUsage: usage });
  });

  it("is told by whoever waits, long after the call", async () => {
    const { device, scopes } = fakeDevice([undefined, "no room.\ndetails"], never);
    const health = new DeviceHealth(device);
    const memory = new GpuMemory(device, health);
    memory.allocate(16, "a little");
    await health.check();
    memory.allocate(1024, "Room for [8, 32]");
    const error = await rejection(health.check());
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.equal(
      "The GPU has no memory for 1024 bytes more (Room for [8, 32]: no room); use a smaller model, a shorter context or another device.",
    );
    expect(scopes).to.deep.equal(["out-of-memory", "out-of-memory"]);
    expect((await rejection(health.check())).message).to.equal(error.message);
  });

  it("says at once where memory cannot be mapped", () => {
    const { device } = fakeDevice([undefined], never);
    const memory = new GpuMemory(device, new DeviceHealth(device));
    expect(() => memory.store(4096, 'tensor "w"', () => undefined)).to.throw(
      InputError,
      /no memory for 4096 bytes more \(tensor "w": too large to map\)/,
    );
  });

  it("ends when the device is lost", async () => {
    const lost = { reason: "unknown", message: "the driver was reset." } as GPUDeviceLostInfo;
    const { device } = fakeDevice([], Promise.resolve(lost));
    const error = await rejection(new DeviceHealth(device).check());
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/^The GPU was lost \(the driver was reset\); load/);
  });
});
