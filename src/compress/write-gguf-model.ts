/**
 * A quantised model as one GGUF file: its layers from the files in which they were kept, and everything
 * else from the original, in the formats of the recipe.
 */
import type { Dtype } from "../core/dtypes.ts";
import { openGgufFile, writeAtomically } from "../corpus/files.ts";
import { MemorySink } from "../formats/byte-sink.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { writeGguf, type GgufOutline } from "../formats/gguf/gguf-writer.ts";
import { littleEndianBytes } from "../formats/plain-values.ts";
import { convertedPieces, planConversion, type ConvertedTensor } from "../quant/blocks/convert.ts";
import type { OutputFormat } from "./output-format.ts";
import type { LayerWriter, QuantizedLayer } from "./quantize-model.ts";
import type { UnfinishedModel } from "./unfinished-model.ts";

/** Keeps a layer as a GGUF file of its own. */
export const ggufLayerWriter: LayerWriter = {
  fileName: (layer) => `layer-${layer}.gguf`,
  write: async (layer) => {
    const tensors = tensorsOf(layer);
    const sink = new MemorySink();
    const outline = { version: 3, littleEndian: true, metadata: new Map(), tensors };
    await writeGguf(sink, outline, ({ bytes }) => [bytes]);
    return [sink.bytes()];
  },
};

interface LayerTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly bytes: Uint8Array;
}

/** All tensors of a layer; those that were not quantised may have had scales folded into them. */
function tensorsOf(layer: QuantizedLayer): readonly LayerTensor[] {
  const vector = (name: string, values: Float32Array): LayerTensor => ({
    ...{ name, shape: [values.length], dtype: "F32", bytes: littleEndianBytes(values, 4) },
  });
  return layer.flatMap(({ half, matrices }) => [
    vector(half.norm.name, half.norm.values),
    ...matrices.flatMap(({ matrix, encoded }) => [
      {
        ...{ name: matrix.name, shape: [matrix.rows, matrix.cols] },
        ...{ dtype: encoded.dtype, bytes: encoded.bytes },
      },
      ...(matrix.bias ? [vector(matrix.bias.name, matrix.bias.values)] : []),
    ]),
  ]);
}

/** Writes the model to `path`, whole or not at all. Throws InputError where it cannot be written. */
export async function writeGgufModel(
  path: string,
  file: GgufFile,
  format: OutputFormat,
  work: UnfinishedModel,
): Promise<void> {
  const layers: Awaited<ReturnType<typeof openGgufFile>>[] = [];
  try {
    for (let layer = 0; layer < work.numFinished; layer++) {
      layers.push(await openGgufFile(work.path(ggufLayerWriter.fileName(layer))));
    }
    const finished = new Map(
      layers.flatMap((part) => part.tensors.map(({ name, dtype }) => [name, { part, dtype }])),
    );
    const outline = outlineOf(file, format);
    const tensors = outline.tensors.map((tensor) => ({
      ...tensor,
      dtype: finished.get(tensor.name)?.dtype ?? tensor.dtype,
    }));
    await writeAtomically(path, (sink) =>
      writeGguf(sink, { ...outline, tensors }, (tensor) => {
        const found = finished.get(tensor.name);
        return found ? wholeTensor(found.part, tensor.name) : convertedPieces(file, tensor);
      }),
    );
  } finally {
    await Promise.all(layers.map((layer) => layer.close()));
  }
}

/** Where values are kept as they are, what is no matrix of a layer stays as it was. */
function outlineOf(file: GgufFile, format: OutputFormat): GgufOutline<ConvertedTensor> {
  if (format.kind === "blocks") return planConversion(file, format.recipe);
  const { version, littleEndian, metadata, tensors } = planConversion(file, "f16");
  const asTheyWere = tensors.map((tensor) => ({ ...tensor, dtype: tensor.from.dtype }));
  return { version, littleEndian, metadata, tensors: asTheyWere };
}

async function* wholeTensor(part: GgufFile, name: string): AsyncGenerator<Uint8Array> {
  yield await part.readBytes(name);
}
