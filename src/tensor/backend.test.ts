import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { rejection, root } from "../testing.ts";
import { backendNames, chooseBackend, listBackends, type BackendStatus } from "./backend.ts";

describe("tensor backends", () => {
  let statuses: readonly BackendStatus[];
  before(async () => {
    statuses = await listBackends();
  });

  it("are listed best first; wasm and cpu work everywhere, a missing one has its reason", () => {
    expect(statuses.map(({ name }) => name)).to.deep.equal([...backendNames]);
    for (const status of statuses) {
      if (status.name === "wasm" || status.name === "cpu") expect(status.available).to.equal(true);
      if (!status.available) expect(status.reason).to.match(/^\S.{20,}[^.]$/);
    }
  });

  it("are chosen best first, and each that was passed over is named with the reason", async () => {
    const chosen = await chooseBackend({ environment: {} });
    const best = statuses.findIndex(({ available }) => available);
    expect(chosen.name).to.equal(backendNames[best]);
    expect(chosen.tf.getBackend()).to.equal(chosen.name);
    expect(chosen.refused).to.deep.equal(
      statuses.slice(0, best).map(({ name, ...status }) => ({
        name,
        reason: status.available ? "" : status.reason,
      })),
    );
  });

  it("can be asked for by argument and by INFINITY_DEVICE; the argument wins", async () => {
    const cpu = await chooseBackend({ environment: { INFINITY_DEVICE: "cpu" } });
    expect([cpu.name, cpu.tf.getBackend()]).to.deep.equal(["cpu", "cpu"]);
    const environment = { INFINITY_DEVICE: "cpu" };
    const wasm = await chooseBackend({ device: "wasm", environment });
    expect([wasm.name, wasm.tf.getBackend()]).to.deep.equal(["wasm", "wasm"]);
  });

  it("a name that is no device is an error", async () => {
    const error = await rejection(chooseBackend({ environment: { INFINITY_DEVICE: "cuda" } }));
    expect(error).to.be.instanceOf(UsageError);
    expect(error.message).to.match(/"cuda".*tensorflow, webgpu, wasm, cpu, webgpu-software/);
  });

  it("one that was asked for and is missing is an error, with the reason, and nothing else starts", async function () {
    for (const status of statuses.filter(({ available }) => !available)) {
      const { tf } = await chooseBackend({ device: "cpu" });
      const error = await rejection(chooseBackend({ device: status.name }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain(status.available ? "" : status.reason);
      expect(tf.getBackend()).to.equal("cpu");
    }
  });

  it("start without tfjs's advertisement, and let the process end", () => {
    const module = join(root, "src", "tensor", "backend.ts");
    const program = `
      const { chooseBackend } = await import(${JSON.stringify(module)});
      const { tf } = await chooseBackend({ device: "cpu" });
      console.log(tf.tensor1d([1, 2]).sum().dataSync()[0]);`;
    const args = ["--import", "tsx", "--input-type=module", "--eval", program];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: "utf8",
      timeout: 180_000,
    });
    expect([stdout, stderr, status]).to.deep.equal(["3\n", "", 0]);
  });
});
