/** `infinity quantize`: one tensor of a weights file on a linear grid, and what that costs. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { InputError } from "../core/errors.ts";
import { openTensors, writeFileAtomically } from "../corpus/files.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { findTensor, type TensorInfo } from "../formats/tensor-file.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { Clip } from "../quant/clip.ts";
import type { Convention } from "../quant/grid.ts";
import {
  checkFinite,
  dequantizeLinear,
  quantizeLinear,
  type Granularity,
  type LinearOptions,
  type QuantizedMatrix,
  type ScaleType,
} from "../quant/linear.ts";
import { storeMatrix, type StoredMatrix } from "../quant/stored-matrix.ts";
import { openWasmKernels } from "../tensor/kernel-module.ts";
import { quantizeWithExercise } from "./quantize-with-exercise.ts";
import { describeReport, reportOf } from "./quantize-report.ts";

interface Options {
  input: string;
  tensor?: string;
  bits: number;
  mode: "symmetric" | "asymmetric";
  convention: Convention;
  granularity: Granularity;
  scaleType: ScaleType;
  clip: Clip;
  out?: string;
  use?: string;
  json?: true;
}

/** Adds the options and the action of `infinity quantize`. */
export function define(command: Command): void {
  command
    .requiredOption("--input <file>", "weights: .gguf, .safetensors, .pt, .npy or .csv")
    .option("--tensor <name>", "the tensor to quantise; not needed where the file has just one")
    .option("--bits <n>", "bits of a code, 2 to 8", wholeNumber, 4)
    .addOption(
      new Option("--mode <mode>", "codes around 0, or from the smallest to the largest weight")
        .choices(["symmetric", "asymmetric"])
        .default("symmetric"),
    )
    .addOption(
      new Option("--convention <name>", "how a symmetric scale follows from the largest weight")
        .choices(["max7", "max7.5", "ggml"])
        .default("max7"),
    )
    .addOption(
      new Option("--granularity <kind>", "one scale for the tensor, a row, or group:N weights")
        .argParser(parseGranularity)
        .default("tensor"),
    )
    .addOption(
      new Option("--clip <method>", "give up the outermost weights for finer steps")
        .choices(["none", "mse", "percentile", "kl"])
        .default("none"),
    )
    .addOption(
      new Option("--scale-type <type>", "how scales are stored")
        .choices(["F32", "F16"])
        .default("F32"),
    )
    .option("--out <file>", "write packed codes, scales and zero points as .safetensors")
    .option("--use <file>", "run the functions of your exercise file instead of ours")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  infinity quantize --input datasets/digits/digits.safetensors --tensor fc1.weight --bits 4
  infinity quantize --input model.gguf --tensor blk.0.attn_q.weight --granularity group:32
  infinity quantize --input datasets/digits/digits.safetensors --tensor fc1.weight --use exercises/01-linear-quantizer.ts`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const file = await openTensors(options.input);
  try {
    const tensor = findTensor(file, options.tensor);
    const before = await file.readFloat32(tensor.name);
    if (before.length === 0) {
      throw new InputError(`Tensor ${tensor.name} of ${options.input} is empty; choose another.`);
    }
    const kernels = await openWasmKernels();
    const quantized = await quantize(before, tensor, options, kernels);
    const after = dequantizeLinear(quantized);
    const stored = storeMatrix(quantized, options.scaleType, (codes, packed) => {
      kernels.packNibbles(codes, packed);
    });
    const report = reportOf(before, after, tensor, quantized, stored.numBytes, options);
    if (options.out) await writeFileAtomically(options.out, packedFile(tensor, stored, options));
    process.stdout.write(
      options.json
        ? `${JSON.stringify(report)}\n`
        : describeReport(report, tensor.dtype, before, after),
    );
    if (options.out) process.stderr.write(`wrote ${options.out}\n`);
  } finally {
    await file.close();
  }
}

async function quantize(
  W: Float32Array,
  { shape }: TensorInfo,
  options: Options,
  kernels: Kernels,
): Promise<QuantizedMatrix> {
  const cols = shape.at(-1) ?? 1;
  const rows = W.length / cols;
  const linear: LinearOptions = options;
  if (options.use === undefined) return quantizeLinear(W, rows, cols, linear, kernels);
  checkFinite(W);
  return quantizeWithExercise(options.use, W, rows, cols, linear);
}

/** What `--out` writes: packed parts of the tensor under its name, and how to read them. */
function packedFile(
  { name, shape }: TensorInfo,
  stored: StoredMatrix,
  options: Options,
): Uint8Array {
  const part = (
    suffix: string,
    dtype: "U8" | "F16" | "F32",
    data: StoredMatrix["scales" | "codes"],
  ) => ({
    name: `${name}.${suffix}`,
    dtype,
    shape: [data.length],
    data,
  });
  const { bits, mode, convention, granularity, clip } = options;
  return writeSafetensors(
    [
      part("codes", "U8", stored.codes),
      part("scales", options.scaleType, stored.scales),
      ...(stored.zeroPoints ? [part("zero_points", "U8", stored.zeroPoints)] : []),
    ],
    {
      tensor: name,
      shape: JSON.stringify(shape),
      bits: String(bits),
      mode,
      ...(mode === "symmetric" ? { convention } : {}),
      granularity: typeof granularity === "string" ? granularity : `group:${granularity.group}`,
      clip,
      packing: "bit stream, lowest bit first; signed codes in two's complement",
    },
  );
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Give a whole number.");
  return Number(text);
}

function parseGranularity(text: string): Granularity {
  if (text === "tensor" || text === "row") return text;
  const group = /^group:(\d+)$/.exec(text);
  if (group) return { group: Number(group[1]) };
  throw new InvalidArgumentError("Give tensor, row or group:N, such as group:32.");
}
