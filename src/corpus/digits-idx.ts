/**
 * Digits from IDX files, the format in which MNIST is published. The course ships no MNIST: who has
 * the files can judge our network with them.
 */
import { gunzipSync } from "node:zlib";
import { InputError } from "../core/errors.ts";
import { type Digits, digitPixels } from "./digits.ts";
import { digitSide } from "./digits-pen.ts";
import { fileSource } from "./files.ts";

/** The first four bytes: two zeros, 8 for unsigned bytes, the number of dimensions. */
const imagesMagic = 0x803;
const labelsMagic = 0x801;

/** MNIST's training set has 60,000 pictures; no larger file is unpacked. */
const mostDigits = 60_000;
const mostBytes = 16 + mostDigits * digitPixels;

/**
 * Reads a gzipped pair of IDX files of 28 × 28 pictures and their labels. Throws InputError for a
 * foreign, truncated or larger file, and for files of unequal length.
 */
export async function readIdxDigits(imagesPath: string, labelsPath: string): Promise<Digits> {
  const pixels = await readIdx(imagesPath, imagesMagic, [digitSide, digitSide]);
  const labels = await readIdx(labelsPath, labelsMagic, []);
  if (pixels.length !== labels.length * digitPixels) {
    throw new InputError(
      `${imagesPath} holds ${pixels.length / digitPixels} pictures and ${labelsPath} ${labels.length} labels: they need as many.`,
    );
  }
  return { images: Float32Array.from(pixels, (level) => level / 255), labels };
}

/** The values of an IDX file whose items have the shape `item`. */
async function readIdx(path: string, magic: number, item: readonly number[]): Promise<Uint8Array> {
  const bytes = await unpack(path);
  const headerBytes = 8 + 4 * item.length;
  if (bytes.length < headerBytes) throw new InputError(`${path} is too short for an IDX file.`);
  const words = Array.from({ length: headerBytes / 4 }, (_, i) => bytes.readUInt32BE(4 * i));
  const [found, count = 0, ...shape] = words;
  if (found !== magic || shape.join() !== item.join()) {
    throw new InputError(`${path} is no IDX file of 28 × 28 digits or their labels.`);
  }
  const numBytes = headerBytes + item.reduce((product, size) => product * size, count);
  if (bytes.length !== numBytes) {
    throw new InputError(`${path} says it has ${numBytes} bytes, and it has ${bytes.length}.`);
  }
  return new Uint8Array(bytes.subarray(headerBytes));
}

async function unpack(path: string): Promise<Buffer> {
  const file = await fileSource(path);
  try {
    const packed = await file.read(0, Math.min(file.size, mostBytes));
    return gunzipSync(packed, { maxOutputLength: mostBytes });
  } catch (cause) {
    throw new InputError(`${path} does not unpack as gzip to at most ${mostBytes} bytes.`, {
      cause,
    });
  } finally {
    await file.close();
  }
}
