/**
 * The wasm forward pass in Chromium: on threads in a page that may share memory, and alone in one that
 * may not.
 */
import { expect } from "chai";
import { build } from "esbuild";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, chromium } from "playwright-core";
import { chromiumFlags } from "../../../kernel-ext/labextension/chromium.ts";
import { requireChromium } from "../../../kernel-ext/labextension/testing.ts";
import { forwardBuild, kernelModule } from "../../tensor/kernel-module.ts";
import { roundingReferenceForward } from "../reference-forward.ts";
import { everyKernel } from "../webgpu/fixtures/every-kernel.ts";

/** Numbers below 16, each a sum of up to 256 products, rounded at every step. */
const tolerance = 257 * 2 ** -24 * 16;

/** Headers that let a page share memory with its workers. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const page = `
import { startWasmForward } from "./wasm-forward.ts";
import { everyKernel } from "../webgpu/fixtures/every-kernel.ts";
globalThis.computeEveryKernel = async (numThreads) => {
  const module = await WebAssembly.compile(await (await fetch("kernels.wasm")).arrayBuffer());
  const startThread = (failed) => new Promise((resolve) => {
    const worker = new Worker("worker.js");
    worker.onerror = ({ message }) => failed(message);
    worker.onmessage = () => resolve({
      post: (message) => worker.postMessage(message),
      end: async () => worker.terminate(),
    });
  });
  const shared = numThreads > 1;
  const kernels =
    await startWasmForward({ module, shared, numThreads, startThread, maySleep: false });
  const values = await everyKernel(kernels);
  await kernels.close();
  return values;
};`;

const worker = `
import { kernelThread } from "./kernel-thread.js";
const receive = kernelThread();
onmessage = ({ data }) => receive(data);
// Until the page knows that this script has run, it keeps messages back, and it cannot while it computes.
setTimeout(() => postMessage("ready"));`;

describe("wasm in a browser", () => {
  let browser: Browser | undefined;
  let server: Server | undefined;

  afterEach(async () => {
    await browser?.close();
    server?.close();
  });

  for (const numThreads of [1, 3]) {
    it(`computes what the reference computes, on ${numThreads} threads`, async function () {
      const executablePath = requireChromium(this);
      const address = await serve(numThreads > 1);
      browser = await chromium.launch({ executablePath, args: [...chromiumFlags] });
      const tab = await browser.newPage();
      await tab.goto(address);
      const found = await tab.evaluate((threads) => {
        const { computeEveryKernel } = globalThis as unknown as {
          computeEveryKernel: (numThreads: number) => Promise<number[]>;
        };
        return computeEveryKernel(threads);
      }, numThreads);
      const expected = await everyKernel(roundingReferenceForward);
      expect(found).to.have.lengthOf(expected.length);
      const most = Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)));
      expect(most).to.be.below(tolerance);
    });
  }

  async function serve(shared: boolean): Promise<string> {
    const html = `<!doctype html><title>wasm</title><script type="module" src="page.js"></script>`;
    const files = new Map<string, readonly [string, string | Uint8Array]>([
      ["/", ["text/html", html]],
      ["/page.js", ["text/javascript", await bundle(page)]],
      ["/worker.js", ["text/javascript", await bundle(worker)]],
      [
        "/kernels.wasm",
        ["application/wasm", await kernelModule(forwardBuild({ relaxed: false, shared }))],
      ],
    ]);
    server = createServer(({ url }, response) => {
      const [type, body] = files.get(url ?? "") ?? ["text/plain", ""];
      response.writeHead(200, { "Content-Type": type, ...(shared ? isolation : {}) });
      response.end(body);
    });
    await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }
});

/** What runs there; that it bundles for a browser shows that no module of Node is in it. */
async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
  });
  return outputFiles[0]!.text;
}
