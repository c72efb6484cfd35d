/**
 * The wasm kernels on Node: compiled from `src/kernels/wasm/assembly` when set-up asks for it or
 * when they are first needed, then read from `build/kernels`. A file is named by the hash of all
 * that it was made from, so a changed source is compiled anew and an old file is never taken for it.
 */
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Kernels } from "../kernels/kernels.ts";
import { startWasmKernels, type WasmKernelsOptions } from "../kernels/wasm/wasm-kernels.ts";

const root = join(import.meta.dirname, "..", "..");
const compiler = join(root, "node_modules", "assemblyscript");
const sourceFolder = join(root, "src", "kernels", "wasm", "assembly");

/** Where compiled kernels are kept. */
const kernelFolder = join(root, "build", "kernels");

/** No runtime, because kernels allocate nothing; their memory is passed in. */
const commonOptions: readonly string[] = [
  ...["-O3", "--noAssert", "--runtime", "stub"],
  ...["--importMemory", "--noExportMemory", "--enable", "simd"],
];

/** A module: the folder of its sources, those that say what it exports, and the compiler's options. */
export interface KernelBuild {
  readonly folder: string;
  /** Other folders whose sources it imports; none unless given. */
  readonly imports?: readonly string[];
  readonly entries: readonly string[];
  readonly options: readonly string[];
}

/** Everything that `src/kernels/wasm/wasm-kernels.ts` calls. */
export const quantizeBuild: KernelBuild = {
  folder: "quantize",
  entries: ["linear.ts", "pack.ts"],
  options: [],
};

/** What the forward pass is compiled for. */
export interface ForwardVariant {
  /** Uses relaxed SIMD, which not every engine has. */
  readonly relaxed: boolean;
  /** For memory that threads share. */
  readonly shared: boolean;
}

/** What `src/kernels/wasm/wasm-forward.ts` runs. */
export function forwardBuild({ relaxed, shared }: ForwardVariant): KernelBuild {
  return {
    folder: "forward",
    entries: ["interpreter.ts"],
    options: [
      ...["--use", `RELAXED=${Number(relaxed)}`, "--use", `SHARED=${Number(shared)}`],
      ...(relaxed ? ["--enable", "relaxed-simd"] : []),
      ...(shared ? ["--enable", "threads", "--sharedMemory", "--maximumMemory", "65536"] : []),
    ],
  };
}

/** What `src/kernels/wasm/wasm-dense.ts` runs. */
export function denseBuild(variant: ForwardVariant): KernelBuild {
  return { ...forwardBuild(variant), folder: "dense", imports: ["forward"] };
}

/** The kernels in wasm, ready to run. Throws InputError as `startWasmKernels`. */
export async function openWasmKernels(options: WasmKernelsOptions = {}): Promise<Kernels> {
  return startWasmKernels(await kernelModule(quantizeBuild), options);
}

/** The compiled kernels: what `folder` holds, or a new module that it then holds. */
export async function kernelModule(
  build: KernelBuild,
  folder: string = kernelFolder,
): Promise<Uint8Array<ArrayBuffer>> {
  const file = join(folder, `${build.folder}-${await hashOf(build)}.wasm`);
  if (!existsSync(file)) await compile(build, folder, file);
  return readFile(file);
}

async function hashOf(build: KernelBuild): Promise<string> {
  const names: string[] = [];
  for (const folder of [build.folder, ...(build.imports ?? [])]) {
    const found = (await readdir(join(sourceFolder, folder))).filter((name) =>
      name.endsWith(".ts"),
    );
    names.push(...found.sort().map((name) => join(folder, name)));
  }
  const hash = createHash("sha256").update(JSON.stringify([commonOptions, build, names]));
  // The compiler's own package.json names its version.
  for (const file of [
    join(compiler, "package.json"),
    ...names.map((name) => join(sourceFolder, name)),
  ]) {
    hash.update(await readFile(file));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Compiles in another process: the compiler is large, and here tsx would go through all of it. */
async function compile(build: KernelBuild, folder: string, file: string): Promise<void> {
  const unfinished = join(folder, `${randomUUID()}.wasm`);
  const entries = build.entries.map((name) => join(sourceFolder, build.folder, name));
  const args = [join(compiler, "bin", "asc.js"), ...entries, ...commonOptions, ...build.options];
  await mkdir(folder, { recursive: true });
  try {
    await promisify(execFile)(process.execPath, [...args, "--outFile", unfinished]);
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw new Error(`The wasm kernels do not compile: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
