/** `infinity ppl`: what compression costs a model, on a text and on questions. */
import { basename } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Option, type Command } from "commander";
import {
  examineFile,
  examineVariants,
  type DegradationRow,
  type Examination,
  type ExaminationOptions,
} from "../compress/degradation.ts";
import { quantVariantNamed, type QuantVariant } from "../compress/quant-variants.ts";
import { UsageError } from "../core/errors.ts";
import { readChoiceFile } from "../corpus/choice-file.ts";
import { openGgufFile, writeFileAtomically } from "../corpus/files.ts";
import { storyDocuments } from "../corpus/stories.ts";
import { storyQuestions } from "../corpus/story-questions.ts";
import { readTextFile } from "../corpus/text-file.ts";
import { tokenEstimate, windowEstimate } from "../eval/perplexity.ts";
import { scoredBytes } from "../eval/score-text.ts";
import { llamaCppWindows, stridedWindows, type TextWindow } from "../eval/windows.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { llamaConfigFromGguf } from "../model/config.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { openForwardKernels } from "../tensor/open-forward.ts";
import { packDocuments } from "../training/text.ts";
import { calibrationWindows } from "./gptq-calibration.ts";
import { addModelOptions, addThreadsOption, type ThreadedModelOptions } from "./model-options.ts";
import { positiveNumber, wholeNumber } from "./option-values.ts";
import { degradationPage } from "./ppl-page.ts";
import { describeRows, type PplReport } from "./ppl-report.ts";
import { progressBar } from "./progress-bar.ts";

interface Options extends ThreadedModelOptions {
  quants?: readonly QuantVariant[];
  text?: string;
  method: "strided" | "llama.cpp";
  context?: number;
  stride?: number;
  chunks?: number;
  calibrate?: string;
  choices?: string;
  questions: number;
  html?: string;
  json?: true;
}

/** That of llama-perplexity. */
const defaultContext = 512;
/** Of our own stories, where no text is given: some 60 of them. */
const storyTokens = 16_384;
const storySeed = 0;
/** Tokens that methods look at; what is held out of them is not asked about here. */
const calibrationSize = { tokens: 16_384, heldOut: 512 } as const;

/** Adds the options and the action of `infinity ppl`. */
export function define(command: Command): void {
  addThreadsOption(addModelOptions(command))
    .option(
      "--quants <names>",
      "compare with F16, such as f16,q8_0,q4_k,gptq-4,awq-3; without it the model as it is",
      variants,
    )
    .option("--text <file>", "UTF-8 text to judge by; without it our stories' test split")
    .addOption(
      new Option("--method <name>", "how the text is cut into windows")
        .choices(["strided", "llama.cpp"])
        .default("strided"),
    )
    .option(
      "--context <n>",
      "tokens of a window; without it 512, or for strided what the model looks back on if that is less",
      positiveNumber,
    )
    .option("--stride <n>", "tokens between strided windows; half the context", positiveNumber)
    .option("--chunks <n>", "only the first n windows", positiveNumber)
    .option("--calibrate <file>", "text for methods that look at data; without it our own stories")
    .option(
      "--choices <file>",
      "multiple-choice questions, one JSON object a line; without it questions about our stories",
    )
    .option("--questions <n>", "how many of them, 0 for none", wholeNumber, 100)
    .option("--html <file>", "write table, degradation curve and pareto figure as one page")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Perplexities compare only where text, method and context are the same, and the tokenizer, too; bits per
byte compare different tokenizers. strided scores every token once; its standard error is that between
windows. llama.cpp scores the second half of disjoint windows, and states the error as llama-perplexity
does, which takes tokens for independent of each other. Accuracy is by the probability of the whole
answer; the JSON also has it by the probability per byte.

Examples:
  infinity ppl --model stories260K-f32.gguf --quants f16,q8_0,q4_0,q4_k
  infinity ppl --model model-q4_k_m.gguf --text wiki.test.raw --method llama.cpp --chunks 64
  infinity ppl --model stories260K-f32.gguf --quants q8_0,q4_0,q2_k --html cost.html`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const file = await openGgufFile(options.model);
  try {
    const tokenizer = tokenizerFromGguf(file.metadata);
    const context = contextOf(file, options);
    const examination = await examinationOf(tokenizer, context, options);
    const rows: DegradationRow[] = [];
    for await (const row of measure(file, examination, options)) rows.push(row);
    const report: PplReport = {
      model: file.name,
      text: options.text === undefined ? "stories, test split" : basename(options.text),
      ...{ method: options.method, context, rows },
    };
    if (options.html !== undefined) {
      await writeFileAtomically(options.html, degradationPage(report));
      process.stderr.write(`wrote ${options.html}\n`);
    }
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describeRows(report));
  } finally {
    await file.close();
  }
}

async function* measure(
  file: GgufFile,
  examination: Examination,
  options: Options,
): AsyncGenerator<DegradationRow> {
  const calibrate = options.calibrate === undefined ? {} : { calibrate: options.calibrate };
  const how: ExaminationOptions = {
    openKernels: () => openForwardKernels(options),
    calibration: () => calibrationWindows(file, { ...calibrationSize, ...calibrate }),
    progress: progressBar(""),
    pause: () => setImmediate(),
  };
  if (options.quants) yield* examineVariants(file, options.quants, examination, how);
  else yield await examineFile(file, examination, how);
}

async function examinationOf(
  tokenizer: Tokenizer,
  context: number,
  options: Options,
): Promise<Examination> {
  const tokens = await tokensOf(tokenizer, options);
  const windows = windowsOf(tokens, tokenizer, context, options).slice(0, options.chunks);
  return {
    tokens,
    windows,
    numBytes: scoredBytes(tokenizer, tokens, windows),
    estimate: options.method === "strided" ? windowEstimate : ({ losses }) => tokenEstimate(losses),
    questions: await questionsOf(options),
  };
}

async function tokensOf(tokenizer: Tokenizer, { text, method }: Options): Promise<Int32Array> {
  if (text === undefined) {
    return packDocuments(storyDocuments("test", storySeed), tokenizer, storyTokens);
  }
  const whole = await readTextFile(text);
  // llama-perplexity takes one line end off the file's end.
  return tokenizer.encode(method === "llama.cpp" ? whole.replace(/\n$/, "") : whole);
}

function windowsOf(
  tokens: Int32Array,
  { vocabulary }: Tokenizer,
  context: number,
  { method, stride }: Options,
): TextWindow[] {
  if (method === "strided") {
    return stridedWindows(tokens.length, context, stride ?? Math.max(1, context >> 1));
  }
  if (stride !== undefined) {
    throw new UsageError("--stride is for --method strided; llama.cpp's windows are disjoint.");
  }
  // The file says whether its texts begin with a token by beginning this one with it.
  const begins = tokens[0] === vocabulary.bos;
  return llamaCppWindows(tokens.length, context, begins ? vocabulary.bos : undefined);
}

/** llama-perplexity takes its 512 whatever the model says; strided windows end where the model does. */
function contextOf(file: GgufFile, { context, method }: Options): number {
  const { contextLength } = llamaConfigFromGguf(file);
  const fitting = method === "llama.cpp" ? defaultContext : Math.min(defaultContext, contextLength);
  const chosen = context ?? fitting;
  if (chosen > contextLength) {
    process.stderr.write(
      `${file.name} says that it looks back on ${contextLength} tokens; a context of ${chosen} may be beyond what it learned.\n`,
    );
  }
  return chosen;
}

async function questionsOf({ choices, questions }: Options): Promise<Examination["questions"]> {
  if (questions === 0) return [];
  if (choices !== undefined) return readChoiceFile(choices, questions);
  return storyQuestions("test", storySeed, questions);
}

/** Names with commas between them, each once. */
function variants(text: string): readonly QuantVariant[] {
  const found = text.split(",").map((name) => quantVariantNamed(name.trim()));
  if (new Set(found.map(({ name }) => name)).size === found.length) return found;
  throw new UsageError(`--quants ${text} names a format twice; name each once.`);
}
