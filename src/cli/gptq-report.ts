/** What `infinity gptq` prints for people. */
import type { GatheredInputs } from "../compress/calibrate.ts";
import type {
  WorkbenchErrors,
  WorkbenchOptions,
  WorkbenchReport,
  WorkbenchStep,
} from "../compress/gptq-workbench.ts";
import type { FloatMatrix } from "../compress/layer-matrices.ts";
import { textTable } from "./text-table.ts";

/** The matrix, the text and the grid. */
export function describeHead(
  { name, rows, cols }: FloatMatrix,
  { calibration, heldOut }: GatheredInputs,
  { grid, damp, actOrder }: WorkbenchOptions,
): string {
  const shown =
    "dtype" in grid
      ? `${grid.dtype} blocks`
      : `${grid.bits} bits, ${grid.mode}, groups of ${grid.groupSize}`;
  return `${name}: ${rows} outputs of ${cols} inputs
calibrated with ${calibration.numTokens} tokens, judged by ${heldOut.numTokens} others
grid: ${shown}; damping ${damp}; ${actOrder ? "largest inputs first" : "columns in their order"}
`;
}

/** One line of the step log. */
export function describeStep({ begin, end, loss }: WorkbenchStep, cols: number): string {
  const width = String(cols).length;
  const range = `${String(begin).padStart(width)} to ${String(end - 1).padStart(width)}`;
  return `  columns ${range} of ${cols}: loss ${loss.toExponential(3)}\n`;
}

/** The notes and the table. */
export function describeResult(report: WorkbenchReport): string {
  const row = (name: string, { weightMse, inSample, heldOut }: WorkbenchErrors): string[] => [
    ...[name, weightMse.toExponential(3), percent(inSample), percent(heldOut)],
  ];
  const { naive, compensated, gain, notes, damping, deadInputs } = report;
  const table = textTable(
    [
      ["", "weights, mse", "outputs, in sample", "outputs, held out"],
      row("naive", naive),
      row("GPTQ", compensated),
      ["gain", "", `${gain.inSample.toFixed(2)}×`, `${gain.heldOut.toFixed(2)}×`],
    ],
    [1, 2, 3],
  );
  const dead = deadInputs === 0 ? "" : `, ${deadInputs} inputs were always 0`;
  const remarks = notes.map((note) => `note: ${note}\n`).join("");
  return `added to the diagonal: ${damping.toExponential(3)}${dead}\n${remarks}\n${table}`;
}

function percent(part: number): string {
  return `${(100 * part).toPrecision(3)} %`;
}
