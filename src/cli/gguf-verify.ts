/** `infinity gguf verify`: what can be wrong with a file, one line for each. */
import { InputError } from "../core/errors.ts";
import { fileSource, type Closable } from "../corpus/files.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { quoted } from "../formats/byte-source.ts";
import { openGguf, type GgufFile } from "../formats/gguf/gguf-file.ts";
import { dequantizeBlocks } from "../quant/blocks/dequantize.ts";
import { summarizePieces } from "../quant/blocks/tensor-summary.ts";
import { tensorValues } from "../quant/blocks/tensor-values.ts";
import { progressBar } from "./progress-bar.ts";

interface Options {
  values?: true;
  json?: true;
}

/** What was looked at, and what was found. */
interface Check {
  readonly name: "structure" | "padding" | "size" | "values";
  readonly ok: boolean;
  readonly found: string;
}

/** Checks a file, prints a line for each check and sets exit status 1 where one failed. */
export async function verify(path: string, options: Options): Promise<void> {
  const source = await fileSource(path);
  const checks = await checksOf(source, options);
  const ok = checks.every((check) => check.ok);
  const lines = checks.map(
    ({ name, ok, found }) => `${ok ? "ok  " : "FAIL"}  ${name.padEnd(9)}  ${found}\n`,
  );
  process.stdout.write(options.json ? `${JSON.stringify({ ok, checks })}\n` : lines.join(""));
  if (!ok) process.exitCode = 1;
}

async function checksOf(source: ByteSource & Closable, options: Options): Promise<Check[]> {
  try {
    const file = await openGguf(source, dequantizeBlocks);
    const checks = [structure(file), await padding(source, file), size(file)];
    return options.values ? [...checks, await values(file)] : checks;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [{ name: "structure", ok: false, found: error.message }];
  } finally {
    await source.close();
  }
}

/** A file that opened is sound: reading the header refuses all else. */
function structure({ version, littleEndian, metadata, tensors, alignment }: GgufFile): Check {
  const order = littleEndian ? "little-endian" : "big-endian";
  const found = `version ${version}, ${order}, ${metadata.size} keys; ${tensors.length} tensors on multiples of ${alignment}, none on another`;
  return { name: "structure", ok: true, found };
}

/** Between the header, the tensors and the end of the file there are only zeros. */
async function padding(source: ByteSource, file: GgufFile): Promise<Check> {
  let numBytes = 0;
  // What is wider is no padding, and the check of the size reports it.
  for (const { start, end } of gaps(file).filter((gap) => gap.end - gap.start < file.alignment)) {
    numBytes += end - start;
    const bytes = await source.read(start, end - start);
    const wrong = bytes.findIndex((byte) => byte !== 0);
    if (wrong >= 0) {
      const found = `byte ${start + wrong} between tensors is ${bytes[wrong]!}, and padding is 0`;
      return { name: "padding", ok: false, found };
    }
  }
  return { name: "padding", ok: true, found: `${numBytes} bytes, all 0` };
}

/** Header, tensors and padding below the alignment make up the whole file. */
function size(file: GgufFile): Check {
  const wide = gaps(file).find(({ start, end }) => end - start >= file.alignment);
  const tensorBytes = file.tensors.reduce((sum, { numBytes }) => sum + numBytes, 0);
  const gapBytes = gaps(file).reduce((sum, { start, end }) => sum + end - start, 0);
  const found = wide
    ? `bytes ${wide.start} to ${wide.end} belong to nothing, and padding is shorter than ${file.alignment}`
    : `${file.headerBytes} of header + ${tensorBytes} of tensors + ${gapBytes} of padding = ${file.fileSize}, the file's size`;
  return { name: "size", ok: !wide, found };
}

async function values(file: GgufFile): Promise<Check> {
  const bar = progressBar("tensors");
  try {
    for (const [i, tensor] of file.tensors.entries()) {
      bar.update(i, file.tensors.length, tensor.name);
      const { numNonFinite } = await summarizePieces(tensorValues(file, tensor));
      if (numNonFinite > 0) {
        const found = `tensor ${quoted(tensor.name)} has ${numNonFinite} values that are NaN or infinite`;
        return { name: "values", ok: false, found };
      }
    }
    return { name: "values", ok: true, found: "all finite" };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { name: "values", ok: false, found: error.message };
  } finally {
    bar.finish();
  }
}

/** What lies before, between and after the tensors, in bytes from the start of the file. */
function gaps({ tensors, headerBytes, fileSize }: GgufFile): { start: number; end: number }[] {
  const ordered = [...tensors]
    .filter(({ numBytes }) => numBytes > 0)
    .sort((a, b) => a.offset - b.offset);
  const starts = [headerBytes, ...ordered.map(({ offset, numBytes }) => offset + numBytes)];
  const ends = [...ordered.map(({ offset }) => offset), fileSize];
  return starts.map((start, i) => ({ start, end: ends[i]! }));
}
