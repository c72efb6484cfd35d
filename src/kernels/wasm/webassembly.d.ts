/** What the kernels use of WebAssembly, which Node has and its types leave out. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer;
    /** Throws RangeError where there is no room. */
    grow(numPages: number): number;
  }
  const Memory: new (pages: { initial: number; maximum: number; shared?: boolean }) => Memory;

  /** Compiled code, which only the engine looks into. */
  type Module = object;
  const Module: new (bytes: Uint8Array<ArrayBuffer>) => Module;

  interface Instance {
    readonly exports: unknown;
  }
  const Instance: new (module: Module, imports: { env: { memory: Memory } }) => Instance;

  function compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;

  function validate(bytes: Uint8Array<ArrayBuffer>): boolean;

  function instantiate(
    module: Uint8Array<ArrayBuffer>,
    imports: { env: { memory: Memory } },
  ): Promise<{ instance: Instance }>;
}
