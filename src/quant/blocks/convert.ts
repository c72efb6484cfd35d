/** A GGUF model in another format: which tensor becomes what, and the bytes, piece by piece. */
import { isPlain, type Dtype } from "../../core/dtypes.ts";
import { InputError } from "../../core/errors.ts";
import { silent, type Progress } from "../../core/progress.ts";
import type { ByteSink } from "../../formats/byte-sink.ts";
import { quoted } from "../../formats/byte-source.ts";
import type { GgufFile } from "../../formats/gguf/gguf-file.ts";
import { writeGguf, type GgufOutline } from "../../formats/gguf/gguf-writer.ts";
import { countAt, numbersAt, textAt } from "../../formats/gguf/metadata-access.ts";
import { littleEndianBytes } from "../../formats/plain-values.ts";
import type { StoredTensor } from "../../formats/stored-tensors.ts";
import { quantizeBlocks } from "./quantize.ts";
import { recipeDtype, recipeNamed, type RecipeDtype, type RecipeModel } from "./recipe.ts";
import { tensorValues } from "./tensor-values.ts";

/** ggml's GGML_QNT_VERSION: the layout of the block formats that we write. */
const quantizationVersion = 2;

export interface ConvertOptions {
  /** Quantise again what is quantised already, and lose what that loses. */
  readonly requantize?: boolean;
  /** Told the tensors done, of how many, and the name of the next. */
  readonly progress?: Progress;
}

/** A tensor with the format that it gets. */
export interface ConvertedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly from: StoredTensor;
}

/**
 * What `file` becomes by the recipe called `recipeName`, without its bytes. Throws UsageError for an
 * unknown recipe; InputError for a big-endian file, and for blocks unless `requantize` is set.
 */
export function planConversion(
  file: GgufFile,
  recipeName: string,
  { requantize = false }: ConvertOptions = {},
): GgufOutline<ConvertedTensor> {
  const recipe = recipeNamed(recipeName);
  if (!file.littleEndian) {
    throw new InputError(`${file.name} is big-endian, and only little-endian files are converted.`);
  }
  const model = recipeModel(file);
  const tensors = file.tensors.map((from): ConvertedTensor => {
    const { name, shape } = from;
    const dtype = recipeDtype(recipe, name, shape, model) ?? from.dtype;
    if (dtype !== from.dtype && !isPlain(from.dtype) && !requantize) {
      throw new InputError(
        `Tensor ${quoted(name)} of ${file.name} is quantised to ${from.dtype} already: start from an F32, F16 or BF16 file, or ask for requantising.`,
      );
    }
    return { name, shape, dtype, from };
  });
  const metadata = new Map(file.metadata)
    .set("general.quantization_version", { type: "u32", value: quantizationVersion })
    .set("general.file_type", { type: "u32", value: recipe.fileType });
  return { version: file.version, littleEndian: true, metadata, tensors };
}

/**
 * Writes `file` in another format to `sink`. Throws as `planConversion` does, and InputError for
 * weights that the format cannot hold.
 */
export async function convertGguf(
  file: GgufFile,
  recipeName: string,
  sink: ByteSink,
  options: ConvertOptions = {},
): Promise<void> {
  const { progress = silent } = options;
  const outline = planConversion(file, recipeName, options);
  let done = 0;
  try {
    await writeGguf(sink, outline, (tensor) => {
      progress.update(done++, outline.tensors.length, tensor.name);
      return convertedPieces(file, tensor);
    });
  } finally {
    progress.finish();
  }
}

/** The bytes of a tensor in its new format. Throws InputError for weights that it cannot hold. */
export async function* convertedPieces(
  file: GgufFile,
  { name, dtype, from }: ConvertedTensor,
): AsyncGenerator<Uint8Array> {
  if (dtype === from.dtype) {
    yield* storedPieces(file, from);
    return;
  }
  for await (const values of tensorValues(file, from)) {
    try {
      yield encoded(dtype as RecipeDtype, values);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw new InputError(`Tensor ${quoted(name)} of ${file.name}: ${error.message}`);
    }
  }
}

/** The bytes as they are, a few megabytes at a time. */
async function* storedPieces(
  file: GgufFile,
  { name, numBytes }: StoredTensor,
): AsyncGenerator<Uint8Array> {
  const pieceBytes = 2 ** 22;
  for (let start = 0; start < numBytes; start += pieceBytes) {
    yield await file.readBytes(name, start, Math.min(numBytes, start + pieceBytes));
  }
}

function encoded(dtype: RecipeDtype, values: Float32Array): Uint8Array {
  return dtype === "F32" ? littleEndianBytes(values, 4) : quantizeBlocks(dtype, values);
}

/** What recipes have to know about the model in `file`. */
export function recipeModel(file: GgufFile): RecipeModel {
  const architecture = textAt(file, "general.architecture") ?? "";
  const count = (key: string): number | undefined => countAt(file, `${architecture}.${key}`);
  // Models whose layers differ have an array here, and llama.cpp goes by its first layer.
  const heads = (key: string): number | undefined =>
    file.metadata.get(`${architecture}.${key}`)?.type === "array"
      ? numbersAt(file, `${architecture}.${key}`)?.[0]
      : count(key);
  const numHeads = heads("attention.head_count") ?? 1;
  return {
    numLayers: count("block_count") ?? 0,
    numHeads,
    numKvHeads: heads("attention.head_count_kv") ?? numHeads,
    hasOutput: file.tensors.some(({ name }) => name === "output.weight"),
  };
}
