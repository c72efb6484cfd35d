/**
 * Calibration: text on its way through a model, half a layer at a time. Holds the hidden states of all
 * windows between two halves and nothing of the layers, so what it takes does not grow with the model's
 * depth. What is done to a half's weights before the states go on through it is the caller's business:
 * states that go through quantised weights let the layers behind them make up for the damage.
 */
import { bytesOfShape } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { toFloat32 } from "../quant/blocks/tensor-values.ts";
import type { StoredTensor } from "../formats/stored-tensors.ts";
import type { HalfLayer, HalfLayerRunner } from "../model/half-layers.ts";
import type { CalibrationWindows } from "./calibration-windows.ts";
import { InputStatistics, type StatisticsOptions } from "./input-statistics.ts";

/** Hidden states [tokens, hiddenSize] of each window. */
export interface WindowStates {
  readonly calibration: readonly Float32Array[];
  readonly heldOut: readonly Float32Array[];
}

/** What to gather about inputs. */
export interface GatherOptions {
  readonly calibration: StatisticsOptions;
  readonly heldOut: StatisticsOptions;
}

/** What was gathered. */
export interface GatheredInputs {
  readonly calibration: InputStatistics;
  readonly heldOut: InputStatistics;
}

/** Makes the inputs of a matrix from a window's hidden states. */
type InputOf = (hidden: Float32Array) => Promise<Float32Array>;

export class Calibration {
  #states: WindowStates;

  /** Goes on from states that were kept. */
  constructor(states: WindowStates) {
    this.#states = states;
  }

  /** Between two halves of layers. */
  get states(): WindowStates {
    return this.#states;
  }

  /** Gathers what enters the first matrices of a half with this norm. */
  firstInputs(
    runner: HalfLayerRunner,
    norm: HalfLayer["norm"],
    options: GatherOptions,
  ): Promise<GatheredInputs> {
    return this.#gather((hidden) => runner.firstInput(hidden, norm), norm.numCols, options);
  }

  /** Gathers what enters the second matrix of a half, which has `cols` columns. */
  secondInputs(
    runner: HalfLayerRunner,
    half: Pick<HalfLayer, "kind" | "norm" | "first">,
    cols: number,
    options: GatherOptions,
  ): Promise<GatheredInputs> {
    return this.#gather((hidden) => runner.secondInput(hidden, half), cols, options);
  }

  /** Takes all states through a half. */
  async advance(runner: HalfLayerRunner, half: HalfLayer): Promise<void> {
    const through = async (windows: readonly Float32Array[]): Promise<Float32Array[]> => {
      const states: Float32Array[] = [];
      for (const hidden of windows) states.push(await runner.apply(hidden, half));
      return states;
    };
    const { calibration, heldOut } = this.#states;
    this.#states = { calibration: await through(calibration), heldOut: await through(heldOut) };
  }

  async #gather(inputOf: InputOf, cols: number, options: GatherOptions): Promise<GatheredInputs> {
    const { calibration, heldOut } = this.#states;
    return {
      calibration: await gather(calibration, inputOf, cols, options.calibration),
      heldOut: await gather(heldOut, inputOf, cols, options.heldOut),
    };
  }
}

async function gather(
  windows: readonly Float32Array[],
  inputOf: InputOf,
  cols: number,
  options: StatisticsOptions,
): Promise<InputStatistics> {
  const statistics = new InputStatistics(cols, options);
  for (const hidden of windows) statistics.add(await inputOf(hidden));
  return statistics;
}

/** The hidden states at the beginning: the windows' embeddings, each token's row read once. */
export async function embedWindows(
  file: GgufFile,
  embedding: StoredTensor,
  { calibration, heldOut }: CalibrationWindows,
): Promise<WindowStates> {
  const rows = await embeddingRows(file, embedding, [...calibration, ...heldOut]);
  const width = embedding.shape[1]!;
  const embed = (tokens: Int32Array): Float32Array => {
    const states = new Float32Array(tokens.length * width);
    tokens.forEach((token, i) => {
      states.set(rows.get(token)!, i * width);
    });
    return states;
  };
  return { calibration: calibration.map(embed), heldOut: heldOut.map(embed) };
}

async function embeddingRows(
  file: GgufFile,
  { name, shape, dtype }: StoredTensor,
  windows: readonly Int32Array[],
): Promise<ReadonlyMap<number, Float32Array>> {
  const [vocabSize, width] = shape as [number, number];
  const rowBytes = bytesOfShape([1, width], dtype);
  const rows = new Map<number, Float32Array>();
  for (const token of new Set(windows.flatMap((window) => [...window]))) {
    if (token < 0 || token >= vocabSize) {
      throw new InputError(`${token} is no token: ${file.name} has ${vocabSize}, from 0 on.`);
    }
    const bytes = await file.readBytes(name, token * rowBytes, (token + 1) * rowBytes);
    rows.set(token, toFloat32(dtype, bytes, width, file.littleEndian));
  }
  return rows;
}
