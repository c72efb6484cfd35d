/** The two models of a speculation, each on the kernels that suit it. */
import { bytesOfShape } from "../core/dtypes.ts";
import type { Progress } from "../core/progress.ts";
import { openGgufFile, type Closable } from "../corpus/files.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { loadLlama } from "../model/llama.ts";
import { roundedDtype, type Rounding } from "../model/rounded-rows.ts";
import { tokenizerFromGguf, type Tokenizer } from "../model/tokenizer/tokenizer.ts";
import { checkPair } from "../runtime/speculative-generate.ts";
import {
  openForwardKernels,
  type ForwardRequest,
  type OpenedForward,
} from "../tensor/open-forward.ts";
import type { Pair } from "./speculate-measure.ts";

export interface PairRequest extends ForwardRequest {
  /** GGUF files; without a draft no model guesses. */
  readonly target: string;
  readonly draft: string | undefined;
  /** What the draft's matrices are rounded to. */
  readonly rounding: Rounding;
  /** Threads of the draft where the target runs on threads; without it, one for a small model. */
  readonly draftThreads?: number | undefined;
  readonly progress?: Progress;
}

/** A pair that is ready, and what has to be closed. */
export interface OpenedPair {
  readonly pair: Pair;
  /** The target's kernels. */
  readonly kernels: string;
  readonly threads: number;
  /** Null without a draft. */
  readonly draftThreads: number | null;
  readonly close: () => Promise<void>;
}

/** Up to so many bytes of weights, a second thread costs more to wake than it computes. */
const smallModel = 4e6;

/**
 * Opens both models, after `check` has seen the target's file and tokenizer. Throws InputError for
 * files that cannot be run and for a draft with another tokenizer, and what `check` throws.
 */
export async function openPair(
  { target, draft, rounding, draftThreads, progress, ...request }: PairRequest,
  check: (file: GgufFile, tokenizer: Tokenizer) => void = () => undefined,
): Promise<OpenedPair> {
  const opened: OpenedForward[] = [];
  const files: Closable[] = [];
  const open = async (path: string): Promise<GgufFile> => {
    const file = await openGgufFile(path);
    files.push(file);
    return file;
  };
  const close = async (): Promise<void> => {
    for (const one of opened) await one.close();
  };
  try {
    const targetFile = await open(target);
    const tokenizer = tokenizerFromGguf(targetFile.metadata);
    check(targetFile, tokenizer);
    const draftFile = draft === undefined ? undefined : await open(draft);
    if (draftFile) checkPair(tokenizerFromGguf(draftFile.metadata), tokenizer);
    opened.push(await openForwardKernels(request));
    const { kernels, numThreads } = opened[0]!;
    const threads = draftThreads ?? fittingThreads(draftFile, rounding, numThreads);
    if (draftFile && threads !== numThreads) {
      opened.push(await openForwardKernels({ ...request, threads }));
    }
    const options = progress ? { progress } : {};
    const pair = {
      target: await loadLlama(targetFile, kernels, options),
      draft:
        draftFile && (await loadLlama(draftFile, opened.at(-1)!.kernels, { ...options, rounding })),
      tokenizer,
    };
    return {
      ...{ pair, kernels: kernels.name, threads: numThreads, close },
      draftThreads: draftFile ? threads : null,
    };
  } catch (error) {
    await close();
    throw error;
  } finally {
    for (const file of files) await file.close();
  }
}

function fittingThreads(
  file: GgufFile | undefined,
  rounding: Rounding,
  numThreads: number,
): number {
  const bytes = (file?.tensors ?? []).reduce(
    (sum, { dtype, shape }) =>
      sum + bytesOfShape(shape, roundedDtype(dtype, shape.at(-1) ?? 1, rounding)),
    0,
  );
  return bytes <= smallModel ? 1 : numThreads;
}
