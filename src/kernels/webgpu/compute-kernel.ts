/** A shader as a pipeline, and its bind groups, which are kept as long as their buffers are. */

/** What a kernel does with a storage buffer, in the order of its bindings after the parameters. */
export type BufferAccess = "read" | "write";

/** The parameters of every kernel fit in so many bytes; also where one call's may begin. */
export const paramsBytes = 256;

interface BindGroupNode {
  group?: GPUBindGroup;
  /** Weak, and a group names no JavaScript object: a cached group keeps no buffer alive. */
  readonly next: WeakMap<GPUBuffer, BindGroupNode>;
}

export class ComputeKernel {
  readonly pipeline: GPUComputePipeline;
  readonly #device: GPUDevice;
  readonly #layout: GPUBindGroupLayout;
  readonly #groups: BindGroupNode = { next: new WeakMap() };

  private constructor(device: GPUDevice, layout: GPUBindGroupLayout, pipeline: GPUComputePipeline) {
    this.#device = device;
    this.#layout = layout;
    this.pipeline = pipeline;
  }

  /** Throws where `source` is no valid WGSL or does not fit `access`: a defect of ours. */
  static async compile(
    device: GPUDevice,
    label: string,
    source: string,
    access: readonly BufferAccess[],
  ): Promise<ComputeKernel> {
    const { layout, descriptor } = describe(device, label, source, access);
    return new ComputeKernel(device, layout, await device.createComputePipelineAsync(descriptor));
  }

  /**
   * As `compile`, while the caller waits, and with values for the shader's constants by name. The GPU
   * refuses the commands that use a kernel with a defect.
   */
  static compileNow(
    device: GPUDevice,
    label: string,
    source: string,
    access: readonly BufferAccess[],
    constants: Readonly<Record<string, number>>,
  ): ComputeKernel {
    const { layout, descriptor } = describe(device, label, source, access);
    const compute = { ...descriptor.compute, constants };
    return new ComputeKernel(
      device,
      layout,
      device.createComputePipeline({ ...descriptor, compute }),
    );
  }

  /** The group that binds the buffer of parameters and then `buffers`. */
  bindGroup(params: GPUBuffer, buffers: readonly GPUBuffer[]): GPUBindGroup {
    let node = this.#groups;
    for (const buffer of buffers) {
      const next = node.next.get(buffer) ?? { next: new WeakMap<GPUBuffer, BindGroupNode>() };
      node.next.set(buffer, next);
      node = next;
    }
    return (node.group ??= this.#device.createBindGroup({
      layout: this.#layout,
      entries: [
        { binding: 0, resource: { buffer: params, size: paramsBytes } },
        ...buffers.map((buffer, i) => ({ binding: i + 1, resource: { buffer } })),
      ],
    }));
  }
}

function describe(
  device: GPUDevice,
  label: string,
  source: string,
  access: readonly BufferAccess[],
): { layout: GPUBindGroupLayout; descriptor: GPUComputePipelineDescriptor } {
  const visibility = GPUShaderStage.COMPUTE;
  const entries = access.map((kind, i): GPUBindGroupLayoutEntry => {
    const type = kind === "read" ? "read-only-storage" : "storage";
    return { binding: i + 1, visibility, buffer: { type } };
  });
  const layout = device.createBindGroupLayout({
    label,
    entries: [
      { binding: 0, visibility, buffer: { type: "uniform", hasDynamicOffset: true } },
      ...entries,
    ],
  });
  const descriptor = {
    label,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ label, code: source }), entryPoint: "main" },
  };
  return { layout, descriptor };
}
