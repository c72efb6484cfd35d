/**
 * Tells Jupyter about the kernel: `node --import tsx kernel-ext/kernel/install.ts --prefix .venv`
 * writes its specification below the prefix, as `share/jupyter/kernels/infinity`.
 */
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { InputError, UsageError } from "../../src/core/errors.ts";
import { builtKernel } from "./build.ts";
import { isEntry } from "./home.ts";

/** Writes the specification and gives its folder. Throws InputError where the kernel is not built. */
export function installKernel(prefix: string): string {
  const entry = join(builtKernel, "main.cjs");
  if (!existsSync(entry)) {
    throw new InputError(
      `There is no kernel at ${entry}; run \`node --import tsx kernel-ext/kernel/build.ts\` first.`,
    );
  }
  const folder = join(resolve(prefix), "share", "jupyter", "kernels", "infinity");
  mkdirSync(folder, { recursive: true });
  const specification = {
    argv: [process.execPath, entry, "--connection-file", "{connection_file}"],
    display_name: "TypeScript (Infinity)",
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: false },
  };
  writeFileSync(join(folder, "kernel.json"), `${JSON.stringify(specification, null, 2)}\n`);
  copyFileSync(join(import.meta.dirname, "logo-svg.svg"), join(folder, "logo-svg.svg"));
  return folder;
}

if (isEntry(import.meta.filename)) {
  try {
    const { prefix } = parseArgs({ options: { prefix: { type: "string" } } }).values;
    if (prefix === undefined)
      throw new UsageError("Give the folder to install into: --prefix DIR.");
    process.stdout.write(`${installKernel(prefix)}\n`);
  } catch (error) {
    process.stderr.write(`kernel: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
