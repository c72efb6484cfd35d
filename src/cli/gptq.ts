/** `infinity gptq`: one matrix of a model, quantised with and without making up for what is lost. */
import { Option, type Command } from "commander";
import { UsageError } from "../core/errors.ts";
import { compareGptq, type WorkbenchOptions } from "../compress/gptq-workbench.ts";
import { gatherMatrixInputs } from "../compress/matrix-inputs.ts";
import { openGgufFile } from "../corpus/files.ts";
import { columnDtypes, isColumnDtype } from "../quant/block-columns.ts";
import { openWasmDense } from "../tensor/open-dense.ts";
import { openForwardKernels } from "../tensor/open-forward.ts";
import {
  addCalibrationOptions,
  calibrationWindows,
  type CalibrationOptions,
} from "./gptq-calibration.ts";
import { describeHead, describeResult, describeStep } from "./gptq-report.ts";
import { addModelOptions, addThreadsOption, type ThreadedModelOptions } from "./model-options.ts";
import { decimal, positiveNumber, wholeNumber } from "./option-values.ts";
import { progressBar } from "./progress-bar.ts";

interface Options extends ThreadedModelOptions, CalibrationOptions {
  readonly layer: string;
  readonly bits: number;
  readonly group?: number;
  readonly mode: "symmetric" | "asymmetric";
  readonly type?: string;
  readonly actOrder?: true;
  readonly staticGroups?: true;
  readonly block: number;
  readonly damp: number;
  readonly json?: true;
}

/** Divides most models' rows, and is what block formats share a scale among. */
const usualGroup = 32;

/** Adds the options and the action of `infinity gptq`. */
export function define(command: Command): void {
  addModelOptions(command)
    .requiredOption("--layer <name>", "a matrix of a layer, such as blk.0.attn_q")
    .option("--bits <n>", "bits of a code, 2 to 8", wholeNumber, 4)
    .option(
      "--group <n>",
      `columns that share a scale; without it ${usualGroup}, or the row`,
      positiveNumber,
    )
    .addOption(
      new Option("--mode <mode>", "codes around 0, or from the smallest to the largest weight")
        .choices(["symmetric", "asymmetric"])
        .default("symmetric"),
    )
    .option("--type <format>", `a block format of GGUF instead: ${columnDtypes.join(", ")}`)
    .option("--act-order", "begin with the columns whose inputs are largest")
    .option("--static-groups", "fix all scales before the first column")
    .option("--block <n>", "columns between two updates of the rest", positiveNumber, 128)
    .option(
      "--damp <part>",
      "added to the Hessian's diagonal, as a part of its mean",
      decimal,
      0.01,
    )
    .option("--json", "print one JSON object");
  addCalibrationOptions(addThreadsOption(command), 16_384, 8_192)
    .addHelpText(
      "after",
      `
Examples:
  infinity gptq --model model-f16.gguf --layer blk.0.attn_q
  infinity gptq --model model-f16.gguf --layer blk.2.ffn_down --bits 3 --act-order
  infinity gptq --model model-f16.gguf --layer blk.0.attn_q --tokens 128   (a trap: compare the last two columns)`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const file = await openGgufFile(options.model);
  try {
    const windows = await calibrationWindows(file, options);
    const algebra = await openWasmDense(options.threads);
    const { matrix, inputs } = await gatherMatrixInputs({
      ...{ file, windows, layer: options.layer },
      gather: {
        calibration: { hessian: true, addGram: algebra.addGram },
        heldOut: { hessian: true, addGram: algebra.addGram },
      },
      openKernels: () => openForwardKernels(options),
      progress: progressBar("halves of layers"),
    });
    const workbench = workbenchOptions(options, matrix.cols);
    const { product } = algebra;
    if (!options.json) process.stdout.write(describeHead(matrix, inputs, workbench));
    const report = compareGptq(matrix, inputs, { ...workbench, product }, (step) => {
      if (!options.json) process.stdout.write(describeStep(step, matrix.cols));
    });
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ model: file.name, ...workbench, ...report })}\n`
        : describeResult(report),
    );
  } finally {
    await file.close();
  }
}

function workbenchOptions(options: Options, cols: number): WorkbenchOptions {
  const { bits, mode, type, damp, actOrder = false, staticGroups = false } = options;
  const others = { damp, actOrder, staticGroups, blockSize: options.block };
  if (type === undefined) {
    const groupSize = options.group ?? (cols % usualGroup === 0 ? usualGroup : cols);
    return { grid: { bits, mode, groupSize }, ...others };
  }
  const dtype = type.toUpperCase();
  if (isColumnDtype(dtype)) return { grid: { dtype }, ...others };
  throw new UsageError(
    `${type} is no format whose codes GPTQ chooses; there are ${columnDtypes.join(", ")}.`,
  );
}
