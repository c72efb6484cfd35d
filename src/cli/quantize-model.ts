/** `infinity quantize-model`: a whole model by one method, for llama.cpp, vLLM or transformers. */
import { Option, type Command } from "commander";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { InputError } from "../core/errors.ts";
import { methods } from "../compress/group-encoder.ts";
import { modelShape } from "../compress/model-shape.ts";
import type { OutputFormat } from "../compress/output-format.ts";
import {
  quantizeLayers,
  type LayerWriter,
  type MatrixReport,
  type ModelRun,
} from "../compress/quantize-model.ts";
import { ggufLayerWriter, writeGgufModel } from "../compress/write-gguf-model.ts";
import { layoutLayerWriter, writeTransformersModel } from "../compress/write-transformers-model.ts";
import { openGgufFile } from "../corpus/files.ts";
import { openWasmDense } from "../tensor/open-dense.ts";
import { openForwardKernels } from "../tensor/open-forward.ts";
import {
  addCalibrationOptions,
  calibrationWindows,
  numTokensOf,
  type CalibrationOptions,
} from "./gptq-calibration.ts";
import { addModelOptions, addThreadsOption, type ThreadedModelOptions } from "./model-options.ts";
import { decimal, positiveNumber, wholeNumber } from "./option-values.ts";
import { progressBar } from "./progress-bar.ts";
import { outputFormat, usualGroup, type FormatOptions } from "./quantize-model-format.ts";
import { describeModel, type ModelReport } from "./quantize-model-report.ts";

interface Options extends ThreadedModelOptions, CalibrationOptions, FormatOptions {
  readonly actOrder?: true;
  readonly damp: number;
  readonly alpha: number;
  readonly sample: number;
  readonly json?: true;
}

/** Adds the options and the action of `infinity quantize-model`. */
export function define(command: Command): void {
  addModelOptions(command)
    .addOption(new Option("--method <name>", "how").choices([...methods]).makeOptionMandatory())
    .requiredOption("--out <file or folder>", "a .gguf file, or a folder for vLLM and transformers")
    .option("--bits <n>", "bits of a weight, about", wholeNumber, 4)
    .option("--type <format>", "the mixture of block formats, such as q4_0 or q3_k_s, instead")
    .option(
      "--group <n>",
      `columns that share a scale, in a folder: ${usualGroup} unless given`,
      positiveNumber,
    )
    .addOption(
      new Option(
        "--mode <mode>",
        "the grid in a folder: symmetric, but asymmetric for awq",
      ).choices(["symmetric", "asymmetric"]),
    )
    .option("--simulate", "put what a linear grid decodes to into a GGUF file, to measure it")
    .option("--act-order", "gptq: begin with the columns whose inputs are largest")
    .option(
      "--damp <part>",
      "gptq: added to the Hessian's diagonal, as a part of its mean",
      decimal,
      0.01,
    )
    .option(
      "--alpha <a>",
      "smoothquant: 0 leaves the weights evenly wide, 1 the inputs",
      decimal,
      0.5,
    )
    .option("--sample <n>", "inputs that errors are measured over", positiveNumber, 256)
    .option("--json", "print one JSON object");
  addCalibrationOptions(addThreadsOption(command), 32_768, 8_192)
    .addHelpText(
      "after",
      `
What is finished is kept in a folder beside --out; the same command goes on there.

Examples:
  infinity quantize-model --model model-f16.gguf --method gptq --bits 4 --out model-gptq-q4_0.gguf
  infinity quantize-model --model model-f16.gguf --method k-quant --type q3_k_m --out model-q3_k_m.gguf
  infinity quantize-model --model model-f16.gguf --method awq --group 64 --out model-awq`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { method, out } = options;
  const format = outputFormat(options);
  if (existsSync(out)) {
    throw new InputError(`${out} exists; delete it or give --out another name.`);
  }
  const started = performance.now();
  const file = await openGgufFile(options.model);
  try {
    const { actOrder = false, damp, alpha, sample: sampleRows } = options;
    const windows = await calibrationWindows(file, options);
    const shape = await modelShape(file);
    const algebra = await openWasmDense(options.threads);
    const run: ModelRun = {
      ...{ file, windows, folder: `${out}.unfinished` },
      recipe: { method, format, damp, actOrder, alpha, sampleRows },
      openKernels: () => openForwardKernels(options),
      algebra,
      progress: progressBar("halves of layers"),
    };
    const isFile = format.kind === "blocks" || format.kind === "values";
    const writer: LayerWriter = isFile ? ggufLayerWriter : layoutLayerWriter(shape.config, format);
    const { work, matrices, numResumed } = await quantizeLayers(run, writer);
    let missing: string | undefined;
    if (isFile) {
      await writeGgufModel(out, file, format, work);
      await work.remove();
    } else {
      missing = await writeTransformersModel(out, file, shape, format, { actOrder, damp }, work);
    }
    const report = await reportOf(options, format, matrices, {
      ...{ numResumed, missing, bytesBefore: file.fileSize },
      numTokens: numTokensOf(windows.calibration),
      numHeldOut: numTokensOf(windows.heldOut),
      seconds: (performance.now() - started) / 1000,
    });
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describeModel(report));
  } finally {
    await file.close();
  }
}

async function reportOf(
  { method, model, out }: Options,
  format: OutputFormat,
  matrices: readonly MatrixReport[],
  rest: Pick<ModelReport, "numResumed" | "numTokens" | "numHeldOut" | "seconds" | "bytesBefore"> & {
    readonly missing: string | undefined;
  },
): Promise<ModelReport> {
  const { missing, ...others } = rest;
  const stats = await stat(out);
  return {
    ...{ model, method, format, out, ...others, matrices },
    bytesAfter: stats.isFile() ? stats.size : null,
    ...(missing === undefined ? {} : { missing }),
  };
}
