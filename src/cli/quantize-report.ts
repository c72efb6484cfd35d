/** What quantising one tensor did to it: figures for `--json`, and a page for the terminal. */
import type { TensorInfo } from "../formats/tensor-file.ts";
import { meanSquaredError, sqnrDb, summarize, type Summary } from "../quant/error.ts";
import type { Convention } from "../quant/grid.ts";
import type { LinearOptions, QuantizedMatrix } from "../quant/linear.ts";
import { terminalHistogram } from "./terminal-histogram.ts";

/** The figures of one run, as `--json` prints them. */
export interface QuantizeReport {
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly bits: number;
  readonly mode: "symmetric" | "asymmetric";
  readonly convention: Convention | null;
  readonly scale: number | Spread;
  readonly zeroPoint: number | Spread;
  readonly mse: number;
  /** Null where nothing was lost. */
  readonly sqnrDb: number | null;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** The figures of `after` beside `before`; `bytesAfter` counts codes, scales and zero points. */
export function reportOf(
  before: Float32Array,
  after: Float32Array,
  tensor: TensorInfo,
  quantized: QuantizedMatrix,
  bytesAfter: number,
  { bits, mode, convention = "max7" }: LinearOptions,
): QuantizeReport {
  const ratio = sqnrDb(before, after);
  return {
    tensor: tensor.name,
    shape: tensor.shape,
    bits,
    mode,
    convention: mode === "symmetric" ? convention : null,
    scale: oneOrSpread(quantized.scales),
    zeroPoint: quantized.zeroPoints ? oneOrSpread(quantized.zeroPoints) : 0,
    mse: meanSquaredError(before, after),
    sqnrDb: Number.isFinite(ratio) ? ratio : null,
    bytesBefore: tensor.numBytes,
    bytesAfter,
  };
}

/** The report for people: figures, and the weights before and after on one axis. */
export function describeReport(
  report: QuantizeReport,
  dtype: string,
  before: Float32Array,
  after: Float32Array,
): string {
  const [whole, stepped] = [summarize(before), summarize(after)];
  const low = Math.min(whole.min, stepped.min);
  const high = Math.max(whole.max, stepped.max);
  const saved = 100 * (1 - report.bytesAfter / report.bytesBefore);
  const kind = report.convention ? `${report.mode} (${report.convention})` : report.mode;
  return [
    `${report.tensor} [${report.shape.join(", ")}] ${dtype} → ${report.bits} bits, ${kind}`,
    "",
    `before   ${summaryLine(whole)}`,
    `after    ${summaryLine(stepped)}`,
    "",
    `scale S        ${figures(report.scale)}`,
    `zero point Z   ${figures(report.zeroPoint)}`,
    `error          MSE ${report.mse.toPrecision(4)}, SQNR ${report.sqnrDb?.toFixed(2) ?? "∞"} dB`,
    `memory         ${report.bytesBefore} bytes → ${report.bytesAfter} with scales: ${saved.toFixed(1)} % saved`,
    "",
    "weights before",
    terminalHistogram(before, low, high),
    "weights after",
    terminalHistogram(after, low, high),
    "",
  ].join("\n");
}

/** The one value, or the least, the middle and the greatest of several. */
function oneOrSpread(values: Float32Array | Uint8Array): number | Spread {
  if (values.length === 1) return values[0]!;
  const sorted = values.slice().sort();
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!;
  return { count: values.length, min: at(0), median: at(0.5), max: at(1) };
}

interface Spread {
  count: number;
  min: number;
  median: number;
  max: number;
}

function figures(value: number | Spread): string {
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  const [min, median, max] = [value.min, value.median, value.max].map((x) => figures(x));
  return `${value.count} of them: least ${min!}, median ${median!}, greatest ${max!}`;
}

function summaryLine({ mean, std, min, max }: Summary): string {
  const short = (x: number): string => x.toPrecision(4);
  return `mean ${short(mean)}  std ${short(std)}  range [${short(min)}, ${short(max)}]`;
}
