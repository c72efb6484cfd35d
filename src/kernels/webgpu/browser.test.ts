/** The WebGPU kernels in Chromium, on its software adapter: every kernel once, beside the reference. */
import { expect } from "chai";
import { build } from "esbuild";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium } from "playwright-core";
import { chromiumFlags } from "../../../kernel-ext/labextension/chromium.ts";
import { requireChromium } from "../../../kernel-ext/labextension/testing.ts";
import { readShaders } from "../../tensor/open-webgpu-forward.ts";
import { notRunOutsideCi } from "../../testing.ts";
import { referenceForward } from "../reference-forward.ts";
import { everyKernel } from "./fixtures/every-kernel.ts";
import type { ShaderSources } from "./shader-sources.ts";

/** Without a GPU Chromium computes WebGPU on the CPU, where it is asked to. */
const webGpuFlags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

/** Numbers below 16, each a sum of up to 256 products, rounded at every step. */
const tolerance = 257 * 2 ** -24 * 16;

const page = `
import { startWebGpuForward, webGpuDeviceDescriptor } from "./webgpu-forward.ts";
import { everyKernel } from "./fixtures/every-kernel.ts";
globalThis.computeEveryKernel = async (shaders) => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return undefined;
  const device = await adapter.requestDevice(webGpuDeviceDescriptor(adapter));
  return everyKernel(await startWebGpuForward(device, shaders));
};`;

describe("webgpu in a browser", () => {
  let server: Server | undefined;
  let browser: Browser | undefined;

  after(async () => {
    await browser?.close();
    server?.close();
  });

  it("computes what the reference computes", async function () {
    const executablePath = requireChromium(this);
    const address = await serve(await bundle());
    browser = await chromium.launch({ executablePath, args: [...chromiumFlags, ...webGpuFlags] });
    const tab = await browser.newPage();
    await tab.goto(address);
    const found = await tab.evaluate(
      (shaders) => {
        const { computeEveryKernel } = globalThis as unknown as {
          computeEveryKernel: (shaders: ShaderSources) => Promise<number[] | undefined>;
        };
        return computeEveryKernel(shaders);
      },
      await readShaders(),
    );
    if (!found) return notRunOutsideCi(this, "this Chromium has no software adapter for WebGPU");
    const expected = await everyKernel(referenceForward);
    expect(found).to.have.lengthOf(expected.length);
    const most = Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)));
    expect(most).to.be.below(tolerance);
  });

  /** On loopback, because a page has WebGPU only where it counts as secure. */
  async function serve(script: string): Promise<string> {
    server = createServer((_, response) => {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(`<!doctype html><title>WebGPU</title><script type="module">${script}</script>`);
    });
    await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }
});

/** What runs in the page; that it bundles for a browser shows that no module of Node is in it. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: page, resolveDir: import.meta.dirname, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  return outputFiles[0]!.text;
}
