/**
 * Builds the kernel into `build/kernel`, and what it derives from the engine into `build`, so that
 * the first notebook starts with everything made: `node --import tsx kernel-ext/kernel/build.ts`.
 */
import { build } from "esbuild";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { declarationFiles } from "./declarations.ts";
import { home, isEntry } from "./home.ts";
import { moduleFiles } from "./modules.ts";
import { SourceTree } from "./source-tree.ts";

/** Where the built kernel lies. */
export const builtKernel: string = join(home, "build", "kernel");

/** Builds the kernel anew, and all that it derives: a new kernel may derive differently. */
export async function buildKernel(): Promise<void> {
  for (const folder of ["types", "modules"]) {
    rmSync(join(home, "build", folder), { recursive: true, force: true });
  }
  await bundle();
  cpSync(join(import.meta.dirname, "cell-library"), join(builtKernel, "cell-library"), {
    recursive: true,
  });
  const tree = new SourceTree(home);
  for (const files of [declarationFiles(tree), moduleFiles(tree)]) {
    files.ensureReadable(tree.engineSources());
  }
}

async function bundle(): Promise<void> {
  await build({
    entryPoints: ["main.ts", "wire-thread.ts"].map((name) => join(import.meta.dirname, name)),
    outdir: builtKernel,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    format: "cjs",
    platform: "node",
    target: "node20",
    // Native, or large and loaded on demand: they stay where npm put them.
    external: ["zeromq", "esbuild", "typescript"],
    define: { "import.meta.dirname": "__dirname" },
    logLevel: "warning",
    plugins: [
      {
        // tslab's converter takes its compiler from this name.
        name: "forked-compiler",
        setup(pluginBuild) {
          pluginBuild.onResolve({ filter: /^@tslab\/typescript-for-tslab$/ }, ({ path }) => ({
            path,
            namespace: "forked-compiler",
          }));
          pluginBuild.onLoad({ filter: /.*/, namespace: "forked-compiler" }, () => ({
            contents: 'module.exports = require("./forked-compiler.ts").compiler;',
            resolveDir: import.meta.dirname,
          }));
        },
      },
    ],
  });
}

if (isEntry(import.meta.filename)) await buildKernel();
