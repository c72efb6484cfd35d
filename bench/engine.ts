/**
 * The engine beside llama.cpp (node-llama-cpp) on the same files and in one run: rounds alternate
 * between the two, every round in a fresh process, figures are medians, ratios are ours to theirs.
 * Also the header beside @huggingface/gguf, and the matvec beside the machine's read bandwidth.
 *
 *     make bench-engine                        all of it; an hour on a small machine
 *     make bench-engine ARGS="--smoke"         one small model, to see that it works
 *     make bench-engine ARGS="--only q8_0 --rounds 5"
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import type { BenchOptions, BenchRow } from "../src/cli/bench-measure.ts";
import { openGgufFile } from "../src/corpus/files.ts";
import { llamaConfigFromGguf } from "../src/model/config.ts";
import { measureHeaders } from "./headers.ts";
import type { LlamaCppOptions, LlamaCppRow } from "./llama-cpp-row.ts";
import { measureMatvec } from "./matvec.ts";
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
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "3" },
    repeat: { type: "string", default: "3" },
    threads: { type: "string", default: "1,2" },
  },
});
const numRounds = values.smoke ? 1 : Number(values.rounds);
const repeat = values.smoke ? 1 : Number(values.repeat);
const threadCounts = values.threads.split(",").map(Number);
const data = process.env["INFINITY_DATA"];

interface BenchModel {
  readonly name: string;
  readonly path: string;
  readonly promptTokens: number;
  readonly genTokens: number;
}

/** One model on one number of threads: a row of each round and engine. */
interface Rows {
  readonly ours: BenchRow[];
  readonly theirs: LlamaCppRow[];
}

const models = await prepareModels();
const rows = new Map<string, Rows>();
for (let round = 0; round < numRounds; round++) {
  for (const model of models) {
    for (const threads of threadCounts) await measureBoth(model, threads, round);
  }
}
const figures = await Promise.all([...rows].map(([key, measured]) => compare(key, measured)));
printTable(
  figures.map(({ model, threads, ratios, oursExtraMb }) => {
    return { model, threads, ...ratios, oursExtraMb };
  }),
);

if (values.only) {
  console.log("this was a part, so nothing was written");
  process.exit();
}

const headers = await measureHeaders(headerFiles(), values.smoke ? 3 : 15);
printTable(headers);

const matvec = [];
for (const threads of threadCounts) {
  matvec.push(...(await measureMatvec(threads, values.smoke ? 3 : 31)));
}
printTable(matvec);

if (values.smoke) {
  console.log("this was a part, so nothing was written");
} else {
  const nodeMajor = process.versions.node.split(".")[0]!;
  const settings = { rounds: numRounds, repeat };
  const raw = Object.fromEntries(rows);
  saveResult(`engine-node${nodeMajor}`, { ...settings, figures, headers, matvec, raw });
}

async function prepareModels(): Promise<readonly BenchModel[]> {
  const build = join(import.meta.dirname, "build");
  const random = async (
    shape: RandomShape,
    recipe: string,
    promptTokens: number,
    genTokens: number,
  ): Promise<BenchModel> => {
    const name = `${shape.name}-${recipe}`;
    const path = join(build, `${name}.gguf`);
    await makeRandomModel(path, shape, recipe);
    return { name, path, promptTokens, genTokens };
  };
  const stories = data === undefined ? undefined : join(data, "models", "stories260K-f16.gguf");
  const small: BenchModel =
    stories !== undefined && existsSync(stories)
      ? { name: "stories260K-f16", path: stories, promptTokens: 128, genTokens: 128 }
      : await random(shapeSmall, "f16", 128, 128);
  if (values.smoke) return [small];
  const wanted = [
    () => random(shape1B, "q4_0", 128, 32),
    () => random(shape1B, "q8_0", 128, 32),
    () => random(shape1B, "q4_k_m", 128, 32),
    () => random(shape15M, "f16", 128, 128),
  ];
  const all = [small];
  for (const make of wanted) all.push(await make());
  return all.filter(({ name }) => name.includes(values.only));
}

/** Turns change from round to round: what comes second may find a warmer machine. */
async function measureBoth(model: BenchModel, threads: number, round: number): Promise<void> {
  const { path, promptTokens, genTokens } = model;
  const options = { model: path, threads, promptTokens, genTokens, repeat, seed: round };
  const key = `${model.name}, ${threads}`;
  const found = rows.get(key) ?? { ours: [], theirs: [] };
  rows.set(key, found);
  const turns = [
    async () => void found.ours.push(await measureOurs(options)),
    async () => void found.theirs.push(await measureTheirs(options)),
  ];
  for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
}

async function measureOurs(options: BenchOptions & { threads: number }): Promise<BenchRow> {
  const command = join(import.meta.dirname, "..", "src", "cli", "infinity.js");
  const args = [
    ...["bench", "--one-row", "--device", "cpu", "--model", options.model],
    ...["--threads", `${options.threads}`, "--seed", `${options.seed}`],
    ...["--prompt-tokens", `${options.promptTokens}`, "--gen-tokens", `${options.genTokens}`],
    ...["--repeat", `${options.repeat}`],
  ];
  return rowOf([command, ...args]);
}

async function measureTheirs(options: BenchOptions & { threads: number }): Promise<LlamaCppRow> {
  const vocabSize = await vocabSizeOf(options.model);
  const asked: LlamaCppOptions = { ...options, vocabSize };
  const program = join(import.meta.dirname, "llama-cpp-row.ts");
  return rowOf(["--import", "tsx", program, JSON.stringify(asked)]);
}

async function rowOf<T>(args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as T;
}

async function vocabSizeOf(path: string): Promise<number> {
  const file = await openGgufFile(path);
  await file.close();
  return file.tensors.find(({ name }) => name === "token_embd.weight")!.shape[0]!;
}

/** Medians over the rounds; a ratio above 1 is ours ahead for speeds, behind for times and memory. */
interface Figures {
  readonly model: string;
  readonly threads: number;
  readonly ours: Speeds;
  readonly theirs: Speeds;
  readonly ratios: Speeds;
  /** What our peak of memory is above the file and the cache, in MB. */
  readonly oursExtraMb: number;
}

interface Speeds {
  readonly prefill: number;
  readonly decode: number;
  readonly loadMs: number;
  readonly peakMb: number;
}

async function compare(key: string, { ours, theirs }: Rows): Promise<Figures> {
  const [name, threads] = key.split(", ") as [string, string];
  const { path, promptTokens, genTokens } = models.find((model) => model.name === name)!;
  const [we, they] = [speedsOf(ours), speedsOf(theirs)];
  const needed = statSync(path).size + (await cacheBytes(path, Math.max(promptTokens, genTokens)));
  return {
    model: name,
    threads: Number(threads),
    ours: we,
    theirs: they,
    ratios: {
      prefill: we.prefill / they.prefill,
      decode: we.decode / they.decode,
      loadMs: we.loadMs / they.loadMs,
      peakMb: we.peakMb / they.peakMb,
    },
    oursExtraMb: we.peakMb - needed / 1e6,
  };
}

function speedsOf(measured: readonly BenchRow[]): Speeds {
  const of = (figure: (row: BenchRow) => number): number => median(measured.map(figure));
  return {
    prefill: of((row) => row.prefillTokensPerSecond),
    decode: of((row) => row.decodeTokensPerSecond),
    loadMs: of((row) => row.loadMs),
    peakMb: of((row) => row.peakRssBytes) / 1e6,
  };
}

/** Keys and values in float32. */
async function cacheBytes(path: string, numTokens: number): Promise<number> {
  const file = await openGgufFile(path);
  await file.close();
  const { numLayers, numKvHeads, headDim } = llamaConfigFromGguf(file);
  return 2 * numLayers * numTokens * numKvHeads * headDim * Float32Array.BYTES_PER_ELEMENT;
}

/** Vocabularies of real models where they are at hand, else the models of this run. */
function headerFiles(): readonly string[] {
  const folder = data === undefined ? undefined : join(data, "vocab");
  const vocabularies =
    folder !== undefined && existsSync(folder)
      ? readdirSync(folder)
          .filter((file) => file.endsWith(".gguf"))
          .map((file) => join(folder, file))
      : [];
  return [...models.map(({ path }) => path), ...vocabularies];
}
