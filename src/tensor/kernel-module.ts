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
const compilerOptions: readonly string[] = [
  ...["-O3", "--noAssert", "--runtime", "stub"],
  ...["--importMemory", "--noExportMemory", "--enable", "simd"],
];

/** The kernels in wasm, ready to run. Throws InputError as `startWasmKernels`. */
export async function openWasmKernels(options: WasmKernelsOptions = {}): Promise<Kernels> {
  return startWasmKernels(await kernelModule(), options);
}

/** The compiled kernels: what `folder` holds, or a new module that it then holds. */
export async function kernelModule(
  folder: string = kernelFolder,
): Promise<Uint8Array<ArrayBuffer>> {
  const names = (await readdir(sourceFolder)).filter((name) => name.endsWith(".ts")).sort();
  const sources = names.map((name) => join(sourceFolder, name));
  const file = join(folder, `${await hashOf(names, sources)}.wasm`);
  if (!existsSync(file)) await compile(sources, folder, file);
  return readFile(file);
}

async function hashOf(names: readonly string[], sources: readonly string[]): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([compilerOptions, names]));
  // The compiler's own package.json names its version.
  for (const file of [join(compiler, "package.json"), ...sources])
    hash.update(await readFile(file));
  return hash.digest("hex").slice(0, 16);
}

/** Compiles in another process: the compiler is large, and here tsx would go through all of it. */
async function compile(sources: readonly string[], folder: string, file: string): Promise<void> {
  const unfinished = join(folder, `${randomUUID()}.wasm`);
  const args = [join(compiler, "bin", "asc.js"), ...sources, ...compilerOptions];
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
