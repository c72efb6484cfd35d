/** `infinity paged`: requests that are really served from one memory in blocks, and what becomes of the blocks. */
import { Option, type Command } from "commander";
import { seededRng } from "../core/rng.ts";
import { openGgufFile, writeFileAtomically } from "../corpus/files.ts";
import { shippedModel } from "../corpus/shipped-models.ts";
import { kvDtypes, type KvDtype } from "../kernels/kv-rows.ts";
import { loadLlama } from "../model/llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { BlockFilm } from "../runtime/block-film.ts";
import { Engine, type Submission } from "../runtime/engine.ts";
import type { GenerationRequest } from "../runtime/request.ts";
import { defaultSampling } from "../runtime/sampler.ts";
import { openForwardKernels, forwardDevices, type ForwardDevice } from "../tensor/open-forward.ts";
import { addThreadsOption } from "./model-options.ts";
import { decimal, positiveNumber, wholeNumber } from "./option-values.ts";
import { describePaged, type PagedBudget, type ServedRequest } from "./paged-report.ts";

interface Options {
  simRequests: number;
  model?: string;
  device?: ForwardDevice;
  threads?: number;
  blocks: number;
  block: number;
  kv: KvDtype;
  preemption: "recompute" | "swap";
  samples: number;
  maxTokens: number;
  temperature: number;
  gap: number;
  seed: number;
  html?: string;
  json?: true;
}

/** What all requests begin with, as a system prompt would, and how they go on. */
const beginning =
  "Once upon a time there was a small village by the sea. Everyone who lived there knew everyone else.";
const continuations = [
  " One morning a girl found a shell.",
  " One morning a boy lost his boat.",
  " One night the wind blew hard.",
  " An old man had a little dog.",
];

/** Adds the options and the action of `infinity paged`. */
export function define(command: Command): void {
  command
    .option("--sim-requests <n>", "requests to serve; they begin alike", positiveNumber, 3)
    .option("--model <file>", "a GGUF model of the Llama family; ours unless given")
    .addOption(
      new Option(
        "--device <name>",
        "what computes; without it a GPU where there is one, else the processor (cpu)",
      ).choices(forwardDevices),
    )
    .option("--blocks <n>", "blocks of the memory that they share", positiveNumber, 20)
    .option("--block <n>", "tokens of a block", positiveNumber, 8)
    .addOption(
      new Option("--kv <type>", "how keys and values are stored").choices(kvDtypes).default("F32"),
    )
    .addOption(
      new Option("--preemption <how>", "what becomes of what has to leave its blocks")
        .choices(["recompute", "swap"])
        .default("recompute"),
    )
    .option("--samples <n>", "texts of the last request, on shared blocks", positiveNumber, 2)
    .option("--max-tokens <n>", "the most tokens of a text", positiveNumber, 32)
    .option("--temperature <t>", "0 takes the likeliest token every time", decimal, 0.8)
    .option("--gap <steps>", "steps between two requests", wholeNumber, 4)
    .option("--seed <n>", "the same seed gives the same texts", wholeNumber, 0)
    .option("--html <file>", "write the blocks over time as one page with a slider")
    .option("--json", "print one JSON object");
  addThreadsOption(command)
    .addHelpText(
      "after",
      `
Examples:
  infinity paged --sim-requests 3
  infinity paged --sim-requests 6 --preemption swap
  infinity paged --html blocks.html --model stories260K.gguf`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { model: path = shippedModel("draft"), device, threads } = options;
  const file = await openGgufFile(path);
  const opened = await openForwardKernels({ device, threads });
  try {
    const tokenizer = tokenizerFromGguf(file.metadata);
    const model = await loadLlama(file, opened.kernels);
    const film = new BlockFilm();
    const engine = new Engine(model, tokenizer, {
      ...{ numBlocks: options.blocks, blockSize: options.block, dtype: options.kv },
      ...{ preemption: options.preemption, observe: film.observe },
    });
    film.blocks = engine.memory.blocks;
    const served = await serve(engine, tokenizer, options);
    const budget: PagedBudget = {
      ...{ model: file.name, numBlocks: options.blocks, blockSize: options.block },
      ...{ kvDtype: options.kv, numBytes: engine.memory.numBytes },
    };
    if (options.html !== undefined) {
      const { blockPage } = await import("../course/block-page/page.ts");
      await writeFileAtomically(options.html, blockPage(budget.model, budget, film));
      process.stderr.write(`wrote ${options.html}\n`);
    }
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ ...budget, requests: served, frames: film.frames })}\n`
        : describePaged(budget, film, served),
    );
  } finally {
    await opened.close();
    await file.close();
  }
}

/** Submits a request every few steps, and runs until all have ended. */
async function serve(
  engine: Engine,
  tokenizer: Tokenizer,
  options: Options,
): Promise<ServedRequest[]> {
  const { simRequests, gap } = options;
  const served: Promise<ServedRequest>[] = [];
  for (let step = 0; served.length < simRequests || !engine.isIdle; step++) {
    while (served.length < simRequests && step >= served.length * gap) {
      const number = served.length;
      const prompt = beginning + continuations[number % continuations.length]!;
      const request = requestFor(tokenizer.encode(prompt), number, options);
      served.push(collect(engine.submit(request), prompt, request, step + 1));
    }
    await engine.step();
  }
  return Promise.all(served);
}

function requestFor(prompt: Int32Array, number: number, options: Options): GenerationRequest {
  const { simRequests, samples, maxTokens, temperature, seed } = options;
  return {
    ...{ prompt, maxTokens },
    mode: {
      type: "sample",
      numSamples: number === simRequests - 1 ? samples : 1,
      sampling: { ...defaultSampling, temperature },
      rng: (sample) => seededRng(seed + 1000 * number + sample),
    },
  };
}

async function collect(
  { id, events }: Submission,
  prompt: string,
  request: GenerationRequest,
  arrival: number,
): Promise<ServedRequest> {
  const texts: { text: string; numTokens: number; reason: string }[] = [];
  for await (const event of events) {
    const own = (texts[event.sample] ??= { text: "", numTokens: 0, reason: "" });
    own.text += event.text;
    if (event.type === "token") own.numTokens++;
    else own.reason = event.reason;
  }
  return { request: id, prompt, numPrompt: request.prompt.length, arrival, texts };
}
