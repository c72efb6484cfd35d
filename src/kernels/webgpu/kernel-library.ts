/** The shaders as kernels, each compiled once, for what the device has. */
import type { Dtype } from "../../core/dtypes.ts";
import { ComputeKernel, type BufferAccess } from "./compute-kernel.ts";
import type { MatrixKernels } from "./matrices.ts";
import { linkShader, type ShaderName, type ShaderSources } from "./shader-sources.ts";
import { weightFormats } from "./weight-planes.ts";

/** Optional features of WebGPU that are used. */
export interface ShaderFeatures {
  readonly subgroups: boolean;
  /** The type f16. */
  readonly halves: boolean;
}

/** The kernels that read no weights in blocks. */
export interface VectorKernels {
  readonly add: ComputeKernel;
  readonly attention: ComputeKernel;
  readonly copyRows: ComputeKernel;
  readonly rmsNorm: ComputeKernel;
  readonly rope: ComputeKernel;
  readonly siluMultiply: ComputeKernel;
  readonly softmax: ComputeKernel;
  readonly storeRows: ComputeKernel;
}

/** How each kernel uses its buffers, as its file declares them. */
const access = {
  add: ["read", "write"],
  attention: ["read", "read", "read", "read", "write"],
  "copy-rows": ["read", "write"],
  embed: ["read", "read", "write"],
  matmul: ["read", "read", "write"],
  matvec: ["read", "read", "write"],
  "rms-norm": ["read", "read", "write"],
  rope: ["read", "write"],
  "silu-multiply": ["read", "write"],
  softmax: ["write"],
  "store-rows": ["read", "read", "write"],
} as const satisfies Partial<Record<ShaderName, readonly BufferAccess[]>>;

/** The kernels that reduce over a workgroup. */
const reducing: readonly ShaderName[] = ["attention", "matvec", "rms-norm", "softmax"];

export class KernelLibrary {
  readonly #device: GPUDevice;
  readonly #sources: ShaderSources;
  readonly #features: ShaderFeatures;
  readonly #matrixKernels = new Map<Dtype, Promise<MatrixKernels>>();

  constructor(device: GPUDevice, sources: ShaderSources, features: ShaderFeatures) {
    this.#device = device;
    this.#sources = sources;
    this.#features = features;
  }

  async vectorKernels(): Promise<VectorKernels> {
    const [add, attention, copyRows, rmsNorm, rope, siluMultiply, softmax, storeRows] =
      await Promise.all([
        this.#compile("add"),
        this.#compile("attention"),
        this.#compile("copy-rows"),
        this.#compile("rms-norm"),
        this.#compile("rope"),
        this.#compile("silu-multiply"),
        this.#compile("softmax"),
        this.#compile("store-rows"),
      ]);
    return { add, attention, copyRows, rmsNorm, rope, siluMultiply, softmax, storeRows };
  }

  /** The kernels for weights in `dtype`, one of `weightFormats`. */
  matrixKernels(dtype: Dtype): Promise<MatrixKernels> {
    const kernels = this.#matrixKernels.get(dtype) ?? this.#compileMatrixKernels(dtype);
    this.#matrixKernels.set(dtype, kernels);
    return kernels;
  }

  async #compileMatrixKernels(dtype: Dtype): Promise<MatrixKernels> {
    const { shader } = weightFormats[dtype]!;
    const [embed, matvec, matmul] = await Promise.all([
      this.#compile("embed", shader),
      this.#compile("matvec", shader),
      this.#compile("matmul", shader),
    ]);
    return { embed, matvec, matmul };
  }

  #compile(name: keyof typeof access, format?: ShaderName): Promise<ComputeKernel> {
    const pieces: ShaderName[] = format ? [format] : [];
    if (format && this.#features.halves) pieces.push("native-halves");
    if (this.#features.subgroups && reducing.includes(name)) pieces.push("subgroup-reductions");
    const source = linkShader(
      this.#sources[name],
      pieces.map((piece) => this.#sources[piece]),
    );
    const label = format ? `${name} ${format}` : name;
    return ComputeKernel.compile(this.#device, label, source, access[name]);
  }
}
