/** What `infinity ppl` prints: a table, and what each format costs as a curve of bars. */
import type { DegradationRow } from "../compress/degradation.ts";
import { paretoFront } from "../eval/pareto.ts";
import { textTable } from "./text-table.ts";

/** What `--json` prints. */
export interface PplReport {
  /** File names without their folders. */
  readonly model: string;
  readonly text: string;
  readonly method: "strided" | "llama.cpp";
  /** In tokens. */
  readonly context: number;
  readonly rows: readonly DegradationRow[];
}

const barWidth = 32;

/** Table and, for two rows or more, the curve. */
export function describeRows({ model, text, method, context, rows }: PplReport): string {
  const head = `${model} on ${text}, ${method}, context ${context}\n\n`;
  const shortened = rows.reduce((most, row) => Math.max(most, row.questionsShortened ?? 0), 0);
  const note =
    shortened > 0
      ? `\n${shortened} questions were longer than what the model looks back on; their beginning was left out.\n`
      : "";
  return head + degradationTable(rows) + (rows.length > 1 ? `\n${curve(rows)}` : "") + note;
}

/** Rows that no other beats in both file size and perplexity. */
export function bestCompromises(rows: readonly DegradationRow[]): readonly DegradationRow[] {
  return paretoFront(rows, ({ fileBytes, ppl }) => [fileBytes, ppl]);
}

/** The cells of the table, the names of the columns first. */
export function tableCells(rows: readonly DegradationRow[]): readonly (readonly string[])[] {
  const head = [
    ...["quant", "ppl", "±", "bits/byte", "Δ loss", "±", "KL", "top-1", "accuracy", "±"],
    ...["file MB", "resident MB", "bits/weight", "tokens/s"],
  ];
  return [head, ...rows.map(cells)];
}

function degradationTable(rows: readonly DegradationRow[]): string {
  const all = tableCells(rows);
  return textTable(
    all,
    all[0]!.map((_, column) => column).filter((column) => column > 0),
  );
}

function cells(row: DegradationRow): string[] {
  return [
    ...[row.quant, row.ppl.toFixed(4), shown(row.stderr, 4), row.bitsPerByte.toFixed(4)],
    ...[shown(row.lossIncrease, 4), shown(row.lossIncreaseStderr, 4), shown(row.kl, 5)],
    ...[percent(row.top1), percent(row.accuracy), percent(row.accuracyStderr)],
    ...[megabytes(row.fileBytes), megabytes(row.residentBytes), row.bitsPerWeight.toFixed(2)],
    row.tokensPerSecond.toFixed(0),
  ];
}

/** From the most bits to the fewest: how much greater perplexity is than that of the first. */
function curve(rows: readonly DegradationRow[]): string {
  const sorted = [...rows].sort((a, b) => b.bitsPerWeight - a.bitsPerWeight);
  const best = Math.min(...rows.map(({ ppl }) => ppl));
  const increases = sorted.map(({ ppl }) => ppl / best - 1);
  const most = Math.max(...increases, 1e-9);
  const front = new Set(bestCompromises(rows));
  const lines = sorted.map((row, i) => [
    front.has(row) ? "*" : "",
    row.quant,
    `${row.bitsPerWeight.toFixed(2)} bits`,
    "█".repeat(Math.round((barWidth * increases[i]!) / most)),
    `+${(100 * increases[i]!).toFixed(2)} %`,
  ]);
  const title = "perplexity above the least; * is beaten by none in both size and perplexity\n";
  return title + textTable(lines, [2, 4]);
}

function shown(value: number | null, digits: number): string {
  return value === null ? "–" : value.toFixed(digits);
}

function percent(share: number | null): string {
  return share === null ? "–" : `${(100 * share).toFixed(1)} %`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}
