/** `infinity generate`: a GGUF model continues a prompt, or answers it. */
import type { Command } from "commander";
import { setImmediate } from "node:timers/promises";
import { InputError, UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import { openGgufFile } from "../corpus/files.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { applyChatTemplate } from "../model/chat-template.ts";
import { llamaConfigFromGguf } from "../model/config.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama } from "../model/llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { stringAt } from "../model/tokenizer/vocabulary.ts";
import { generate, type Generator } from "../runtime/generate.ts";
import { checkSampling, defaultSampling, type SamplingOptions } from "../runtime/sampler.ts";
import { openForwardKernels } from "../tensor/open-forward.ts";
import {
  measure,
  peakRssBytes,
  statistics,
  summary,
  type Generation,
  type GenerationReport,
} from "./generate-report.ts";
import { addModelOptions, addThreadsOption, type ThreadedModelOptions } from "./model-options.ts";
import { decimal, wholeNumber } from "./option-values.ts";
import { progressBar } from "./progress-bar.ts";

interface Options extends SamplingOptions, ThreadedModelOptions {
  prompt: string;
  maxTokens: number;
  seed: number;
  chat?: true;
  stats?: true;
  json?: true;
}

/** Adds the options and the action of `infinity generate`. */
export function define(command: Command): void {
  const { temperature, topK, topP, minP, repeatPenalty, repeatWindow } = defaultSampling;
  addModelOptions(command)
    .requiredOption("--prompt <text>", "what the model continues")
    .option("--max-tokens <n>", "the most tokens to generate", wholeNumber, 128)
    .option("--temperature <t>", "0 takes the likeliest token every time", decimal, temperature)
    .option("--top-k <n>", "only the n likeliest tokens; 0 for all", wholeNumber, topK)
    .option("--top-p <p>", "only the likeliest tokens that have p together", decimal, topP)
    .option("--min-p <p>", "only tokens p times as likely as the likeliest", decimal, minP)
    .option(
      "--repeat-penalty <r>",
      "make recent tokens less likely; 1 for not",
      decimal,
      repeatPenalty,
    )
    .option("--repeat-window <n>", "how many tokens are recent", wholeNumber, repeatWindow)
    .option("--seed <n>", "the same seed gives the same text", wholeNumber, 0)
    .option("--chat", "the prompt is a message; write it as the model's chat template says")
    .option("--stats", "print a table of times, speeds and memory to stderr at the end")
    .option("--json", "print one JSON object at the end");
  addThreadsOption(command)
    .addHelpText(
      "after",
      `
Examples:
  infinity generate --prompt "One morning" --temperature 0
  infinity generate --model smollm2-135m-instruct.gguf --chat --prompt "Why is the sky blue?"
  infinity generate --model stories260K.gguf --prompt "One day" --device cpu --threads 2 --stats`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  checkSampling(options);
  if (options.maxTokens < 1) throw new UsageError("--max-tokens is 0; at least 1 is needed.");
  const started = performance.now();
  const file = await openGgufFile(options.model);
  try {
    const tokenizer = tokenizerFromGguf(file.metadata);
    const prompt = promptTokens(file, tokenizer, options);
    checkLength(file, prompt.length);
    const opened = await openForwardKernels(options);
    try {
      const generator = await load(file, opened.kernels, tokenizer, prompt.length, options);
      const loadMs = performance.now() - started;
      const figures = await stream(generator, prompt, options);
      const report: GenerationReport = {
        ...figures,
        loadMs,
        modelBytes: file.fileSize,
        cacheBytes: generator.cache.numBytes,
        peakRssBytes: peakRssBytes(),
        kernels: opened.kernels.name,
        threads: opened.numThreads,
      };
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : "\n");
      process.stderr.write(options.stats ? statistics(report) : summary(report));
    } finally {
      await opened.close();
    }
  } finally {
    await file.close();
  }
}

/** Generates, and prints text as it comes unless JSON was asked for. */
function stream(generator: Generator, prompt: Int32Array, options: Options): Promise<Generation> {
  const events = generate(generator, prompt, {
    maxTokens: options.maxTokens,
    sampling: options,
    rng: seededRng(options.seed),
    pause: () => setImmediate(),
  });
  return measure(events, prompt.length, (text) => {
    if (!options.json) process.stdout.write(text);
  });
}

function promptTokens(
  file: GgufFile,
  tokenizer: Tokenizer,
  { prompt, chat }: Options,
): Int32Array<ArrayBuffer> {
  if (!chat) return tokenizer.encode(prompt);
  const template = stringAt(file.metadata, "tokenizer.chat_template");
  if (template === undefined) {
    throw new InputError(
      `${file.name} has no chat template: it is a model that continues text; leave out --chat.`,
    );
  }
  const { texts, bos, eos } = tokenizer.vocabulary;
  const text = applyChatTemplate(template, [{ role: "user", content: prompt }], {
    addGenerationPrompt: true,
    bos: bos === undefined ? undefined : texts[bos],
    eos: eos === undefined ? undefined : texts[eos],
    now: new Date(),
  });
  return tokenizer.encode(text, { addSpecial: false, parseSpecial: true });
}

function checkLength(file: GgufFile, numPrompt: number): void {
  const { contextLength } = llamaConfigFromGguf(file);
  if (numPrompt <= contextLength) return;
  throw new InputError(
    `The prompt has ${numPrompt} tokens, and ${file.name} looks back on ${contextLength}; shorten it.`,
  );
}

/** With room for the prompt and all that may follow, as far as the model looks back. */
async function load(
  file: GgufFile,
  kernels: ForwardKernels,
  tokenizer: Tokenizer,
  numPrompt: number,
  { maxTokens }: Options,
): Promise<Generator & { readonly cache: ContiguousKvCache }> {
  const model = await loadLlama(file, kernels, { progress: progressBar("tensors") });
  // The last token that is generated need not be remembered.
  const capacity = Math.min(model.config.contextLength, numPrompt + maxTokens - 1);
  return { model, tokenizer, cache: new ContiguousKvCache(kernels, model.config, capacity) };
}
