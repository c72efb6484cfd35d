/**
 * `infinity quantize --use`: the student's functions in the place of ours, in a process of their
 * own. What they answer is checked before it is believed.
 */
import { z } from "zod";
import { InputError, UsageError } from "../core/errors.ts";
import { rangeOf, symmetricGrid, encode } from "../quant/grid.ts";
import { mseSearch } from "../quant/clip.ts";
import { groupSizeOf, type LinearOptions, type QuantizedMatrix } from "../quant/linear.ts";
import { openModule } from "../sandbox/open-module.ts";

/** Milliseconds for one call: a large tensor in readable code is slower than an exercise's test. */
const deadlineMs = 60_000;

const finite = z.number().refine(Number.isFinite);
const answers = {
  affineParams: z.object({ scale: finite, zero: finite, qmin: finite, qmax: finite }),
  quantizeSym: z.object({ q: z.instanceof(Int8Array), scale: finite }),
  quantizeGroups: z.object({ q: z.instanceof(Int8Array), scales: z.instanceof(Float32Array) }),
  mseClip: z.object({ scale: finite, mse: z.number() }),
};

type Call = <Name extends keyof typeof answers>(
  name: Name,
  ...args: unknown[]
) => Promise<z.infer<(typeof answers)[Name]>>;

/**
 * As `quantizeLinear`, by the functions that the exercise file exports. Throws UsageError for what
 * the exercise has no function for, InputError where an answer cannot be used.
 */
export async function quantizeWithExercise(
  file: string,
  W: Float32Array,
  rows: number,
  cols: number,
  options: LinearOptions,
): Promise<QuantizedMatrix> {
  const { bits, mode, convention = "max7", clip = "none", scaleType = "F32" } = options;
  if (clip !== "none" && (clip !== "mse" || mode !== "symmetric" || convention !== "max7")) {
    throw new UsageError(
      "--use has mseClip to clip with: add --clip mse --mode symmetric --convention max7, or no --clip.",
    );
  }
  if (scaleType !== "F32")
    throw new UsageError("--use keeps scales as F32: leave out --scale-type.");
  const groupSize = groupSizeOf(options.granularity ?? "tensor", rows, cols);
  const student = await openModule(file, { deadlineMs });
  const call: Call = async (name, ...args) => {
    const answer = answers[name].safeParse(await student.call(name, args));
    if (answer.success) return answer.data as never;
    const issue = answer.error.issues[0]!;
    throw new InputError(
      `${name} of ${file} answered with something unusable at .${issue.path.join(".")}: ${issue.message}; run \`npx infinity grade 01\` to see its tests.`,
    );
  };
  try {
    const matrix = { rows, cols, bits, groupSize };
    if (mode === "asymmetric") return await affine(call, W, matrix);
    if (clip === "mse") return await clipped(call, W, matrix);
    if (convention === "max7" && groupSize <= cols) return await grouped(call, W, matrix, file);
    return await symmetric(call, W, matrix, convention);
  } finally {
    student.dispose();
  }
}

type Shape = Pick<QuantizedMatrix, "rows" | "cols" | "bits" | "groupSize">;

async function grouped(
  call: Call,
  W: Float32Array,
  shape: Shape,
  file: string,
): Promise<QuantizedMatrix> {
  const { rows, cols, groupSize, bits } = shape;
  const { q, scales } = await call("quantizeGroups", W, rows, cols, groupSize, bits);
  if (q.length !== W.length || scales.length !== W.length / groupSize) {
    throw new InputError(
      `quantizeGroups of ${file} gave ${q.length} codes and ${scales.length} scales for ${W.length} weights in groups of ${groupSize}.`,
    );
  }
  return { ...shape, codes: q, scales, zeroPoints: null };
}

async function symmetric(
  call: Call,
  W: Float32Array,
  shape: Shape,
  convention: string,
): Promise<QuantizedMatrix> {
  const { codes, scales } = empty(W, shape);
  for (const { group, begin, index } of groupsOf(W, shape)) {
    const { q, scale } = await call("quantizeSym", group, shape.bits, convention);
    codes.set(q.subarray(0, group.length), begin);
    scales[index] = scale;
  }
  return { ...shape, codes, scales, zeroPoints: null };
}

async function clipped(call: Call, W: Float32Array, shape: Shape): Promise<QuantizedMatrix> {
  const { codes, scales } = empty(W, shape);
  for (const { group, begin, index } of groupsOf(W, shape)) {
    const { scale } = await call("mseClip", group, shape.bits, mseSearch);
    scales[index] = scale;
    const grid = { ...symmetricGrid(rangeOf(group).peak, shape.bits, "max7"), scale };
    encode(group, grid, codes.subarray(begin, begin + group.length));
  }
  return { ...shape, codes, scales, zeroPoints: null };
}

async function affine(call: Call, W: Float32Array, shape: Shape): Promise<QuantizedMatrix> {
  const { scales } = empty(W, shape);
  const codes = new Uint8Array(W.length);
  const zeroPoints = new Uint8Array(scales.length);
  for (const { group, begin, index } of groupsOf(W, shape)) {
    const { low, high } = rangeOf(group);
    const params = await call("affineParams", low, high, shape.bits, false);
    const grid = { ...params, zeroPoint: params.zero, halves: "even" } as const;
    encode(group, grid, codes.subarray(begin, begin + group.length));
    scales[index] = params.scale;
    zeroPoints[index] = params.zero;
  }
  return { ...shape, codes, scales, zeroPoints };
}

function empty(W: Float32Array, { groupSize }: Shape): { codes: Int8Array; scales: Float32Array } {
  return { codes: new Int8Array(W.length), scales: new Float32Array(W.length / groupSize) };
}

function* groupsOf(
  W: Float32Array,
  { groupSize }: Shape,
): Generator<{ group: Float32Array; begin: number; index: number }> {
  for (let begin = 0, index = 0; begin < W.length; begin += groupSize, index++) {
    yield { group: W.slice(begin, begin + groupSize), begin, index };
  }
}
