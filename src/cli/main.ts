/**
 * The command line: one file per command, loaded when it is called. Results go to stdout, progress
 * and errors to stderr; exit status 0 is success, 1 a file or value that cannot be used, 2 a
 * command that was not understood.
 */
import { Command, CommanderError } from "commander";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";

interface CommandModule {
  /** Adds the arguments, options and action to an empty command. */
  define(command: Command): void;
}

/** Name, one line for `--help`, and where the command lives. */
const commands: readonly (readonly [string, string, () => Promise<CommandModule>])[] = [
  ["doctor", "what this machine can do", () => import("./doctor.ts")],
  [
    "quantize",
    "put one tensor on a linear grid and see what that costs",
    () => import("./quantize.ts"),
  ],
  ["gguf", "look into a GGUF model, check it, convert it", () => import("./gguf.ts")],
  [
    "gptq",
    "quantise one matrix of a model and make up for what is lost",
    () => import("./gptq.ts"),
  ],
  [
    "quantize-model",
    "quantise a whole model with calibration text",
    () => import("./quantize-model.ts"),
  ],
  ["generate", "let a GGUF model continue a prompt", () => import("./generate.ts")],
  [
    "speculate",
    "a small model guesses, a large one checks: the same text, sooner",
    () => import("./speculate.ts"),
  ],
  ["corpus", "our stories, questions about them, and a tokenizer", () => import("./corpus.ts")],
  ["train", "train a small model from nothing", () => import("./train.ts")],
  ["bench", "how fast a GGUF model runs here", () => import("./bench.ts")],
  ["ppl", "what compression costs a model: perplexity and more", () => import("./ppl.ts")],
  [
    "kv-sim",
    "how many requests fit into a GPU's memory, by how it is managed",
    () => import("./kv-sim.ts"),
  ],
  [
    "paged",
    "requests that share one memory in blocks, and what becomes of the blocks",
    () => import("./paged.ts"),
  ],
  ["fetch", "download a public model", () => import("./fetch.ts")],
  ["grade", "run a project's graded tests on your exercises", () => import("./grade.ts")],
  ["course", "the fifteen projects and how far you are", () => import("./course.ts")],
  ["slides", "an offline deck for each notebook", () => import("./slides.ts")],
  ["reset", "restore an exercise's stub and keep what you wrote", () => import("./reset.ts")],
];

/** Commands that run before anything is installed; `infinity.js` handles them itself. */
const bootstrapCommands = [
  ["lab", "set everything up and open the course in JupyterLab"],
  ["setup", "set everything up and stop"],
] as const;

/** Runs one command line and returns its exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command("infinity")
    .description("Make large language models small and fast, and learn how.")
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError("Add --help for the options.");
  const wanted = commands.find(([name]) => name === argv[0]);
  for (const [name, line, load] of commands) {
    const command = program.command(name).description(line).exitOverride();
    if (name === wanted?.[0]) (await load()).define(command);
  }
  for (const [name, line] of bootstrapCommands) program.command(name).description(line);
  try {
    await program.parseAsync(argv, { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  // Commander has printed its own sentence; asking for help or the version is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof InputError || error instanceof UsageError) {
    process.stderr.write(`infinity: ${error.message}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
  process.stderr.write(`infinity: this is a defect of ours, please report it.\n`);
  process.stderr.write(
    `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return 1;
}

function packageVersion(): string {
  const file = join(import.meta.dirname, "..", "..", "package.json");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}
