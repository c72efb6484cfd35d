/**
 * Checkpoints: a safetensors file with all that training needs to go on with the same bits: weights,
 * the optimiser's moments, the losses so far (their number is the step, and seed and step are all the
 * randomness there is), the recipe, and hashes of the text and of the file's own values.
 */
import { createHash } from "node:crypto";
import { InputError } from "../core/errors.ts";
import { fileSource, writeFileAtomically } from "../corpus/files.ts";
import { littleEndianBytes } from "../formats/plain-values.ts";
import { openSafetensors, writeSafetensors, type SafetensorsFile } from "../formats/safetensors.ts";
import type { TrainingRecipe } from "./recipe.ts";
import type { TrainingState } from "./trainer.ts";
import { numParameters } from "./transformer-shape.ts";

/** Raised when what a checkpoint holds changes. */
const formatVersion = "1";

/** What a checkpoint belongs to; another one's is refused. */
export interface TrainingIdentity {
  readonly recipe: TrainingRecipe;
  /** `hashOfTokens` of what is learned from. */
  readonly textHash: string;
}

/** sha256 of the tokens, in hexadecimal. */
export function hashOfTokens(tokens: Int32Array): string {
  return hashOf([tokens]);
}

/**
 * Writes a checkpoint; the file of an earlier one is replaced when the new one is whole. Throws
 * InputError where the disk does not take it: the earlier one is then still there.
 */
export async function saveCheckpoint(
  path: string,
  { recipe, textHash }: TrainingIdentity,
  state: TrainingState,
): Promise<void> {
  const values = valuesOfState(state);
  const entries = Object.entries(values).map(([name, data]) => {
    const shape = name === "validations" ? [data.length / 2, 2] : [data.length];
    return { name, dtype: "F32" as const, shape, data };
  });
  const metadata = {
    version: formatVersion,
    recipe: JSON.stringify(recipe),
    textHash,
    valuesHash: hashOf(Object.values(values)),
  };
  await writeFileAtomically(path, writeSafetensors(entries, metadata));
}

/**
 * Reads the state that `saveCheckpoint` wrote. Throws InputError where the file is missing or damaged,
 * and where it belongs to another recipe or text.
 */
export async function loadCheckpoint(
  path: string,
  identity: TrainingIdentity,
): Promise<TrainingState> {
  const source = await fileSource(path);
  try {
    const file = await openSafetensors(source);
    checkIdentity(path, file.metadata, identity);
    return await readState(path, file, identity.recipe);
  } finally {
    await source.close();
  }
}

/** In the order in which they are hashed. */
function valuesOfState({ parameters, moments, losses, validations }: TrainingState): Values {
  return {
    parameters,
    firstMoments: moments.first,
    secondMoments: moments.second,
    losses: Float32Array.from(losses),
    validations: Float32Array.from(validations.flatMap(({ step, loss }) => [step, loss])),
  };
}

type Values = Readonly<
  Record<"parameters" | "firstMoments" | "secondMoments" | "losses" | "validations", Float32Array>
>;

async function readState(
  path: string,
  file: SafetensorsFile,
  recipe: TrainingRecipe,
): Promise<TrainingState> {
  const damaged = (what: string): InputError =>
    new InputError(`${path} is no sound checkpoint: ${what}; resume from another one.`);
  const read = async (
    name: string,
    isLength: (length: number) => boolean,
  ): Promise<Float32Array> => {
    const found = file.tensors.find((tensor) => tensor.name === name);
    const length = found && found.numBytes / 4;
    if (found?.dtype === "F32" && isLength(length!)) return file.readFloat32(name);
    throw damaged(`its tensor ${name} is missing or has another size`);
  };
  const isAll = (length: number): boolean => length === numParameters(recipe.shape);
  const isHistory = (length: number): boolean => length <= recipe.numSteps;
  const values: Values = {
    parameters: await read("parameters", isAll),
    firstMoments: await read("firstMoments", isAll),
    secondMoments: await read("secondMoments", isAll),
    losses: await read("losses", isHistory),
    validations: await read("validations", (length) => length % 2 === 0 && isHistory(length / 2)),
  };
  if (file.metadata.get("valuesHash") !== hashOf(Object.values(values))) {
    throw damaged("its values are not those that were written");
  }
  const { validations } = values;
  return {
    parameters: values.parameters,
    moments: { first: values.firstMoments, second: values.secondMoments },
    losses: [...values.losses],
    validations: Array.from({ length: validations.length / 2 }, (_, i) => ({
      step: validations[2 * i]!,
      loss: validations[2 * i + 1]!,
    })),
  };
}

function checkIdentity(
  path: string,
  metadata: ReadonlyMap<string, string>,
  { recipe, textHash }: TrainingIdentity,
): void {
  if (metadata.get("version") !== formatVersion) {
    throw new InputError(`${path} is no checkpoint of this version of the trainer.`);
  }
  const difference = firstDifference(recipe, recipeOf(path, metadata.get("recipe")));
  if (difference) {
    const { field, wanted, found } = difference;
    throw new InputError(
      `${path} was trained with ${field} ${found}, and this training has ${wanted}; resume with the same preset, seed, steps and kind of backend, or train into another folder.`,
    );
  }
  if (metadata.get("textHash") !== textHash) {
    throw new InputError(
      `${path} was trained on another text; resume with the same one, or train into another folder.`,
    );
  }
}

function recipeOf(path: string, text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    throw new InputError(`${path} is no sound checkpoint: it does not say how it was trained.`);
  }
}

/** The first number of `wanted`, by its path, that `found` has not. */
function firstDifference(
  wanted: object,
  found: unknown,
  prefix = "",
): { field: string; wanted: number; found: string } | undefined {
  for (const [name, value] of Object.entries(wanted) as [string, number | object][]) {
    const has = typeof found === "object" && found !== null && Object.hasOwn(found, name);
    const other: unknown = has ? (found as Record<string, unknown>)[name] : undefined;
    const field = `${prefix}${name}`;
    if (typeof value === "object") {
      const inner = firstDifference(value, other, `${field}.`);
      if (inner) return inner;
    } else if (other !== value) {
      return { field, wanted: value, found: typeof other === "number" ? String(other) : "unknown" };
    }
  }
  return undefined;
}

/** sha256 of all values as they stand in a file, in hexadecimal. */
function hashOf(arrays: readonly (Float32Array | Int32Array)[]): string {
  const hash = createHash("sha256");
  for (const array of arrays) hash.update(littleEndianBytes(array, 4));
  return hash.digest("hex");
}
