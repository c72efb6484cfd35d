/**
 * Loads one large CommonJS file with V8's code cache, which halves the time a compiler needs to
 * start. The cache is a convenience: where it cannot be read or written, loading only takes longer.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Script } from "node:vm";
import { modifiedMs } from "./source-tree.ts";

/** When the cache is written: by then the functions that a start needs are compiled. */
const writeAfterMs = 5000;

/** The exports of `file`. The cache lies in a folder beside the kernel. */
export function loadWithCodeCache(file: string): unknown {
  const cacheFile = join(import.meta.dirname, "code-cache", cacheName(file));
  const cachedData = readCache(cacheFile);
  const script = new Script(Module.wrap(readFileSync(file, "utf8")), {
    filename: file,
    ...(cachedData && { cachedData }),
  });
  const module = new Module(file);
  module.filename = file;
  const run = script.runInThisContext() as (...names: unknown[]) => void;
  run.call(module.exports, module.exports, createRequire(file), module, file, dirname(file));
  if (!cachedData || script.cachedDataRejected) {
    setTimeout(() => {
      writeCache(cacheFile, script);
    }, writeAfterMs).unref();
  }
  return module.exports;
}

/** V8 refuses the cache of another version or processor; the name keeps each its own. */
function cacheName(file: string): string {
  const changed = Math.round(modifiedMs(file) ?? 0);
  return `typescript-${changed}-${process.version}-${process.arch}.bin`;
}

function readCache(file: string): Buffer | undefined {
  return modifiedMs(file) === undefined ? undefined : readFileSync(file);
}

function writeCache(file: string, script: Script): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, script.createCachedData());
  } catch {
    // A read-only installation starts without the cache next time, too.
  }
}
