/** `infinity generate`: a GGUF model continues a prompt, or answers it. */
import { InvalidArgumentError, type Command } from "commander";
import { setImmediate } from "node:timers/promises";
import { InputError, UsageError } from "../core/errors.ts";
import { seededRng } from "../core/rng.ts";
import { openGgufFile } from "../corpus/files.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { ForwardKernels } from "../kernels/forward-kernels.ts";
import { referenceForward } from "../kernels/reference-forward.ts";
import { applyChatTemplate } from "../model/chat-template.ts";
import { llamaConfigFromGguf } from "../model/config.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama } from "../model/llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { stringAt } from "../model/tokenizer/vocabulary.ts";
import { generate, type Generator } from "../runtime/generate.ts";
import { checkSampling, defaultSampling, type SamplingOptions } from "../runtime/sampler.ts";
import { describeGeneration, measure } from "./generate-report.ts";
import { progressBar } from "./progress-bar.ts";

interface Options extends SamplingOptions {
  model: string;
  prompt: string;
  maxTokens: number;
  seed: number;
  chat?: true;
  json?: true;
}

/** Adds the options and the action of `infinity generate`. */
export function define(command: Command): void {
  const { temperature, topK, topP, minP, repeatPenalty, repeatWindow } = defaultSampling;
  command
    .requiredOption("--model <file>", "a GGUF model of the Llama family")
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
    .option("--json", "print one JSON object at the end")
    .addHelpText(
      "after",
      `
Examples:
  infinity generate --model stories260K.gguf --prompt "Once upon a time" --temperature 0
  infinity generate --model smollm2-135m-instruct.gguf --chat --prompt "Why is the sky blue?"`,
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
    const generator = await load(file, tokenizer, prompt.length, options.maxTokens);
    const loaded = {
      loadMs: performance.now() - started,
      modelBytes: file.fileSize,
      cacheBytes: generator.cache.numBytes,
      kernels: generator.model.kernels.name,
    };
    const events = generate(generator, prompt, {
      maxTokens: options.maxTokens,
      sampling: options,
      rng: seededRng(options.seed),
      pause: () => setImmediate(),
    });
    const figures = await measure(events, prompt.length, (text) => {
      if (!options.json) process.stdout.write(text);
    });
    const report = { ...figures, ...loaded };
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : "\n");
    process.stderr.write(describeGeneration(report));
  } finally {
    await file.close();
  }
}

/** The kernels that this machine runs fastest. */
function fastestKernels(): ForwardKernels {
  return referenceForward;
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

/** Room for the prompt and all that may follow, as far as the model looks back. */
async function load(
  file: GgufFile,
  tokenizer: Tokenizer,
  numPrompt: number,
  maxTokens: number,
): Promise<Generator & { readonly cache: ContiguousKvCache }> {
  const { contextLength } = llamaConfigFromGguf(file);
  if (numPrompt > contextLength) {
    throw new InputError(
      `The prompt has ${numPrompt} tokens, and ${file.name} looks back on ${contextLength}; shorten it.`,
    );
  }
  const kernels = fastestKernels();
  const model = await loadLlama(file, kernels, { progress: progressBar("tensors") });
  // The last token that is generated need not be remembered.
  const capacity = Math.min(contextLength, numPrompt + maxTokens - 1);
  return { model, tokenizer, cache: new ContiguousKvCache(kernels, model.config, capacity) };
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Give a whole number.");
  return Number(text);
}

function decimal(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError("Give a number, such as 0.8.");
  return Number(text);
}
