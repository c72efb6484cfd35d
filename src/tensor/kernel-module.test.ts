import { expect } from "chai";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { startWasmKernels } from "../kernels/wasm/wasm-kernels.ts";
import { rejection } from "../testing.ts";
import { kernelModule, quantizeBuild } from "./kernel-module.ts";

describe("the compiled kernels", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-kernels-"));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("are compiled once, also when two ask at the same time, and read from then on", async () => {
    const below = join(folder, "kernels");
    const compiled = (): Promise<Uint8Array> => kernelModule(quantizeBuild, below);
    const [one, other] = await Promise.all([compiled(), compiled()]);
    expect(one).to.deep.equal(other);
    const files = readdirSync(below);
    expect(files).to.have.length(1);
    const written = statSync(join(below, files[0]!)).mtimeMs;
    expect(await compiled()).to.deep.equal(one);
    expect(statSync(join(below, files[0]!)).mtimeMs).to.equal(written);
  });

  it("are refused with a sentence where the engine cannot run them", async () => {
    const failure = await rejection(
      startWasmKernels(new Uint8Array([0, 97, 115, 109, 9, 0, 0, 0])),
    );
    expect(failure).to.be.instanceOf(InputError);
    expect(failure.message).to.match(/cannot run the wasm kernels \(.*version.*\)/);
  });
});
