/**
 * A training step of our transformer beside PyTorch's on the same processor, shape and windows: tokens
 * a second of forward pass, gradient, clipping and AdamW. Ours on each tfjs backend that there is, and
 * on the wasm backend with one thread and with all; PyTorch with as many. Rounds alternate, figures are
 * medians. `--preset draft` measures the other shape, `--cpu` also tfjs's plain JavaScript, which takes
 * a minute for a single window.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { InputError } from "../src/core/errors.ts";
import { randomInt, seededRng } from "../src/core/rng.ts";
import { chooseBackend, type DeviceName } from "../src/tensor/backend.ts";
import { defaultThreads } from "../src/tensor/cpu-cores.ts";
import { openGradientThreads } from "../src/training/gradient-threads.ts";
import { TfjsGradients, type GradientSource } from "../src/training/gradients.ts";
import { presetNames, presets, type TrainingRecipe } from "../src/training/recipe.ts";
import { initialState, Trainer } from "../src/training/trainer.ts";
import { numParameters } from "../src/training/transformer-shape.ts";
import { WindowSampler } from "../src/training/windows.ts";
import { saveResult } from "./result.ts";

/** One way to make a step, and how many tokens it did in each round. */
interface Way {
  readonly name: string;
  readonly tokensPerStep: number;
  /** Makes a step; resolves to the seconds of processor time that all its threads took. */
  readonly step: () => Promise<number>;
  readonly close: () => Promise<void> | void;
  /** Tokens a second. */
  readonly speeds: number[];
  /** Tokens a second of processor time, which counts less of what else the machine does. */
  readonly cpuSpeeds: number[];
}

const { values: options } = parseArgs({
  options: {
    preset: { type: "string", default: "target" },
    rounds: { type: "string", default: "3" },
    cpu: { type: "boolean", default: false },
  },
});
const preset = presetNames.find((name) => name === options.preset);
if (preset === undefined) throw new Error(`--preset may be ${presetNames.join(", ")}.`);
const recipe: TrainingRecipe = { ...presets[preset], seed: 0 };
const { shape } = recipe;
const rng = seededRng(1);
const tokens = Int32Array.from({ length: shape.contextLength * 64 }, () =>
  randomInt(rng, shape.vocabSize),
);
const allThreads = defaultThreads();
const threadCounts = [...new Set([1, allThreads])];

const ways: Way[] = [];
for (const device of ["tensorflow", "webgpu"] as const) {
  const source = await ifAvailable(device);
  if (source) ways.push(ourWay(source.name, source, { windowsPerShard: recipe.windowsPerStep }));
}
for (const numThreads of threadCounts) {
  const source = await openGradientThreads(shape, "wasm", numThreads);
  ways.push(ourWay(`tfjs wasm, ${numThreads} thread(s)`, source));
}
if (options.cpu) {
  const source = new TfjsGradients(await chooseBackend({ device: "cpu" }), shape);
  const oneWindow = { windowsPerStep: 1, windowsPerShard: 1 };
  ways.push(ourWay("tfjs cpu, one window", source, oneWindow));
}
for (const numThreads of threadCounts) ways.push(torchWay(numThreads));

try {
  // The first step of each way compiles and touches memory, and does not count.
  for (const way of ways) await way.step();
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const way of ways) {
      const begin = performance.now();
      const cpuSeconds = await way.step();
      way.speeds.push((way.tokensPerStep * 1000) / (performance.now() - begin));
      way.cpuSpeeds.push(way.tokensPerStep / cpuSeconds);
    }
  }
} finally {
  for (const way of ways) await way.close();
}

/** PyTorch on all threads. */
const torch = median(ways.at(-1)!.speeds);
const figures = Object.fromEntries(
  ways.map(({ name, speeds, cpuSpeeds }) => {
    const hours = (recipe.numSteps * tokensPerStep(recipe)) / median(speeds) / 3600;
    return [
      name,
      {
        tokensPerSecond: Math.round(median(speeds)),
        slowest: Math.round(Math.min(...speeds)),
        perCpuSecond: Math.round(median(cpuSpeeds)),
        ofPyTorch: Number((median(speeds) / torch).toFixed(3)),
        hoursForPreset: Number(hours.toFixed(2)),
      },
    ];
  }),
);
console.table(figures);
saveResult(`training-${preset}`, {
  shape,
  parameters: numParameters(shape),
  windowsPerStep: recipe.windowsPerStep,
  numSteps: recipe.numSteps,
  rounds: Number(options.rounds),
  figures,
});

function ourWay(
  name: string,
  source: GradientSource,
  changes: Partial<Pick<TrainingRecipe, "windowsPerStep" | "windowsPerShard">> = {},
): Way {
  const its = { ...recipe, ...changes };
  const windows = new WindowSampler(tokens, shape.contextLength, shape.vocabSize, 0);
  const trainer = new Trainer(its, initialState(its), windows, source);
  return {
    name,
    tokensPerStep: tokensPerStep(its),
    step: async () => {
      const before = process.cpuUsage();
      await trainer.next();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1e6;
    },
    close: () => source.close(),
    ...{ speeds: [], cpuSpeeds: [] },
  };
}

function torchWay(numThreads: number): Way {
  const torch = startTorch(numThreads);
  return {
    name: `PyTorch, ${numThreads} thread(s)`,
    tokensPerStep: tokensPerStep(recipe),
    step: torch.step,
    close: () => void torch.process.kill(),
    ...{ speeds: [], cpuSpeeds: [] },
  };
}

function startTorch(numThreads: number): { process: ChildProcess; step: () => Promise<number> } {
  const scripts = process.platform === "win32" ? "Scripts/python.exe" : "bin/python";
  const python = join(import.meta.dirname, "..", "build", "bench-training", ".venv", scripts);
  const settings = { shape, windows: recipe.windowsPerStep, threads: numThreads };
  const child = spawn(
    python,
    [join(import.meta.dirname, "training_torch.py"), JSON.stringify(settings)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    step: async () => {
      child.stdin.write("step\n");
      const line: IteratorResult<string, undefined> = await lines.next();
      if (line.done === true) throw new Error("PyTorch's process has ended.");
      return Number(line.value);
    },
  };
}

async function ifAvailable(device: DeviceName): Promise<GradientSource | undefined> {
  try {
    return new TfjsGradients(await chooseBackend({ device }), shape);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    console.log(`not measured: ${error.message}`);
    return undefined;
  }
}

function tokensPerStep({ windowsPerStep }: TrainingRecipe): number {
  return windowsPerStep * shape.contextLength;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
