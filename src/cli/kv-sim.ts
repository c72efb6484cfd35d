/** `infinity kv-sim`: how many requests fit into a GPU's memory, by how that memory is managed. */
import { Option, type Command } from "commander";
import { InputError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import { openGgufFile, writeFileAtomically } from "../corpus/files.ts";
import { llamaConfigFromGguf } from "../model/config.ts";
import { kvBytesPerToken, storedModelNamed } from "../planning/llama-sizes.ts";
import { generateTrace, readTrace } from "../planning/request-trace.ts";
import type { Allocator } from "../runtime/allocators/allocator.ts";
import { FrameRecorder, memoryMap } from "../runtime/allocators/memory-map.ts";
import { PagedAllocator } from "../runtime/allocators/paged.ts";
import { openAllocators, type AllocatorChoice } from "../runtime/allocators/policies.ts";
import { isFuller, simulate, type MemoryCensus } from "../runtime/allocators/simulate.ts";
import type { Trace } from "../runtime/allocators/trace.ts";
import {
  describeRuns,
  type AllocatorRun,
  type BlockTable,
  type MemoryBudget,
} from "./kv-sim-report.ts";
import { byteSize, decimal, positiveNumber, wholeNumber } from "./option-values.ts";

interface Options {
  vram: number;
  model: string;
  overhead: number;
  kv: "F16" | "Q8_0" | "Q4_0";
  requests: number;
  trace?: string;
  allocator: AllocatorChoice;
  block: number;
  maxLength?: number;
  gap: number;
  steps: number;
  seed: number;
  html?: string;
  json?: true;
}

/** Frames and cells of the animated picture: a file of a few hundred kilobytes. */
const maxFrames = 120;
const numCells = 240;
const maxTables = 3;

/** Adds the options and the action of `infinity kv-sim`. */
export function define(command: Command): void {
  command
    .option("--vram <size>", "memory of the GPU, such as 16GB or 24GiB", byteSize, 16e9)
    .option(
      "--model <name>",
      "a published Llama with its format, such as llama-3-8b-q4, or a .gguf file",
      "llama-3-8b-q4",
    )
    .option("--overhead <size>", "memory for everything but weights and cache", byteSize, 1e9)
    .addOption(
      new Option("--kv <type>", "how keys and values are stored")
        .choices(["F16", "Q8_0", "Q4_0"])
        .default("F16"),
    )
    .option("--requests <n>", "requests of the seeded trace", positiveNumber, 50)
    .option("--trace <file>", "requests from a JSON file instead of the seeded trace")
    .addOption(
      new Option("--allocator <which>", "contiguous stands for four policies")
        .choices(["contiguous", "buddy", "oracle", "paged", "all"])
        .default("all"),
    )
    .option("--block <n>", "tokens of a block of the paged allocator", positiveNumber, 16)
    .option("--max-length <n>", "longest sequence to serve; the model's context", positiveNumber)
    .option("--gap <steps>", "mean time between arrivals of the seeded trace", decimal, 10)
    .option("--steps <n>", "when counting ends in the seeded trace", positiveNumber, 3000)
    .option("--seed <n>", "of the trace", wholeNumber, 0)
    .option("--html <file>", "write the memory over time as one page with a slider")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
A step generates one token for every running request. Requests wait in line where memory is short.

Examples:
  infinity kv-sim --vram 16GB --model llama-3-8b-q4 --requests 50
  infinity kv-sim --allocator paged --block 64 --kv Q8_0
  infinity kv-sim --html memory.html`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const budget = await budgetOf(options);
  const trace = await traceOf(options, budget);
  const { maxLength } = trace;
  const sizes = { numSlots: budget.numSlots, maxLength, blockSize: options.block };
  const runs = openAllocators(options.allocator, sizes).map((allocator) =>
    watch(trace, allocator, options.html !== undefined),
  );
  if (options.html !== undefined) {
    const { memoryPage } = await import("../course/memory-page/page.ts");
    await writeFileAtomically(options.html, memoryPage(budget.model, runs));
    process.stderr.write(`wrote ${options.html}\n`);
  }
  process.stdout.write(
    options.json
      ? `${JSON.stringify(jsonOf(budget, trace, runs))}\n`
      : describeRuns(budget, trace, runs),
  );
}

/** Runs one allocator; keeps its memory at the peak, and frames where they are wanted. */
function watch(trace: Trace, allocator: Allocator, keepsFrames: boolean): AllocatorRun {
  const recorder = new FrameRecorder(maxFrames, numCells);
  let peak: MemoryCensus | undefined;
  let map = memoryMap(allocator, numCells);
  let tables: readonly BlockTable[] = [];
  const simulation = simulate(trace, allocator, {
    onStep: (census) => {
      if (keepsFrames) recorder.record(census, allocator);
      if (peak && !isFuller(census, peak)) return;
      peak = census;
      map = memoryMap(allocator, numCells);
      tables = tablesOf(allocator);
    },
  });
  return { simulation, map, tables, frames: recorder.frames };
}

/** What the paged allocator translates for its first requests. */
function tablesOf(allocator: Allocator): BlockTable[] {
  if (!(allocator instanceof PagedAllocator)) return [];
  return allocator.ids
    .slice(0, maxTables)
    .map((request) => ({ request, blocks: [...allocator.blockTable(request)] }));
}

async function budgetOf(options: Options): Promise<MemoryBudget> {
  const model = options.model.endsWith(".gguf")
    ? await modelInFile(options.model)
    : storedModelNamed(options.model);
  const { vram: vramBytes, overhead: overheadBytes } = options;
  const bytesPerToken = kvBytesPerToken(model.sizes, options.kv);
  const kvBytes = vramBytes - model.weightBytes - overheadBytes;
  if (kvBytes < bytesPerToken) {
    throw new InputError(
      `${options.model} leaves no memory for keys and values: ${vramBytes} bytes less ${model.weightBytes} of weights and ${overheadBytes} of overhead is ${kvBytes}, and one token needs ${bytesPerToken}; give more --vram or take a smaller format.`,
    );
  }
  return {
    model: model.name,
    ...{ vramBytes, weightBytes: model.weightBytes, overheadBytes, bytesPerToken },
    sizes: model.sizes,
    kvDtype: options.kv,
    numSlots: Math.floor(kvBytes / bytesPerToken),
  };
}

type SizedModel = Pick<MemoryBudget, "sizes" | "weightBytes"> & { readonly name: string };

async function modelInFile(path: string): Promise<SizedModel> {
  const file = await openGgufFile(path);
  try {
    return {
      name: path,
      sizes: llamaConfigFromGguf(file),
      weightBytes: file.tensors.reduce((sum, { numBytes }) => sum + numBytes, 0),
    };
  } finally {
    await file.close();
  }
}

function traceOf(options: Options, budget: MemoryBudget): Promise<Trace> | Trace {
  if (options.trace !== undefined) return readTrace(options.trace);
  return generateTrace(
    {
      numRequests: options.requests,
      maxLength: options.maxLength ?? budget.sizes.contextLength,
      meanGap: options.gap,
      numSteps: options.steps,
    },
    seededRng(options.seed),
  );
}

function jsonOf(budget: MemoryBudget, trace: Trace, runs: readonly AllocatorRun[]): object {
  const { model, kvDtype, vramBytes, weightBytes, overheadBytes, bytesPerToken, numSlots } = budget;
  return {
    ...{ model, kvDtype, vramBytes, weightBytes, overheadBytes, bytesPerToken, numSlots },
    trace,
    allocators: runs.map(({ simulation: { peak, ...figures } }) => ({
      ...figures,
      reservedWaste: peak.reserved,
      internalWaste: peak.internal,
      externalWaste: peak.external,
      peak,
    })),
  };
}
