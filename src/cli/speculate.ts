/**
 * `infinity speculate`: a small model guesses, a large one checks. The same text is also written
 * plainly, in turns, so that the speed-up is measured and not promised.
 */
import { InvalidArgumentError, Option, type Command } from "commander";
import { InputError, UsageError } from "../core/errors.ts";
import { shippedModel } from "../corpus/shipped-models.ts";
import { readTextFile } from "../corpus/text-file.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { llamaConfigFromGguf } from "../model/config.ts";
import { roundings, type Rounding } from "../model/rounded-rows.ts";
import type { Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { checkSampling, defaultSampling, type SamplingOptions } from "../runtime/sampler.ts";
import {
  addDeviceOption,
  addThreadsOption,
  type DeviceOptions,
  type ThreadsOptions,
} from "./model-options.ts";
import { decimal, positiveNumber, wholeNumber } from "./option-values.ts";
import { progressBar } from "./progress-bar.ts";
import {
  sourceNames,
  tokensPerSecond,
  totalsOf,
  writePlainly,
  writeSpeculatively,
  type Guessing,
  type Pair,
  type Writing,
  type Written,
} from "./speculate-measure.ts";
import {
  legend,
  paintFor,
  passLine,
  speculationSummary,
  type SpeculationReport,
} from "./speculate-report.ts";
import { AdaptiveLength } from "../runtime/speculative-length.ts";
import { openPair } from "./speculation-pair.ts";
import { openStudentVerify } from "./speculate-with-exercise.ts";

interface Options
  extends
    Pick<SamplingOptions, "temperature" | "topK" | "topP" | "minP">,
    DeviceOptions,
    ThreadsOptions,
    Omit<Guessing, "reference" | "policy"> {
  readonly draft: string;
  readonly target: string;
  readonly draftWeights: Rounding;
  readonly draftThreads?: number;
  readonly prompt: string;
  readonly maxTokens: number;
  readonly seed: number;
  readonly rounds: number;
  readonly reference?: string;
  readonly use?: string;
  readonly json?: true;
}

/** The most tokens that may be guessed in a row: beyond, hardly any is ever accepted. */
const mostLength = 32;
const mostBranches = 8;
/** Of a reference, in characters: it is searched for every pass. */
const mostReference = 2 ** 18;

/** Adds the options and the action of `infinity speculate`. */
export function define(command: Command): void {
  const { topK, topP, minP } = defaultSampling;
  command
    .requiredOption("--prompt <text>", "what the models continue")
    .option("--draft <file>", "the GGUF model that guesses", shippedModel("draft"))
    .option("--target <file>", "the GGUF model that decides", shippedModel("target"))
    .addOption(
      new Option(
        "--draft-weights <format>",
        "what the draft is rounded to: guesses need not be exact",
      )
        .choices(roundings)
        .default("Q8_0"),
    )
    .option("--draft-threads <n>", "without it one for a small draft", positiveNumber)
    .addOption(
      new Option(
        "--source <name>",
        "who guesses: the draft, the text so far, or a tree of the draft's",
      )
        .choices(sourceNames)
        .default("model"),
    )
    .option("--length <n>", "tokens to guess in a row, or adaptive", draftLength, "adaptive")
    .option("--branches <n>", "candidates at each position of a tree", positiveNumber, 2)
    .option("--reference <file>", "a text that ngram looks in, too: an earlier answer, a draft")
    .option("--max-tokens <n>", "the most tokens to generate", wholeNumber, 128)
    .option("--temperature <t>", "0 takes the likeliest token every time", decimal, 0)
    .option("--top-k <n>", "only the n likeliest tokens; 0 for all", wholeNumber, topK)
    .option("--top-p <p>", "only the likeliest tokens that have p together", decimal, topP)
    .option("--min-p <p>", "only tokens p times as likely as the likeliest", decimal, minP)
    .option("--seed <n>", "the same seed and length give the same text", wholeNumber, 0)
    .option("--rounds <n>", "how often each way is measured", positiveNumber, 3)
    .option("--use <file>", "let the verify of your exercise file decide instead of ours")
    .option("--json", "print one JSON object at the end");
  addThreadsOption(addDeviceOption(command))
    .addHelpText(
      "after",
      `
Examples:
  infinity speculate --prompt "Once upon a time"
  infinity speculate --prompt "One day" --source tree --length 4 --temperature 0.8
  infinity speculate --prompt "The cat said: the cat said:" --source ngram
  infinity speculate --prompt "Once upon a time" --source ngram --reference answer.txt
  infinity speculate --prompt "Once" --length 4 --use exercises/05-speculative-decoding.ts`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  checkOptions(options);
  let prompt = new Int32Array();
  const { target, draft, source, device, threads, draftWeights: rounding, draftThreads } = options;
  const request = { target, draft: source === "ngram" ? undefined : draft, rounding, draftThreads };
  const progress = progressBar("tensors");
  const opened = await openPair({ ...request, device, threads, progress }, (file, tokenizer) => {
    prompt = tokenizer.encode(options.prompt);
    checkLength(file, prompt.length);
  });
  try {
    const { pair, kernels } = opened;
    const reference = await referenceOf(options, pair.tokenizer);
    const guessing = { ...options, reference, policy: new AdaptiveLength() };
    const report = await measure(pair, prompt, options, guessing);
    const whole = {
      ...{ ...report, kernels, threads: opened.threads },
      draftThreads: opened.draftThreads,
      draftWeights: pair.draft ? rounding : null,
    };
    process.stdout.write(options.json ? `${JSON.stringify(whole)}\n` : `${whole.text}\n`);
    process.stderr.write(speculationSummary(whole));
  } finally {
    await opened.close();
  }
}

/** Speculation first, for all to see, to warm up and to learn the length; then both in turns. */
async function measure(
  pair: Pair,
  prompt: Int32Array,
  options: Options,
  guessing: Guessing,
): Promise<Omit<SpeculationReport, "kernels" | "threads" | "draftThreads" | "draftWeights">> {
  const { maxTokens, seed, temperature, topK, topP, minP, rounds } = options;
  const sampling = { ...defaultSampling, temperature, topK, topP, minP };
  const writing: Writing = { prompt, maxTokens, seed, sampling };
  const student = options.use === undefined ? undefined : await openStudentVerify(options.use);
  try {
    const shown = await showPasses(pair, guessing, writing, options, student?.verify);
    await writePlainly(pair, writing);
    const [speculative, plain]: [Written[], Written[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const verify = student?.verify;
      speculative.push(await writeSpeculatively(pair, guessing, writing, undefined, verify));
      plain.push(await writePlainly(pair, writing));
    }
    const { ids, text, finish } = shown;
    const fast = middleSpeed(speculative);
    const slow = middleSpeed(plain);
    return {
      ...{ ids, text, finish, promptTokens: prompt.length },
      ...totalsOf(shown.passes),
      ...{ source: options.source, length: options.length, rounds },
      plainTokensPerSecond: slow,
      speculativeTokensPerSecond: fast,
      speedup: fast === null || slow === null ? null : fast / slow,
      sameText: temperature === 0 ? plain[0]!.ids.join() === ids.join() : null,
    };
  } finally {
    student?.dispose();
  }
}

function showPasses(
  pair: Pair,
  guessing: Guessing,
  writing: Writing,
  { json }: Options,
  verify: Parameters<typeof writeSpeculatively>[4],
): Promise<Written> {
  const paint = paintFor(process.stderr.isTTY && process.stderr.hasColors());
  if (!json) process.stderr.write(legend(paint));
  return writeSpeculatively(
    pair,
    guessing,
    writing,
    (event) => {
      if (json || event.type !== "pass") return;
      process.stderr.write(passLine(event, pair.tokenizer, paint));
    },
    verify,
  );
}

function checkOptions(options: Options): void {
  checkSampling({ ...defaultSampling, ...options });
  if (options.maxTokens < 1) throw new UsageError("--max-tokens is 0; at least 1 is needed.");
  if (options.branches > mostBranches) {
    throw new UsageError(`--branches is ${options.branches}; at most ${mostBranches} are tried.`);
  }
  if (options.reference !== undefined && options.source !== "ngram") {
    throw new UsageError("--reference is a text to look in: choose --source ngram.");
  }
  if (options.use === undefined) return;
  if (options.source === "tree") {
    throw new UsageError("--use verifies chains: choose --source model or ngram.");
  }
}

async function referenceOf(
  { reference }: Options,
  tokenizer: Tokenizer,
): Promise<readonly number[] | undefined> {
  if (reference === undefined) return undefined;
  const text = await readTextFile(reference);
  if (text.length <= mostReference) return [...tokenizer.encode(text)];
  throw new InputError(
    `${reference} has ${text.length} characters, and at most ${mostReference} are looked in; shorten it.`,
  );
}

function checkLength(file: GgufFile, numPrompt: number): void {
  const { contextLength } = llamaConfigFromGguf(file);
  if (numPrompt < contextLength) return;
  throw new InputError(
    `The prompt has ${numPrompt} tokens, and ${file.name} looks back on ${contextLength}; shorten it.`,
  );
}

function draftLength(text: string): number | "adaptive" {
  if (text === "adaptive") return text;
  const length = positiveNumber(text);
  if (length <= mostLength) return length;
  throw new InvalidArgumentError(`Give adaptive, or a whole number from 1 to ${mostLength}.`);
}

function middleSpeed(written: readonly Written[]): number | null {
  const speeds = written.map(tokensPerSecond).filter((speed) => speed !== null);
  return speeds.sort((a, b) => a - b)[speeds.length >> 1] ?? null;
}
