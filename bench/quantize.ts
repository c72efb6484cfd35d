/**
 * Float32 to int8 (one scale) and to packed int4 (groups of 32), beside NumPy and memcpy in one run:
 * in plain TypeScript, on the wasm kernels, and on the kernels with the weights in their memory.
 * Rounds alternate between all of them, the figure is the median, speed is float32 bytes read a
 * second.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { normal, seededRng } from "../src/core/rng.ts";
import { quantizeLinear } from "../src/quant/linear.ts";
import { packCodes, type PackNibbles } from "../src/quant/pack.ts";
import { openWasmKernels } from "../src/tensor/kernel-module.ts";
import { saveResult } from "./result.ts";

const [rows, cols] = [2048, 2048];
const numRounds = 31;
const bytes = rows * cols * 4;

const rng = seededRng(0);
const W = Float32Array.from({ length: rows * cols }, () => normal(rng) * 0.045);
const copy = new Float32Array(W.length);
const kernels = await openWasmKernels({ memoryBytes: bytes });
const inPlace = kernels.allocateFloat32(W.length);
inPlace.set(W);

const int8 = { bits: 8, mode: "symmetric" } as const;
const int4 = { bits: 4, mode: "symmetric", granularity: { group: 32 } } as const;
const pack: PackNibbles = (codes, packed) => {
  kernels.packNibbles(codes, packed);
};

/** Each task by each of our ways; NumPy knows the tasks by the same names. */
const tasks: Readonly<Record<string, Readonly<Record<string, () => unknown>>>> = {
  memcpy: {
    plain: () => {
      copy.set(W);
    },
  },
  int8_tensor: {
    plain: () => quantizeLinear(W, rows, cols, int8),
    wasm: () => quantizeLinear(W, rows, cols, int8, kernels),
    wasmInPlace: () => quantizeLinear(inPlace, rows, cols, int8, kernels),
  },
  int4_group32: {
    plain: () => packCodes(quantizeLinear(W, rows, cols, int4).codes, 4),
    wasm: () => packCodes(quantizeLinear(W, rows, cols, int4, kernels).codes, 4, pack),
    wasmInPlace: () => packCodes(quantizeLinear(inPlace, rows, cols, int4, kernels).codes, 4, pack),
  },
};

const numpy = startNumpy();
const seconds = new Map<string, Map<string, number[]>>();
for (let round = 0; round < numRounds; round++) {
  for (const [task, ways] of Object.entries(tasks)) {
    for (const [way, run] of Object.entries(ways)) {
      const begin = performance.now();
      run();
      record(task, way, (performance.now() - begin) / 1000);
    }
    record(task, "numpy", await numpy.time(task));
  }
}
numpy.process.kill();

const figures = Object.fromEntries(
  [...seconds].map(([task, times]) => {
    const speeds = [...times].map(([way, all]) => [way, bytes / median(all) / 1e9] as const);
    const theirs = Object.fromEntries(speeds)["numpy"]!;
    const ratios = speeds.filter(([way]) => way !== "numpy");
    return [
      task,
      Object.fromEntries([
        ...speeds.map(([way, speed]) => [`${way}GBs`, speed]),
        ...ratios.map(([way, speed]) => [`${way}Ratio`, speed / theirs]),
      ]) as Record<string, number>,
    ];
  }),
);
console.table(figures);
saveResult("quantize", { shape: [rows, cols], rounds: numRounds, figures });

function record(task: string, way: string, time: number): void {
  const ways = seconds.get(task) ?? new Map<string, number[]>();
  seconds.set(task, ways.set(way, [...(ways.get(way) ?? []), time]));
}

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
