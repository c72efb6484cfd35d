import { expect } from "chai";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { join } from "node:path";
import { z } from "zod";
import { notRun, root } from "../testing.ts";

const version = z.string().regex(/^\d+(\.\d+)+/);
const speed = z.number().positive();

/** The report as a reader in another language would check it: these names are a promise. */
const reportSchema = z.strictObject({
  versions: z.strictObject({
    node: version,
    npm: version.nullable(),
    python: version.nullable(),
    jupyterlab: version.nullable(),
    tslab: version,
    tfjs: version,
    typescript: version,
    chromium: version.nullable(),
  }),
  kernel: z.strictObject({ path: z.string().nullable() }),
  machine: z.strictObject({
    platform: z.string(),
    cpu: z.string(),
    cores: z.int().positive(),
    memoryBytes: z.int().positive(),
    freeMemoryBytes: z.int().positive(),
    copyGbPerSecond: speed,
  }),
  backends: z.array(
    z.discriminatedUnion("available", [
      z.strictObject({
        name: z.enum(["tensorflow", "webgpu", "wasm", "cpu"]),
        available: z.literal(true),
        device: z.string(),
        gflops: speed,
        matrixSize: z.int(),
        gbPerSecond: speed,
      }),
      z.strictObject({
        name: z.enum(["tensorflow", "webgpu"]),
        available: z.literal(false),
        reason: z.string().min(20),
      }),
    ]),
  ),
  chosen: z.enum(["tensorflow", "webgpu", "wasm", "cpu"]).nullable(),
  next: z.array(z.string()),
});

function doctor(args: readonly string[], env: NodeJS.ProcessEnv): SpawnSyncReturns<string> {
  const program = join(root, "src", "cli", "infinity.js");
  return spawnSync(process.execPath, [program, "doctor", ...args], {
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout: 180_000,
  });
}

describe("infinity doctor", () => {
  /** Where Vulkan's loader looks for drivers: without any there is no GPU on Linux. */
  const noDrivers = { VK_DRIVER_FILES: "/nonexistent", VK_ICD_FILENAMES: "/nonexistent" };

  it("prints a report for machines, whatever is missing", () => {
    const { stdout, status } = doctor(["--json"], { INFINITY_DEVICE: "" });
    expect(status).to.equal(0);
    const report = reportSchema.parse(JSON.parse(stdout));
    const names = report.backends.map(({ name }) => name);
    expect(names).to.deep.equal(["tensorflow", "webgpu", "wasm", "cpu"]);
    expect(report.chosen).to.equal(report.backends.find(({ available }) => available)!.name);
    for (const backend of report.backends) {
      const steps = report.next.filter((step) => step.startsWith(`For ${backend.name}: `));
      expect(steps).to.have.length(backend.available ? 0 : 1);
    }
  });

  it("prints a table for people, and what to do about a device that is not there", function () {
    if (process.platform !== "linux") notRun(this, "only on Linux can a test hide the GPU");
    const { stdout, status } = doctor([], { ...noDrivers, INFINITY_DEVICE: "webgpu" });
    expect(status).to.equal(0);
    expect(stdout).to.match(/^ {3}webgpu +– +– {2}not available$/m);
    expect(stdout).to.match(/^ {3}wasm +[\d.e+]+ +[\d.]+ {2}CPU$/m);
    expect(stdout).to.match(
      /^- INFINITY_DEVICE asks for webgpu, which is not available: unset it/m,
    );
    expect(stdout).to.match(/^- For webgpu: no GPU was found: WebGPU needs a driver/m);
  });

  it("refuses a backend that there is none of", () => {
    const { stderr, status } = doctor(["--backend", "cuda"], {});
    expect(status).to.equal(2);
    expect(stderr).to.match(/cuda.*tensorflow, webgpu, wasm, cpu/s);
  });
});
