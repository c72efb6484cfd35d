/**
 * The digit classifier as a GGUF file: a real model, small enough to write and inspect in a second.
 * The first layer is stored a row for each pixel, 256 values long, because a row of 784 is not made
 * of whole blocks in any block format. No program for language models can run it.
 */
import { MemorySink } from "../formats/byte-sink.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { GgufValue } from "../formats/gguf/metadata.ts";
import { writeGguf, type GgufTensor } from "../formats/gguf/gguf-writer.ts";
import { littleEndianBytes } from "../formats/plain-values.ts";
import { quantizeBlocks } from "../quant/blocks/quantize.ts";
import type { RecipeDtype } from "../quant/blocks/recipe.ts";
import { digitPixels } from "./digits.ts";
import { hiddenUnits, type DigitsNetwork } from "./digits-model.ts";

/** The formats of the two weight matrices; biases stay F32. */
export interface DigitsFormats {
  readonly hidden: RecipeDtype;
  readonly output: RecipeDtype;
}

interface DigitsTensor extends GgufTensor {
  readonly values: Float32Array;
  readonly dtype: RecipeDtype;
}

const metadata: ReadonlyMap<string, GgufValue> = new Map([
  ["general.architecture", { type: "string", value: "digits" }],
  ["general.name", { type: "string", value: "A reader of handwritten digits" }],
  ["general.license", { type: "string", value: "CC0-1.0" }],
  ["general.alignment", { type: "u32", value: 32 }],
  ["digits.num_pixels", { type: "u32", value: digitPixels }],
  ["digits.layer_sizes", { type: "array", itemType: "u32", items: Uint32Array.of(784, 256, 10) }],
]);

/** The file's bytes. Throws InputError where a format cannot hold the weights. */
export async function digitsGguf(
  network: DigitsNetwork,
  { hidden, output }: DigitsFormats,
): Promise<Uint8Array<ArrayBuffer>> {
  const { fc1, fc2 } = network;
  const numDigits = fc2.bias.length;
  const perPixel = transposed(fc1.weight, hiddenUnits, digitPixels);
  const tensors: readonly DigitsTensor[] = [
    { name: "hidden.weight", shape: [digitPixels, hiddenUnits], dtype: hidden, values: perPixel },
    { name: "hidden.bias", shape: [hiddenUnits], dtype: "F32", values: fc1.bias },
    { name: "output.weight", shape: [numDigits, hiddenUnits], dtype: output, values: fc2.weight },
    { name: "output.bias", shape: [numDigits], dtype: "F32", values: fc2.bias },
  ];
  const sink = new MemorySink();
  const outline = { version: 3, littleEndian: true, metadata, tensors };
  await writeGguf(sink, outline, ({ dtype, values }) => [
    dtype === "F32" ? littleEndianBytes(values, 4) : quantizeBlocks(dtype, values),
  ]);
  return sink.bytes();
}

/** The classifier in a file that `digitsGguf` wrote. Throws InputError where a tensor is missing. */
export async function digitsFromGguf(file: GgufFile): Promise<DigitsNetwork> {
  const perPixel = await file.readFloat32("hidden.weight");
  return {
    fc1: {
      weight: transposed(perPixel, digitPixels, hiddenUnits),
      bias: await file.readFloat32("hidden.bias"),
    },
    fc2: {
      weight: await file.readFloat32("output.weight"),
      bias: await file.readFloat32("output.bias"),
    },
  };
}

/** `W [rows, cols]` as [cols, rows]. */
function transposed(W: Float32Array, rows: number, cols: number): Float32Array {
  return Float32Array.from(W, (_, i) => W[(i % rows) * cols + Math.floor(i / rows)]!);
}
