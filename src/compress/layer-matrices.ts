/**
 * The matrices of a model's layers on their way from its file to its quantised form: read as float32 a
 * half of a layer at a time, and brought into the kernels as they were or as they became.
 */
import { isPlain, type Dtype } from "../core/dtypes.ts";
import { InputError } from "../core/errors.ts";
import { quoted } from "../formats/byte-source.ts";
import type { GgufFile } from "../formats/gguf/gguf-file.ts";
import type { StoredTensor } from "../formats/stored-tensors.ts";
import type { Activations, ForwardKernels, Matrix } from "../kernels/forward-kernels.ts";
import type { HalfKind, HalfLayer, HalfOf } from "../model/half-layers.ts";
import type { LlamaTensors, Projection } from "../model/weights.ts";

/** A matrix [rows, cols] in float32. */
export interface FloatMatrix {
  /** The tensor's name, such as `blk.0.attn_q.weight`. */
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly values: Float32Array<ArrayBuffer>;
  /** [rows], where the architecture has one. */
  readonly bias: { readonly name: string; readonly values: Float32Array<ArrayBuffer> } | undefined;
}

/** A half of a layer in float32. */
export interface FloatHalf {
  readonly kind: HalfKind;
  readonly norm: { readonly name: string; readonly values: Float32Array<ArrayBuffer> };
  readonly first: readonly FloatMatrix[];
  readonly second: FloatMatrix;
}

/** A matrix as kernels take it. */
export interface RunnableMatrix {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly dtype: Dtype;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly bias: FloatMatrix["bias"];
}

/**
 * Throws InputError where a matrix of the layers is quantised already: quantising again would add a
 * second error to the first.
 */
export function refuseQuantized(file: GgufFile, { layers }: LlamaTensors): void {
  for (const { query, key, value, attentionOutput, gate, up, down } of layers) {
    for (const { weight } of [query, key, value, attentionOutput, gate, up, down]) {
      if (isPlain(weight.dtype)) continue;
      throw new InputError(
        `Tensor ${quoted(weight.name)} of ${file.name} is quantised to ${weight.dtype} already; start from an F32, F16 or BF16 file.`,
      );
    }
  }
}

/** Reads a half of a layer. Throws InputError where the file is damaged. */
export async function readHalf(
  file: GgufFile,
  half: HalfOf<StoredTensor, StoredTensor>,
): Promise<FloatHalf> {
  const first: FloatMatrix[] = [];
  for (const projection of half.first) first.push(await readMatrix(file, projection));
  return {
    kind: half.kind,
    norm: { name: half.norm.name, values: await file.readFloat32(half.norm.name) },
    first,
    second: await readMatrix(file, half.second),
  };
}

async function readMatrix(
  file: GgufFile,
  { weight, bias }: Projection<StoredTensor, StoredTensor>,
): Promise<FloatMatrix> {
  const [rows, cols] = weight.shape as [number, number];
  return {
    name: weight.name,
    rows,
    cols,
    values: await file.readFloat32(weight.name),
    bias: bias && { name: bias.name, values: await file.readFloat32(bias.name) },
  };
}

/** A float32 matrix as it is; the kernels get a copy. */
export function runnable({ name, rows, cols, values, bias }: FloatMatrix): RunnableMatrix {
  const bytes = new Uint8Array(values.slice().buffer);
  return { name, rows, cols, dtype: "F32", bytes, bias };
}

/** Brings a norm's gain [hiddenSize] into the kernels. */
export function loadNorm(kernels: ForwardKernels, gain: Float32Array): Activations {
  const loaded = kernels.allocate(1, gain.length);
  kernels.write(gain, loaded);
  return loaded;
}

/** Brings a matrix into the kernels, which take its bytes over. */
export async function loadProjection(
  kernels: ForwardKernels,
  { name, rows, cols, dtype, bytes, bias }: RunnableMatrix,
): Promise<Projection<Matrix, Activations>> {
  const weight = await kernels.loadMatrix({ name, dtype, numRows: rows, numCols: cols, bytes });
  return { weight, bias: bias && loadNorm(kernels, bias.values) };
}

/** Brings a half in float32 into the kernels. */
export async function loadFloatHalf(kernels: ForwardKernels, half: FloatHalf): Promise<HalfLayer> {
  const first: Projection<Matrix, Activations>[] = [];
  for (const matrix of half.first) first.push(await loadProjection(kernels, runnable(matrix)));
  return {
    kind: half.kind,
    norm: loadNorm(kernels, half.norm.values),
    first,
    second: await loadProjection(kernels, runnable(half.second)),
  };
}
