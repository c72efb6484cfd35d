/**
 * A folder with what is finished of a model that is being quantised: one file for each layer, its
 * report, and the hidden states behind the last one. Whoever begins the same work again goes on there.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { InputError } from "../core/errors.ts";
import { cannotWrite, fileSource, writeAtomically, writeFileAtomically } from "../corpus/files.ts";
import type { ByteSink } from "../formats/byte-sink.ts";
import { littleEndianBytes, plainToFloat32 } from "../formats/plain-values.ts";
import type { WindowStates } from "./calibrate.ts";

/** Everything that the result depends on, as JSON holds it. */
export type WorkRecipe = Readonly<Record<string, unknown>>;

/** How the states are cut into windows; all windows have the same length. */
export interface StateShape {
  readonly numCalibration: number;
  readonly numHeldOut: number;
  /** Values of one window. */
  readonly windowValues: number;
}

const recipeFile = "recipe.json";

export class UnfinishedModel {
  readonly folder: string;
  #numFinished: number;

  private constructor(folder: string, numFinished: number) {
    this.folder = folder;
    this.#numFinished = numFinished;
  }

  /**
   * The folder for `recipe`, made where there is none. Throws InputError where it belongs to another
   * recipe or cannot be written to.
   */
  static async open(folder: string, recipe: WorkRecipe): Promise<UnfinishedModel> {
    const file = join(folder, recipeFile);
    // As it will be read again: without what is undefined.
    const wanted = JSON.parse(JSON.stringify(recipe)) as WorkRecipe;
    if (existsSync(file)) checkSame(folder, await readRecipe(file), wanted);
    else {
      await mkdir(folder, { recursive: true }).catch(cannotWrite(folder));
      await writeFileAtomically(file, `${JSON.stringify(wanted, null, 1)}\n`);
    }
    let numFinished = 0;
    while (existsSync(join(folder, reportName(numFinished)))) numFinished++;
    return new UnfinishedModel(folder, numFinished);
  }

  /** Layers that are finished, from the first on. */
  get numFinished(): number {
    return this.#numFinished;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** The hidden states behind the last finished layer. Throws InputError where the file is damaged. */
  async readStates({
    numCalibration,
    numHeldOut,
    windowValues,
  }: StateShape): Promise<WindowStates> {
    const source = await fileSource(this.path(statesName(this.#numFinished)));
    try {
      const windowBytes = windowValues * Float32Array.BYTES_PER_ELEMENT;
      if (source.size !== (numCalibration + numHeldOut) * windowBytes) {
        throw new InputError(
          `${source.name} in ${this.folder} is damaged: it has ${source.size} bytes; delete the folder and begin again.`,
        );
      }
      const read = async (begin: number, count: number): Promise<Float32Array[]> => {
        const windows: Float32Array[] = [];
        for (let i = begin; i < begin + count; i++) {
          windows.push(plainToFloat32(await source.read(i * windowBytes, windowBytes), "F32"));
        }
        return windows;
      };
      return {
        calibration: await read(0, numCalibration),
        heldOut: await read(numCalibration, numHeldOut),
      };
    } finally {
      await source.close();
    }
  }

  /** The reports of all finished layers. */
  async readReports(): Promise<readonly unknown[]> {
    const reports: unknown[] = [];
    for (let layer = 0; layer < this.#numFinished; layer++) {
      reports.push(JSON.parse(await readFile(this.path(reportName(layer)), "utf8")) as unknown);
    }
    return reports;
  }

  /** Adds the next layer, which counts once its report is there: that is written last. */
  async finishLayer(
    name: string,
    write: (sink: ByteSink) => Promise<void>,
    states: WindowStates,
    report: unknown,
  ): Promise<void> {
    const layer = this.#numFinished;
    await writeAtomically(this.path(name), write);
    await writeAtomically(this.path(statesName(layer + 1)), async (sink) => {
      for (const window of [...states.calibration, ...states.heldOut]) {
        await sink.write(littleEndianBytes(window, 4));
      }
    });
    await writeFileAtomically(this.path(reportName(layer)), `${JSON.stringify(report)}\n`);
    await rm(this.path(statesName(layer)), { force: true });
    this.#numFinished++;
  }

  /** Deletes what only the work needed; other files stay. */
  async removeNotes(): Promise<void> {
    const names = [recipeFile, statesName(this.#numFinished)];
    for (let layer = 0; layer < this.#numFinished; layer++) names.push(reportName(layer));
    for (const name of names) await rm(this.path(name), { force: true });
  }

  /** Deletes the folder. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

function statesName(layer: number): string {
  return `states-${layer}.f32`;
}

function reportName(layer: number): string {
  return `layer-${layer}.json`;
}

async function readRecipe(file: string): Promise<WorkRecipe> {
  try {
    const recipe: unknown = JSON.parse(await readFile(file, "utf8"));
    if (typeof recipe === "object" && recipe !== null) return recipe as WorkRecipe;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new InputError(`${file} is damaged; delete its folder and begin again.`);
}

function checkSame(folder: string, found: WorkRecipe, wanted: WorkRecipe): void {
  const keys = [...new Set([...Object.keys(wanted), ...Object.keys(found)])];
  const other = keys.find((key) => !isDeepStrictEqual(found[key], wanted[key]));
  if (other === undefined) return;
  const shown = (value: unknown): string => (value === undefined ? "none" : JSON.stringify(value));
  throw new InputError(
    `${basename(folder)} holds a model that was begun with another recipe (${other} was ${shown(found[other])}, and is now ${shown(wanted[other])}): give the same options to go on, or delete the folder to begin again.`,
  );
}
