/**
 * Float32 to int8 (one scale) and to packed int4 (groups of 32), beside NumPy and memcpy in one run:
 * rounds alternate between the two, the figure is the median, speed is float32 bytes read a second.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { normal, seededRng } from "../src/core/rng.ts";
import { quantizeLinear } from "../src/quant/linear.ts";
import { packCodes } from "../src/quant/pack.ts";
import { saveResult } from "./result.ts";

const [rows, cols] = [2048, 2048];
const numRounds = 15;
const bytes = rows * cols * 4;

const rng = seededRng(0);
const W = Float32Array.from({ length: rows * cols }, () => normal(rng) * 0.045);
const copy = new Float32Array(W.length);

const ours: Readonly<Record<string, () => void>> = {
  memcpy: () => {
    copy.set(W);
  },
  int8_tensor: () => {
    quantizeLinear(W, rows, cols, { bits: 8, mode: "symmetric" });
  },
  int4_group32: () => {
    const options = { bits: 4, mode: "symmetric", granularity: { group: 32 } } as const;
    packCodes(quantizeLinear(W, rows, cols, options).codes, 4);
  },
};

const numpy = startNumpy();
const seconds: Record<string, { ours: number[]; numpy: number[] }> = {};
for (let round = 0; round < numRounds; round++) {
  for (const [name, run] of Object.entries(ours)) {
    const times = (seconds[name] ??= { ours: [], numpy: [] });
    const begin = performance.now();
    run();
    times.ours.push((performance.now() - begin) / 1000);
    times.numpy.push(await numpy.time(name));
  }
}
numpy.process.kill();

const figures = Object.fromEntries(
  Object.entries(seconds).map(([name, times]) => {
    const [oursGBs, numpyGBs] = [
      bytes / median(times.ours) / 1e9,
      bytes / median(times.numpy) / 1e9,
    ];
    return [name, { oursGBs, numpyGBs, ratio: oursGBs / numpyGBs }];
  }),
);
console.table(figures);
saveResult("quantize", { shape: [rows, cols], rounds: numRounds, figures });

function startNumpy(): { process: ChildProcess; time: (name: string) => Promise<number> } {
  const python = join(
    import.meta.dirname,
    ".venv",
    process.platform === "win32" ? "Scripts/python.exe" : "bin/python",
  );
  const child = spawn(
    python,
    [join(import.meta.dirname, "quantize_numpy.py"), String(rows), String(cols)],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    time: async (name) => {
      child.stdin.write(`${name}\n`);
      const line: IteratorResult<string, undefined> = await lines.next();
      return Number(line.value);
    },
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
