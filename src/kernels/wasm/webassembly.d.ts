/** What the kernels use of WebAssembly, which Node has and its types leave out. */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
  const Memory: new (pages: { initial: number; maximum: number }) => Memory;

  function instantiate(
    module: Uint8Array<ArrayBuffer>,
    imports: { env: { memory: Memory } },
  ): Promise<{ instance: { exports: unknown } }>;
}
