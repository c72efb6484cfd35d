/** The shaders as kernels, each compiled once, for what the device has. */
import type { Dtype } from "../../core/dtypes.ts";
import type { KvDtype } from "../kv-rows.ts";
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

/** The kernels that know no formats. */
export interface VectorKernels {
  readonly add: ComputeKernel;
  readonly copyRows: ComputeKernel;
  readonly rmsNorm: ComputeKernel;
  readonly rope: ComputeKernel;
  readonly siluMultiply: ComputeKernel;
  readonly softmax: ComputeKernel;
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
  "store-blocks": ["read", "read", "write"],
  "store-halves": ["read", "read", "write"],
  "store-rows": ["read", "read", "write"],
} as const satisfies Partial<Record<ShaderName, readonly BufferAccess[]>>;

/** The kernels that reduce over a workgroup. */
const reducing: readonly ShaderName[] = ["attention", "matvec", "rms-norm", "softmax"];

/** The kernel that stores rows in each format. */
const storing = {
  F32: "store-rows",
  F16: "store-halves",
  Q8_0: "store-blocks",
  Q4_0: "store-blocks",
} as const satisfies Record<KvDtype, ShaderName>;

/** As in `attention.wgsl`. */
const formatNumbers: Readonly<Record<KvDtype, number>> = { F32: 0, F16: 1, Q8_0: 2, Q4_0: 3 };

export class KernelLibrary {
  readonly #device: GPUDevice;
  readonly #sources: ShaderSources;
  readonly #features: ShaderFeatures;
  readonly #matrixKernels = new Map<Dtype, Promise<MatrixKernels>>();
  readonly #kvKernels = new Map<string, ComputeKernel>();

  constructor(device: GPUDevice, sources: ShaderSources, features: ShaderFeatures) {
    this.#device = device;
    this.#sources = sources;
    this.#features = features;
  }

  async vectorKernels(): Promise<VectorKernels> {
    const [add, copyRows, rmsNorm, rope, siluMultiply, softmax] = await Promise.all([
      this.#compile("add"),
      this.#compile("copy-rows"),
      this.#compile("rms-norm"),
      this.#compile("rope"),
      this.#compile("silu-multiply"),
      this.#compile("softmax"),
    ]);
    return { add, copyRows, rmsNorm, rope, siluMultiply, softmax };
  }

  /** The kernel that stores rows in `dtype`. */
  storeRows(dtype: KvDtype): ComputeKernel {
    const name = storing[dtype];
    const constants = name === "store-blocks" ? { nibbles: Number(dtype === "Q4_0") } : {};
    return this.#kvKernel(name, dtype, constants);
  }

  /** Attention to keys and values in these formats. */
  attention(keys: KvDtype, values: KvDtype): ComputeKernel {
    return this.#kvKernel("attention", `${keys} ${values}`, {
      keyFormat: formatNumbers[keys],
      valueFormat: formatNumbers[values],
    });
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

  /** Compiled when it is needed first: there are too many pairs of formats to compile all at the start. */
  #kvKernel(
    name: keyof typeof access,
    formats: string,
    constants: Readonly<Record<string, number>>,
  ): ComputeKernel {
    const label = `${name} ${formats}`;
    const known = this.#kvKernels.get(label);
    if (known) return known;
    const pieces: ShaderName[] =
      name === "attention" && this.#features.halves ? ["native-halves"] : [];
    const kernel = ComputeKernel.compileNow(
      this.#device,
      label,
      this.#source(name, pieces),
      access[name],
      constants,
    );
    this.#kvKernels.set(label, kernel);
    return kernel;
  }

  #compile(name: keyof typeof access, format?: ShaderName): Promise<ComputeKernel> {
    const pieces: ShaderName[] = format ? [format] : [];
    if (format && this.#features.halves) pieces.push("native-halves");
    const label = format ? `${name} ${format}` : name;
    return ComputeKernel.compile(this.#device, label, this.#source(name, pieces), access[name]);
  }

  #source(name: keyof typeof access, pieces: readonly ShaderName[]): string {
    const all = [...pieces];
    if (this.#features.subgroups && reducing.includes(name)) all.push("subgroup-reductions");
    return linkShader(
      this.#sources[name],
      all.map((piece) => this.#sources[piece]),
    );
  }
}
