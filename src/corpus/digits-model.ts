/**
 * The trained digit classifier that ships in `datasets/digits`: 784 pixels, 256 hidden units with
 * ReLU, 10 digits. Inference only, in plain loops, so that a notebook can put quantised weights in
 * the place of the trained ones and count again.
 */
import { join } from "node:path";
import { InputError, UsageError } from "../core/errors.ts";
import { type TensorFile, findTensor } from "../formats/tensor-file.ts";
import { digitPixels } from "./digits.ts";
import { openTensors } from "./files.ts";

/** A fully connected layer, y = W x + b. */
export interface DigitsLayer {
  /** [out, in] */
  readonly weight: Float32Array;
  /** [out] */
  readonly bias: Float32Array;
}

/** The classifier: `fc1` is [256, 784], `fc2` is [10, 256]. */
export interface DigitsNetwork {
  readonly fc1: DigitsLayer;
  readonly fc2: DigitsLayer;
}

/** Units of the hidden layer. */
export const hiddenUnits = 256;

/** The trained weights that come with the course. */
export const digitsNetworkPath: string = join(
  import.meta.dirname,
  "../../datasets/digits/digits.safetensors",
);

const numDigits = 10;

/**
 * Reads a classifier from a file of tensors, by default the shipped one. Throws InputError where
 * the file or a tensor is missing or a tensor has another shape.
 */
export async function loadDigitsNetwork(path: string = digitsNetworkPath): Promise<DigitsNetwork> {
  const file = await openTensors(path);
  try {
    return {
      fc1: await readLayer(file, "fc1", hiddenUnits, digitPixels),
      fc2: await readLayer(file, "fc2", numDigits, hiddenUnits),
    };
  } finally {
    await file.close();
  }
}

/**
 * The digit that `network` sees in each picture, [count], of `images` [count, 784]. Throws
 * UsageError where the images or the network have another size.
 */
export function classify({ fc1, fc2 }: DigitsNetwork, images: Float32Array): Uint8Array {
  checkLength("images", images, Math.ceil(images.length / digitPixels) * digitPixels);
  checkLength("fc1.weight", fc1.weight, hiddenUnits * digitPixels);
  checkLength("fc1.bias", fc1.bias, hiddenUnits);
  checkLength("fc2.weight", fc2.weight, numDigits * hiddenUnits);
  checkLength("fc2.bias", fc2.bias, numDigits);
  const labels = new Uint8Array(images.length / digitPixels);
  for (const i of labels.keys()) {
    const image = images.subarray(i * digitPixels, (i + 1) * digitPixels);
    const hidden = forward(fc1, image).map((x) => Math.max(0, x));
    labels[i] = largest(forward(fc2, hidden));
  }
  return labels;
}

/** The share of `predicted` that equals `labels`. Throws UsageError for lists of unequal length. */
export function accuracy(predicted: Uint8Array, labels: Uint8Array): number {
  checkLength("predicted", predicted, labels.length);
  return predicted.filter((digit, i) => digit === labels[i]).length / labels.length;
}

/** y = W x + b. Four fifths of a digit's pixels are empty, and are passed over. */
function forward({ weight, bias }: DigitsLayer, x: Float32Array): Float32Array {
  const inked = Uint16Array.from(x.keys()).filter((i) => x[i] !== 0);
  const y = new Float32Array(bias.length);
  for (let row = 0; row < y.length; row++) {
    let sum = bias[row]!;
    for (let k = 0; k < inked.length; k++) {
      const i = inked[k]!;
      sum += weight[row * x.length + i]! * x[i]!;
    }
    y[row] = sum;
  }
  return y;
}

function largest(scores: Float32Array): number {
  return scores.reduce((best, score, digit) => (score > scores[best]! ? digit : best), 0);
}

async function readLayer(
  file: TensorFile,
  name: string,
  out: number,
  inputs: number,
): Promise<DigitsLayer> {
  return {
    weight: await readShaped(file, `${name}.weight`, [out, inputs]),
    bias: await readShaped(file, `${name}.bias`, [out]),
  };
}

async function readShaped(
  file: TensorFile,
  name: string,
  shape: readonly number[],
): Promise<Float32Array> {
  const found = findTensor(file, name).shape;
  if (found.join() === shape.join()) return file.readFloat32(name);
  throw new InputError(
    `${file.name} is no digit classifier: ${name} has the shape [${found.join(", ")}] and needs [${shape.join(", ")}].`,
  );
}

function checkLength(name: string, values: ArrayLike<number>, length: number): void {
  if (values.length === length) return;
  throw new UsageError(`${name} has ${values.length} values and needs ${length}.`);
}
