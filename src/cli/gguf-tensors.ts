/** `infinity gguf tensors`: figures of every tensor's values, and what each weight costs. */
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import { summarizePieces, type TensorSummary } from "../quant/blocks/tensor-summary.ts";
import { tensorValues } from "../quant/blocks/tensor-values.ts";
import { progressBar } from "./progress-bar.ts";
import { textTable } from "./text-table.ts";

interface Row extends TensorSummary {
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
  readonly bitsPerWeight: number;
}

/** Decodes every tensor and prints its figures, with totals. */
export async function tensors(file: GgufFile, { json }: { json?: true }): Promise<void> {
  const bar = progressBar("tensors");
  const rows: Row[] = [];
  try {
    for (const tensor of file.tensors) {
      const { name, dtype, numBytes } = tensor;
      bar.update(rows.length, file.tensors.length, name);
      const summary = await summarizePieces(tensorValues(file, tensor));
      const bitsPerWeight = bitsOf(numBytes, summary.numValues);
      rows.push({ name, type: dtype, bytes: numBytes, bitsPerWeight, ...summary });
    }
  } finally {
    bar.finish();
  }
  const sum = (key: "bytes" | "numValues"): number => rows.reduce((all, row) => all + row[key], 0);
  const [bytes, numValues] = [sum("bytes"), sum("numValues")];
  const total = { bytes, numValues, bitsPerWeight: bitsOf(bytes, numValues) };
  process.stdout.write(
    json ? `${JSON.stringify({ tensors: rows, total })}\n` : describe(rows, total),
  );
}

function describe(
  rows: readonly Row[],
  total: Pick<Row, "bytes" | "numValues" | "bitsPerWeight">,
): string {
  const figure = (value: number): string => (Number.isNaN(value) ? "–" : value.toPrecision(4));
  const cells = rows.map((row) => [
    row.name,
    row.type,
    String(row.bytes),
    bits(row.bitsPerWeight),
    figure(row.min),
    figure(row.max),
    figure(row.mean),
    figure(row.std),
    row.numNonFinite === 0 ? "" : `${row.numNonFinite} not finite`,
  ]);
  const head = ["tensor", "type", "bytes", "bits/weight", "min", "max", "mean", "std", ""];
  return `${textTable([head, ...cells], [2, 3, 4, 5, 6, 7])}
${rows.length} tensors, ${total.numValues} weights in ${total.bytes} bytes: ${bits(total.bitsPerWeight)} bits a weight
`;
}

function bits(value: number): string {
  return Number.isNaN(value) ? "–" : String(Number(value.toFixed(4)));
}

function bitsOf(numBytes: number, numValues: number): number {
  return (8 * numBytes) / numValues;
}
