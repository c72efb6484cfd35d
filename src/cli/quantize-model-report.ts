/** What `infinity quantize-model` prints for people, and the figures for programs. */
import type { OutputFormat } from "../compress/output-format.ts";
import type { MatrixReport } from "../compress/quantize-model.ts";
import { textTable } from "./text-table.ts";

/** What was done and what it cost. */
export interface ModelReport {
  readonly model: string;
  readonly method: string;
  readonly format: OutputFormat;
  readonly out: string;
  /** Layers that an earlier run had finished. */
  readonly numResumed: number;
  readonly numTokens: number;
  readonly numHeldOut: number;
  readonly seconds: number;
  readonly bytesBefore: number;
  /** Null for a folder. */
  readonly bytesAfter: number | null;
  readonly matrices: readonly MatrixReport[];
  /** What a reader of the result still needs. */
  readonly missing?: string;
}

/** A table of all matrices and what follows from it. */
export function describeModel(report: ModelReport): string {
  const { method, out, matrices, numTokens, numHeldOut, seconds, numResumed } = report;
  const rows = matrices.map(({ name, dtype, errors, rounding }) => [
    ...[name, dtype, percent(errors.inSample), percent(errors.heldOut), percent(rounding.heldOut)],
    ratio(errors.heldOut, rounding.heldOut),
  ]);
  const head = ["matrix", "type", "in sample", "held out", "plain rounding", "ratio"];
  const notes = matrices.flatMap(({ name, note }) =>
    note === undefined ? [] : [`${name}: ${note}`],
  );
  const mean = geometricMean(matrices);
  const lines = [
    `outputs' errors as parts of their mean square, over ${numTokens} tokens of calibration and ${numHeldOut} held out`,
    ...(method === "rtn" || mean === undefined
      ? []
      : [`held-out error of ${method} to plain rounding, geometric mean: ${mean.toFixed(3)}`]),
    ...notes.map((note) => `note: ${note}`),
    ...(numResumed === 0 ? [] : [`${numResumed} layers were there from an earlier run`]),
    ...(report.missing === undefined ? [] : [`note: ${report.missing}`]),
    `wrote ${out}${sizes(report)} in ${seconds.toFixed(1)} s`,
  ];
  return `${textTable([head, ...rows], [2, 3, 4, 5])}\n${lines.join("\n")}\n`;
}

/** Of the ratios to plain rounding, where something was rounded; undefined where nothing was. */
export function geometricMean(matrices: readonly MatrixReport[]): number | undefined {
  const logs = matrices
    .filter(({ errors, rounding }) => errors.heldOut > 0 && rounding.heldOut > 0)
    .map(({ errors, rounding }) => Math.log(errors.heldOut / rounding.heldOut));
  if (logs.length === 0) return undefined;
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}

function sizes({ bytesBefore, bytesAfter }: ModelReport): string {
  if (bytesAfter === null) return "";
  return `: ${bytesBefore} bytes → ${bytesAfter}, ${((100 * bytesAfter) / bytesBefore).toFixed(1)} %,`;
}

function percent(part: number): string {
  return `${(100 * part).toPrecision(3)} %`;
}

function ratio(error: number, rounding: number): string {
  return rounding === 0 ? "–" : (error / rounding).toFixed(3);
}
