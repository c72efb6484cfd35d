/**
 * What compression costs a model: one row of figures for each way to store it, measured on one text and
 * one list of questions, beside the same model in F16.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOfShape, isPlain, numElements } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { silent, type Progress } from "../core/progress.ts";
import { openGgufFile } from "../corpus/files.ts";
import { answerQuestions, type ChoiceQuestion } from "../eval/multiple-choice.ts";
import {
  bitsPerByte,
  pairedDifference,
  perplexityOf,
  sum,
  type Estimate,
  type TextLosses,
} from "../eval/perplexity.ts";
import { Expectations } from "../eval/expectations.ts";
import { scoreText, type TextScores } from "../eval/score-text.ts";
import type { Scorer } from "../eval/scored-rows.ts";
import type { TextWindow } from "../eval/windows.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { countAt } from "../formats/gguf/metadata-access.ts";
import { llamaConfigFromGguf } from "../model/config.ts";
import { ContiguousKvCache } from "../model/kv-cache.ts";
import { loadLlama, type Llama } from "../model/llama.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { recipeNamed, recipeNames } from "../quant/blocks/recipe.ts";
import type { OpenedForward } from "../tensor/open-forward.ts";
import type { CalibrationWindows } from "./calibration-windows.ts";
import { quantVariantNamed, type QuantVariant } from "./quant-variants.ts";

/** What models are judged by. */
export interface Examination {
  readonly tokens: Int32Array;
  readonly windows: readonly TextWindow[];
  /** Bytes of text that the scored tokens stand for. */
  readonly numBytes: number;
  /** How the standard error of a mean loss is taken. */
  readonly estimate: (losses: TextLosses) => Estimate;
  /** None where accuracy is not wanted. */
  readonly questions: readonly ChoiceQuestion[];
}

/** How models are run. */
export interface ExaminationOptions {
  /** Called for each model, so that one's memory is free when the next is loaded. */
  readonly openKernels: () => Promise<OpenedForward>;
  /** For variants that look at data. */
  readonly calibration: () => Promise<CalibrationWindows>;
  /** Counts windows, and then questions, of each row; the label is its name. */
  readonly progress?: Progress;
  /** Awaited now and then: a place to let other work run, and to throw. */
  readonly pause?: () => Promise<void> | void;
}

/** Figures of one model; null where there was nothing to measure or to compare with. */
export interface DegradationRow {
  readonly quant: string;
  readonly ppl: number;
  readonly stderr: number | null;
  readonly bitsPerByte: number;
  /** KL(F16 ‖ this) in nats a token. */
  readonly kl: number | null;
  /** Share of tokens for which F16 and this expect the same next. */
  readonly top1: number | null;
  /** Share of questions answered rightly, by the probability of the whole answer. */
  readonly accuracy: number | null;
  readonly fileBytes: number;
  /** Weights as the kernels hold them, and keys and values of the longest window or question. */
  readonly residentBytes: number;
  /** Of the text, prompt after prompt; the comparison with F16 is not counted. */
  readonly tokensPerSecond: number;
  readonly bitsPerWeight: number;
  /** Mean loss less that of F16 on the same tokens, in nats, with its paired standard error. */
  readonly lossIncrease: number | null;
  readonly lossIncreaseStderr: number | null;
  /** Root mean square of the change of the probability of the token that came. */
  readonly rmsDeltaP: number | null;
  readonly accuracyStderr: number | null;
  /** As `accuracy`, by the probability per byte of the answer. */
  readonly accuracyPerByte: number | null;
  /** Questions whose beginning the model had no room for. */
  readonly questionsShortened: number | null;
}

/** A model that is ready, and what it takes. */
interface LoadedModel extends Scorer {
  readonly name: string;
  readonly tokenizer: Tokenizer;
  readonly fileBytes: number;
  readonly bitsPerWeight: number;
  readonly cache: ContiguousKvCache;
  readonly close: () => Promise<void>;
}

/** The figures of a model as its file has it. Throws InputError as loading and scoring do. */
export async function examineFile(
  file: GgufFile,
  examination: Examination,
  options: ExaminationOptions,
): Promise<DegradationRow> {
  const room = roomFor(file, examination);
  const loaded = await load(file, storedName(file), room, options);
  try {
    return await examine(loaded, undefined, examination, options);
  } finally {
    await loaded.close();
  }
}

/**
 * The figures of a model in each of `variants`, one row after the other, compared with the model in F16.
 * At most two models are in memory at a time. Throws InputError for a model that is quantised already.
 */
export async function* examineVariants(
  file: GgufFile,
  variants: readonly QuantVariant[],
  examination: Examination,
  options: ExaminationOptions,
): AsyncGenerator<DegradationRow, void> {
  refuseQuantized(file);
  const room = roomFor(file, examination);
  const original = await loadVariant(file, quantVariantNamed("f16"), room, options);
  const { tokens } = examination;
  const { pause = () => undefined } = options;
  const expectations = new Expectations(original, tokens, { pause });
  try {
    for (const variant of variants) {
      if (variant.name === original.name) {
        yield await examine(original, "itself", examination, options);
        continue;
      }
      const loaded = await loadVariant(file, variant, room, options);
      try {
        yield await examine(loaded, expectations, examination, options);
      } finally {
        await loaded.close();
      }
    }
  } finally {
    await original.close();
  }
}

async function examine(
  loaded: LoadedModel,
  original: Expectations | "itself" | undefined,
  { tokens, windows, numBytes, estimate, questions }: Examination,
  { progress = silent, pause = () => undefined }: ExaminationOptions,
): Promise<DegradationRow> {
  const { name, model, cache, fileBytes, bitsPerWeight } = loaded;
  const labelled: Progress = {
    update: (done, total) => {
      progress.update(done, total, name);
    },
    finish: () => {
      progress.finish();
    },
  };
  const scores = await scoreText(loaded, tokens, windows, {
    original: original === "itself" ? undefined : original,
    ...{ progress: labelled, pause, now: () => performance.now() },
  });
  const { perplexity, standardError } = perplexityOf(estimate(scores));
  const answers =
    questions.length > 0
      ? await answerQuestions(loaded, loaded.tokenizer, questions, { progress: labelled, pause })
      : undefined;
  return {
    ...{ quant: name, ppl: perplexity, stderr: standardError ?? null },
    bitsPerByte: bitsPerByte(sum(scores.losses), numBytes),
    ...comparison(scores, original === "itself"),
    accuracy: answers?.accuracy ?? null,
    fileBytes,
    residentBytes: weightBytes(model) + cache.numBytes,
    tokensPerSecond: scores.numRun / (scores.elapsedMs! / 1000),
    bitsPerWeight,
    accuracyStderr: answers?.standardError ?? null,
    accuracyPerByte: answers?.accuracyPerByte ?? null,
    questionsShortened: answers?.numShortened ?? null,
  };
}

type Comparison = Pick<
  DegradationRow,
  "kl" | "top1" | "rmsDeltaP" | "lossIncrease" | "lossIncreaseStderr"
>;

function comparison(
  { losses, windowCounts, original }: TextScores,
  isOriginal: boolean,
): Comparison {
  if (isOriginal) {
    return { kl: 0, top1: 1, rmsDeltaP: 0, lossIncrease: 0, lossIncreaseStderr: 0 };
  }
  if (!original) {
    const [kl, top1, rmsDeltaP] = [null, null, null];
    return { kl, top1, rmsDeltaP, lossIncrease: null, lossIncreaseStderr: null };
  }
  const { kl, top1, rmsDeltaP } = original.divergence;
  const before = { losses: original.losses, windowCounts };
  const { mean, standardError } = pairedDifference(before, { losses, windowCounts });
  return { kl, top1, rmsDeltaP, lossIncrease: mean, lossIncreaseStderr: standardError ?? null };
}

/** Writes a variant to a file of its own and loads it; nothing is left on the disk. */
async function loadVariant(
  file: GgufFile,
  variant: QuantVariant,
  room: number,
  options: ExaminationOptions,
): Promise<LoadedModel> {
  const folder = await mkdtemp(join(tmpdir(), "infinity-variant-"));
  try {
    const path = join(folder, `${variant.name}.gguf`);
    await variant.write(file, path, options);
    const written = await openGgufFile(path);
    try {
      return await load(written, variant.name, room, options);
    } finally {
      await written.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `room` is the tokens of the longest sequence that will be read. */
async function load(
  file: GgufFile,
  name: string,
  room: number,
  { openKernels }: ExaminationOptions,
): Promise<LoadedModel> {
  const { kernels, close } = await openKernels();
  try {
    const tokenizer = tokenizerFromGguf(file.metadata);
    const model = await loadLlama(file, kernels);
    const cache = new ContiguousKvCache(kernels, model.config, room);
    const sizes = { fileBytes: file.fileSize, bitsPerWeight: bitsPerWeight(file) };
    return { name, tokenizer, model, cache, ...sizes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Tokens of the longest window, or of the longest question as far as the model looks back. */
function roomFor(file: GgufFile, { windows, questions }: Examination): number {
  const tokenizer = tokenizerFromGguf(file.metadata);
  const { contextLength } = llamaConfigFromGguf(file);
  const ofWindows = windows.map(({ begin, end }) => end - begin);
  const ofQuestions = questions.flatMap(({ context, choices }) =>
    choices.map((choice) => Math.min(contextLength, tokenizer.encode(context + choice).length)),
  );
  return [...ofWindows, ...ofQuestions].reduce((most, count) => Math.max(most, count), 0);
}

function refuseQuantized(file: GgufFile): void {
  const quantized = file.tensors.find(({ dtype }) => !isPlain(dtype));
  if (!quantized) return;
  throw new InputError(
    `${file.name} is quantised already (${quantized.name} is in ${quantized.dtype}): leave out --quants to measure it as it is, or start from an F32, F16 or BF16 file.`,
  );
}

/** The recipe that the file says it was made by, or else the format that most of it is in. */
function storedName(file: GgufFile): string {
  const fileType = countAt(file, "general.file_type");
  const recipe = recipeNames.find((name) => recipeNamed(name).fileType === fileType);
  if (recipe !== undefined) return recipe;
  const bytes = new Map<string, number>();
  for (const { dtype, numBytes } of file.tensors) {
    bytes.set(dtype, (bytes.get(dtype) ?? 0) + numBytes);
  }
  const [name] = [...bytes].reduce((most, next) => (next[1] > most[1] ? next : most));
  return name.toLowerCase();
}

function bitsPerWeight({ tensors }: GgufFile): number {
  const count = tensors.reduce((total, { shape }) => total + numElements(shape), 0);
  return (8 * tensors.reduce((total, { numBytes }) => total + numBytes, 0)) / count;
}

/** A format that the kernels do not compute with is wider there than in the file. */
function weightBytes({ weights }: Llama): number {
  const { embedding, layers, outputNorm, output, ropeFactors } = weights;
  const matrices = new Set([embedding, output.weight]);
  const vectors = [outputNorm, output.bias];
  for (const { attentionNorm, ffnNorm, ...projections } of layers) {
    vectors.push(attentionNorm, ffnNorm);
    for (const { weight, bias } of Object.values(projections)) {
      matrices.add(weight);
      vectors.push(bias);
    }
  }
  const ofMatrices = [...matrices].map(({ numRows, numCols, dtype }) =>
    bytesOfShape([numRows, numCols], dtype),
  );
  const ofVectors = vectors.map((vector) => (vector ? 4 * vector.numRows * vector.numCols : 0));
  const all = [...ofMatrices, ...ofVectors, ropeFactors?.byteLength ?? 0];
  return all.reduce((total, bytes) => total + bytes, 0);
}
