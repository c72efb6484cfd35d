/**
 * Our engine beside llama.cpp compiled to wasm (wllama) in headless Chromium, on the same files: rounds
 * alternate between the two, every measurement in a fresh browser; medians, ratios ours to theirs.
 *
 *     make bench-browser ARGS="--smoke"
 */
import { build } from "esbuild";
import { once } from "node:events";
import { createReadStream, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { chromiumFlags, findChromium } from "../kernel-ext/labextension/chromium.ts";
import { InputError } from "../src/core/errors.ts";
import { forwardBuild, kernelModule } from "../src/tensor/kernel-module.ts";
import type { PageAnswer, PageRequest } from "./page/request.ts";
import {
  makeRandomModel,
  shape15M,
  shape1B,
  shapeSmall,
  type RandomShape,
} from "./random-model.ts";
import { median, printTable, saveResult } from "./result.ts";

const { values } = parseArgs({
  options: {
    smoke: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    repeat: { type: "string", default: "3" },
    threads: { type: "string", default: "1,2" },
  },
});
const numRounds = values.smoke ? 1 : Number(values.rounds);
const repeat = values.smoke ? 1 : Number(values.repeat);
const threadCounts = values.threads.split(",").map(Number);
const modelFolder = join(import.meta.dirname, "build");
const folder = join(modelFolder, "page");
const wllamaFolder = join(import.meta.dirname, "node_modules", "@wllama", "wllama", "esm");

/** Prompt and text tokens are fewer for the large model: llama.cpp takes seconds for each here. */
const wanted: readonly (readonly [RandomShape, string, number, number])[] = values.smoke
  ? [[shapeSmall, "q8_0", 32, 8]]
  : [
      [shape15M, "q8_0", 128, 32],
      [shape15M, "f16", 128, 32],
      [shape1B, "q4_0", 16, 4],
    ];

const executablePath = findChromium();
if (executablePath === undefined) {
  throw new InputError("No Chromium was found: install it, or name one in the variable CHROMIUM.");
}
await prepare();
const server = await serve();
const { port } = server.address() as AddressInfo;
const figures: object[] = [];
for (const [shape, recipe, promptTokens, genTokens] of wanted) {
  const name = `${shape.name}-${recipe}.gguf`;
  await makeRandomModel(join(modelFolder, name), shape, recipe);
  for (const threads of threadCounts) {
    const sizes = { promptTokens, genTokens, vocabSize: shape.vocabSize };
    figures.push(await compare({ ...sizes, modelUrl: name, threads }));
  }
}
server.closeAllConnections();
server.close();
printTable(figures);
if (values.smoke) console.log("this was a part, so nothing was written");
else saveResult("browser", { rounds: numRounds, repeat, figures });

async function compare(
  model: Pick<PageRequest, "modelUrl" | "threads" | "promptTokens" | "genTokens" | "vocabSize">,
): Promise<object> {
  const answers: Record<PageRequest["engine"], PageAnswer[]> = { ours: [], wllama: [] };
  for (let round = 0; round < numRounds; round++) {
    const engines = ["ours", "wllama"] as const;
    for (const engine of round % 2 === 0 ? engines : engines.toReversed()) {
      const request = { ...model, engine, kernelsUrl: "kernels.wasm", repeat, seed: round };
      answers[engine].push(await measureInPage(request));
    }
  }
  const of = (engine: PageRequest["engine"], figure: "prefill" | "decode"): number =>
    median(answers[engine].map((answer) => median(answer[figure])));
  const loadMs = (engine: PageRequest["engine"]): number =>
    median(answers[engine].map((answer) => answer.loadMs));
  return {
    model: model.modelUrl,
    threads: model.threads,
    prefill: of("ours", "prefill"),
    decode: of("ours", "decode"),
    loadMs: loadMs("ours"),
    wllamaPrefill: of("wllama", "prefill"),
    wllamaDecode: of("wllama", "decode"),
    wllamaLoadMs: loadMs("wllama"),
    prefillRatio: of("ours", "prefill") / of("wllama", "prefill"),
    decodeRatio: of("ours", "decode") / of("wllama", "decode"),
  };
}

async function measureInPage(request: PageRequest): Promise<PageAnswer> {
  const browser = await chromium.launch({
    executablePath: executablePath!,
    args: [...chromiumFlags],
  });
  try {
    const page = await browser.newPage();
    page.on("pageerror", (error) => {
      console.error(error.message);
    });
    await page.goto(`http://127.0.0.1:${port}/index.html`);
    return await page.evaluate(
      (asked) =>
        (globalThis as unknown as { measure(asked: PageRequest): Promise<PageAnswer> }).measure(
          asked,
        ),
      request,
    );
  } finally {
    await browser.close();
  }
}

/** Everything that the page loads, in one folder. */
async function prepare(): Promise<void> {
  if (!existsSync(wllamaFolder)) {
    throw new InputError("@wllama/wllama is not installed: `make bench-browser` installs it.");
  }
  mkdirSync(folder, { recursive: true });
  const entries = ["page.ts", "engine-worker.ts", "kernel-thread.js"];
  const wllama = join(wllamaFolder, "index.js");
  await build({
    entryPoints: entries.map((name) => join(import.meta.dirname, "page", name)),
    ...{ bundle: true, format: "iife", outdir: folder, logLevel: "error" },
  });
  await build({
    stdin: {
      contents: `import { Wllama } from ${JSON.stringify(wllama)};
        globalThis.createWllama = (url) => new Wllama({ default: url }, { suppressNativeLog: true });`,
      resolveDir: import.meta.dirname,
    },
    ...{ bundle: true, format: "iife", outfile: join(folder, "wllama.js"), logLevel: "error" },
  });
  writeFileSync(
    join(folder, "kernels.wasm"),
    await kernelModule(forwardBuild({ relaxed: true, shared: true })),
  );
  writeFileSync(
    join(folder, "index.html"),
    '<!doctype html><meta charset="utf-8"><script src="wllama.js"></script><script src="page.js"></script>',
  );
}

function folderOf(name: string): string {
  if (name === "wllama.wasm") return join(wllamaFolder, "wasm");
  return name.endsWith(".gguf") ? modelFolder : folder;
}

/** Isolated from other origins, as shared memory asks for. */
async function serve(): Promise<Server> {
  const types: Readonly<Record<string, string>> = {
    ...{ html: "text/html", js: "text/javascript", wasm: "application/wasm" },
  };
  const found = createServer((request, response) => {
    const name = (request.url ?? "/").slice(1).split("?")[0]!;
    const file = join(folderOf(name), name);
    if (!/^[\w.-]+$/.test(name) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "content-type": types[name.split(".").at(-1)!] ?? "application/octet-stream",
      "content-length": statSync(file).size,
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    createReadStream(file).pipe(response);
  }).listen(0, "127.0.0.1");
  await once(found, "listening");
  return found;
}
