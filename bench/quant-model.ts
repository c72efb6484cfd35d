/**
 * GPTQ of a model of 1.1 billion weights from its file to a file, in a process of its own whose memory is
 * watched.
 *
 *     make bench-quant-model                     all 22 layers, half an hour on a small machine
 *     make bench-quant-model ARGS="--layers 1"   as many as are asked for
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeRandomModel, shape1B } from "./random-model.ts";
import { saveResult } from "./result.ts";

const { values: options } = parseArgs({ options: { layers: { type: "string", default: "22" } } });
const numLayers = Number(options.layers);
const folder = mkdtempSync(join(tmpdir(), "infinity-bench-quant-"));
try {
  const file = join(folder, "model.gguf");
  await makeRandomModel(file, { ...shape1B, numLayers }, "f16");
  const begin = performance.now();
  const peakBytes = await quantizeApart(file, join(folder, "quantised.gguf"));
  const seconds = (performance.now() - begin) / 1000;
  const fileBytes = statSync(file).size;
  saveResult("quant-model", { numLayers, fileBytes, seconds, peakBytes });
} finally {
  rmSync(folder, { recursive: true });
}

/** Resolves to the most memory that the process held. */
function quantizeApart(model: string, out: string): Promise<number> {
  const command = join(import.meta.dirname, "..", "src", "cli", "infinity.js");
  const text = ["--tokens", "8192", "--held-out", "2048", "--device", "cpu"];
  const args = [
    command,
    "quantize-model",
    "--model",
    model,
    "--method",
    "gptq",
    "--out",
    out,
    ...text,
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, peakOf(child.pid!));
  }, 500);
  return new Promise((resolve, reject) => {
    child.on("exit", (status) => {
      clearInterval(watch);
      if (status === 0) resolve(peak);
      else reject(new Error(`quantize-model ended with ${String(status)}.`));
    });
  });
}

/** The most bytes a process has held at once; Linux says it, and elsewhere it is 0. */
function peakOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
