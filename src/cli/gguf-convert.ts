/** `infinity gguf convert`: a model in another format, written whole or not at all. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Dtype } from "../core/dtypes.ts";
import { UsageError } from "../core/errors.ts";
import { openGgufFile, writeAtomically } from "../corpus/files.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { convertGguf, planConversion } from "../quant/blocks/convert.ts";
import { recipeNamed } from "../quant/blocks/recipe.ts";
import { progressBar } from "./progress-bar.ts";

interface Options {
  to: string;
  out: string;
  requantize?: true;
  json?: true;
}

/** Converts a file and prints how many tensors became what, and the size before and after. */
export async function convert(path: string, options: Options): Promise<void> {
  recipeNamed(options.to);
  if (resolve(path) === resolve(options.out)) {
    throw new UsageError("--out names the file that is read; name another.");
  }
  const file = await openGgufFile(path);
  try {
    const progress = progressBar("tensors");
    const requantize = options.requantize === true;
    const counts = countTypes(planConversion(file, options.to, { requantize }).tensors);
    await writeAtomically(options.out, (sink) =>
      convertGguf(file, options.to, sink, { requantize, progress }),
    );
    const bytesAfter = (await stat(options.out)).size;
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ out: options.out, tensors: counts, bytesBefore: file.fileSize, bytesAfter })}\n`
        : describe(file, options.out, counts, bytesAfter),
    );
  } finally {
    await file.close();
  }
}

function countTypes(tensors: readonly { dtype: Dtype }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { dtype } of tensors) counts[dtype] = (counts[dtype] ?? 0) + 1;
  return counts;
}

function describe(
  file: GgufFile,
  out: string,
  counts: Readonly<Record<string, number>>,
  bytesAfter: number,
): string {
  const types = Object.entries(counts).map(([dtype, count]) => `${count} in ${dtype}`);
  const share = ((100 * bytesAfter) / file.fileSize).toFixed(1);
  return `wrote ${out}: ${types.join(", ")}\n${file.fileSize} bytes → ${bytesAfter}, ${share} % of the size\n`;
}
