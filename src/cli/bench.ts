/**
 * `infinity bench`: how fast a model runs here, as llama-bench measures it: prompts and texts of
 * random tokens, each from an empty cache. Every number of threads is measured in a process of its
 * own, because a process's peak of memory never goes down.
 */
import { spawn } from "node:child_process";
import { Option, type Command } from "commander";
import { join } from "node:path";
import { InputError } from "../core/errors.ts";
import { measureModel, type BenchOptions, type BenchRow } from "./bench-measure.ts";
import { addModelOptions, type ModelOptions } from "./model-options.ts";
import { positiveNumber, positiveNumbers, wholeNumber } from "./option-values.ts";
import { progressBar } from "./progress-bar.ts";
import { textTable } from "./text-table.ts";

interface Options extends Omit<BenchOptions, "threads" | "device">, ModelOptions {
  readonly threads?: readonly number[];
  readonly oneRow?: true;
  readonly json?: true;
}

/** Adds the options and the action of `infinity bench`. */
export function define(command: Command): void {
  addModelOptions(command)
    .option("-p, --prompt-tokens <n>", "tokens of a prompt", positiveNumber, 128)
    .option("-n, --gen-tokens <n>", "tokens of a text", positiveNumber, 32)
    .option("-t, --threads <list>", "numbers of threads, such as 1,2", positiveNumbers)
    .option("--repeat <n>", "how often each is measured, after a first time", positiveNumber, 3)
    .option("--seed <n>", "of the random tokens", wholeNumber, 0)
    .option("--json", "print the rows as JSON")
    .addOption(new Option("--one-row", "measure in this process").hideHelp())
    .addHelpText(
      "after",
      `
Speeds are medians; ± is half of what lies between the slowest and the fastest.

Examples:
  infinity bench --model stories260K-f16.gguf
  infinity bench --model llama-q4_0.gguf -p 128 -n 32 -t 1,2 --device cpu
  infinity bench --model llama-q4_0.gguf --json > rows.json`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  if (options.oneRow) {
    const threads = options.threads?.[0];
    const row = await measureModel({ ...options, threads }, progressBar("repetitions"));
    process.stdout.write(`${JSON.stringify(row)}\n`);
    return;
  }
  const rows: BenchRow[] = [];
  for (const threads of options.threads ?? [undefined]) {
    const row = await measureInOwnProcess(options, threads);
    if (!row) return;
    rows.push(row);
  }
  process.stdout.write(options.json ? `${JSON.stringify(rows, null, 2)}\n` : describe(rows));
}

/** Undefined where it failed: it has said why, and its exit status is now ours. */
function measureInOwnProcess(
  options: Options,
  threads: number | undefined,
): Promise<BenchRow | undefined> {
  const args = [
    ...[join(import.meta.dirname, "infinity.js"), "bench", "--one-row", "--model", options.model],
    ...["--prompt-tokens", `${options.promptTokens}`, "--gen-tokens", `${options.genTokens}`],
    ...["--repeat", `${options.repeat}`, "--seed", `${options.seed}`],
    ...(threads === undefined ? [] : ["--threads", `${threads}`]),
    ...(options.device === undefined ? [] : ["--device", options.device]),
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    child.on("error", reject).on("close", (status, signal) => {
      if (status === 0) {
        resolve(JSON.parse(text) as BenchRow);
      } else if (status === null) {
        const advice = signal === "SIGKILL" ? ", as a process does when memory is used up" : "";
        reject(new InputError(`The measuring process ended with ${signal!}${advice}.`));
      } else {
        process.exitCode = status;
        resolve(undefined);
      }
    });
  });
}

function describe(rows: readonly BenchRow[]): string {
  const head = ["kernels", "threads", "prompt", "tokens/s", "±", "text", "tokens/s", "±"];
  const lines = rows.map((row) => [
    ...[row.kernels, `${row.threads}`],
    ...[`${row.promptTokens}`, row.prefillTokensPerSecond.toFixed(1), spread(row.prefillRange)],
    ...[`${row.genTokens}`, row.decodeTokensPerSecond.toFixed(1), spread(row.decodeRange)],
    ...[`${row.firstTokenMs.toFixed(1)} ms`, `${row.loadMs.toFixed(0)} ms`],
    `${(row.peakRssBytes / 1e6).toFixed(0)} MB`,
  ]);
  const table = [[...head, "first token", "load", "peak memory"], ...lines];
  return textTable(table, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

function spread([least, greatest]: readonly [number, number]): string {
  return ((greatest - least) / 2).toFixed(1);
}
