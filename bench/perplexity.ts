/**
 * What compression costs the shipped target and stories260K, said by us and by llama.cpp: every variant
 * is written as a GGUF file, which both engines run over the same windows of the same text. The first
 * table has our figures, the second those of the syllabus's table, the third the two perplexities, the
 * fourth what a method gains over plain rounding to the same format, when llama.cpp runs both.
 *
 *     make bench-perplexity ARGS="--chunks 8"
 *
 * stories260K and its text are read below INFINITY_DATA, and left out without it.
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import {
  examineVariants,
  type DegradationRow,
  type Examination,
  type ExaminationOptions,
} from "../src/compress/degradation.ts";
import {
  windowsOfStories,
  windowsOfText,
  type CalibrationWindows,
} from "../src/compress/calibration-windows.ts";
import { quantVariantNamed, type QuantVariant } from "../src/compress/quant-variants.ts";
import { openGgufFile } from "../src/corpus/files.ts";
import { shippedModel } from "../src/corpus/shipped-models.ts";
import { storyDocuments } from "../src/corpus/stories.ts";
import { storyQuestions } from "../src/corpus/story-questions.ts";
import { logProbability } from "../src/eval/log-probability.ts";
import {
  pairedDifference,
  tokenEstimate,
  windowEstimate,
  type TextLosses,
} from "../src/eval/perplexity.ts";
import { scoredBytes } from "../src/eval/score-text.ts";
import { llamaCppWindows, type TextWindow } from "../src/eval/windows.ts";
import { tokenizerFromGguf, type Tokenizer } from "../src/model/tokenizer/tokenizer.ts";
import { openForwardKernels } from "../src/tensor/open-forward.ts";
import { packDocuments } from "../src/training/text.ts";
import { startLlamaCpp, type LlamaCpp } from "./llama-cpp.ts";
import { printTable, saveResult } from "./result.ts";

/** A model with the text it is judged by. */
interface Subject {
  readonly model: string;
  readonly text: string;
  readonly quants: readonly string[];
  readonly tokens: (tokenizer: Tokenizer) => Int32Array;
  readonly calibration: (tokenizer: Tokenizer) => CalibrationWindows;
  /** Multiple choice; only our own models know what these ask. */
  readonly numQuestions: number;
}

const { values } = parseArgs({
  options: {
    chunks: { type: "string", default: "32" },
    questions: { type: "string", default: "200" },
  },
});
const context = 512;
const calibrationSize = { numTokens: 32_768, numHeldOut: 512 };
const data = process.env["INFINITY_DATA"];

const subjects: Subject[] = [
  {
    model: shippedModel("target"),
    text: "stories, test split",
    quants: [
      ...["f16", "q8_0", "q4_0", "q4_k", "gptq-q4_0", "awq-q4_0", "hqq-q4_1", "gptq-q4_k"],
      ...["rtn-3", "gptq-3", "awq-3", "rtn-2", "gptq-2", "awq-2"],
    ],
    tokens: (tokenizer) => packDocuments(storyDocuments("test", 0), tokenizer, context * 64),
    calibration: (tokenizer) =>
      windowsOfStories(tokenizer, { ...calibrationSize, contextLength: context }),
    numQuestions: Number(values.questions),
  },
];
if (data !== undefined && existsSync(join(data, "models/stories260K-f32.gguf"))) {
  const text = readFileSync(join(data, "text/tinystories.txt"), "utf8").replace(/\n$/, "");
  subjects.push({
    model: join(data, "models/stories260K-f32.gguf"),
    text: "tinystories.txt",
    quants: ["f16", "q8_0", "q4_0", "gptq-q4_0", "awq-q4_0", "hqq-q4_1"],
    tokens: (tokenizer) => tokenizer.encode(text),
    // Its end; what is scored is the beginning.
    calibration: (tokenizer) =>
      windowsOfText(tokenizer, text.slice(text.length >> 1), "tinystories.txt", {
        ...calibrationSize,
        contextLength: 128,
      }),
    numQuestions: 0,
  });
}

const llama = await startLlamaCpp(2);
const results: object[] = [];
for (const subject of subjects) results.push(await measure(subject));
await llama.dispose();
saveResult("perplexity", { method: "llama.cpp", context, models: results });

async function measure(subject: Subject): Promise<object> {
  const { model, text, quants, numQuestions } = subject;
  const file = await openGgufFile(model);
  const folder = mkdtempSync(join(tmpdir(), "infinity-perplexity-"));
  try {
    const tokenizer = tokenizerFromGguf(file.metadata);
    const tokens = subject.tokens(tokenizer);
    const begins = tokens[0] === tokenizer.vocabulary.bos;
    const windows = llamaCppWindows(
      tokens.length,
      context,
      begins ? tokenizer.vocabulary.bos : undefined,
    ).slice(0, Number(values.chunks));
    const examination: Examination = {
      ...{ tokens, windows, numBytes: scoredBytes(tokenizer, tokens, windows) },
      estimate: windowEstimate,
      questions: numQuestions > 0 ? storyQuestions("test", 0, numQuestions) : [],
    };
    const calibration = Promise.resolve(subject.calibration(tokenizer));
    const tools: ExaminationOptions = {
      openKernels: () => openForwardKernels({}),
      calibration: () => calibration,
    };
    const variants = quants.map((quant) => keptBelow(quantVariantNamed(quant), folder));
    const rows: (DegradationRow & { llamaCpp: number; ratio: number })[] = [];
    const losses = new Map<string, TextLosses>();
    for await (const row of examineVariants(file, variants, examination, tools)) {
      const written = fileOf(folder, row.quant);
      // F16, with which the others are compared, is written by examineVariants itself.
      if (!existsSync(written)) await quantVariantNamed(row.quant).write(file, written, tools);
      const theirs = await theirLosses(llama, written, tokens, windows);
      rmSync(written);
      losses.set(row.quant, theirs);
      const llamaCpp = Math.exp(tokenEstimate(theirs.losses).mean);
      rows.push({ ...row, llamaCpp, ratio: row.ppl / llamaCpp });
      console.log(`${row.quant}: ${row.ppl.toFixed(4)}, llama.cpp ${llamaCpp.toFixed(4)}`);
    }
    const name = basename(model);
    console.log(`\n${name} on ${text}, ${windows.length} windows of ${context}`);
    printTable(rows.map(ours));
    printTable(rows.map(asInTheSyllabus));
    printTable(rows.map(({ quant, ppl, llamaCpp, ratio }) => ({ quant, ppl, llamaCpp, ratio })));
    const gains = gainsOver(losses);
    printTable(gains);
    return { model: name, text, windows: windows.length, rows, gains };
  } finally {
    rmSync(folder, { recursive: true });
    await file.close();
  }
}

function ours(row: DegradationRow): object {
  const { quant, ppl, stderr, lossIncrease, lossIncreaseStderr, kl, top1, bitsPerWeight } = row;
  return { quant, ppl, stderr, lossIncrease, lossIncreaseStderr, kl, top1, bitsPerWeight };
}

/** Format, perplexity, accuracy and memory. */
function asInTheSyllabus({ quant, ppl, accuracy, residentBytes }: DegradationRow): object {
  return { format: quant, perplexity: ppl, accuracy, residentMb: residentBytes / 1e6 };
}

/** The same variant; what it writes stays below `folder` as well. */
function keptBelow(variant: QuantVariant, folder: string): QuantVariant {
  const own = fileOf(folder, variant.name);
  return {
    name: variant.name,
    write: async (file, path, tools) => {
      await variant.write(file, own, tools);
      copyFileSync(own, path);
    },
  };
}

function fileOf(folder: string, quant: string): string {
  return join(folder, `${quant}.gguf`);
}

/** Of every method with plain rounding beside it: how much less it loses on the same tokens. */
function gainsOver(losses: ReadonlyMap<string, TextLosses>): object[] {
  return [...losses].flatMap(([quant, its]) => {
    const [, method, rest] = /^(gptq|awq|hqq)-(.+)$/.exec(quant) ?? [];
    const plain = losses.has(`rtn-${rest}`) ? `rtn-${rest}` : rest;
    const rounded = plain === undefined ? undefined : losses.get(plain);
    if (method === undefined || rounded === undefined) return [];
    const { mean, standardError } = pairedDifference(its, rounded);
    return [{ quant, than: plain, gain: mean, stderr: standardError ?? null }];
  });
}

async function theirLosses(
  engine: LlamaCpp,
  modelPath: string,
  tokens: Int32Array,
  windows: readonly TextWindow[],
): Promise<TextLosses> {
  const model = await engine.loadModel({ modelPath, gpuLayers: 0 });
  const theirs = await model.createContext({
    ...{ contextSize: context, batchSize: context, threads: 2, flashAttention: false },
    ...{ experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32" },
  });
  const sequence = theirs.getSequence();
  const losses: number[] = [];
  for (const { begin, end, scoreFrom, first } of windows) {
    await sequence.clearHistory();
    const read = [...tokens.subarray(begin, end - 1)];
    if (first !== undefined) read[0] = first;
    const asked = read.map((token, i) =>
      begin + i + 1 < scoreFrom ? token : ([token, { generateNext: { logits: true } }] as const),
    );
    const answers = await sequence.controlledEvaluate(asked);
    for (let target = scoreFrom; target < end; target++) {
      const map = answers[target - begin - 1]!.next.logits!;
      const logits = Float32Array.from({ length: map.size }, (_, id) => map.get(id)!);
      losses.push(-logProbability(logits, tokens[target]!));
    }
  }
  await model.dispose();
  return {
    losses: Float64Array.from(losses),
    windowCounts: windows.map(({ end, scoreFrom }) => end - scoreFrom),
  };
}
