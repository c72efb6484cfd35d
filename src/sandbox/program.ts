/**
 * Turns sources into what an isolated process runs: the runner, bundled from our own modules, and a
 * guest's module, transpiled and never bundled, because a bundler would follow its imports.
 */
import { build, transform } from "esbuild";
import type { TransformFailure } from "esbuild";
import { extname, join } from "node:path";
import type { SourceMapPayload } from "node:module";
import { InputError } from "../core/errors.ts";

/** A guest's module as one CommonJS script that requires nothing. */
export interface Program {
  readonly code: string;
  /** The name of the file in stacks and messages. */
  readonly file: string;
  readonly map: SourceMapPayload;
}

/** The script of `runner.ts` for every process of one grading. */
export async function bundleRunner(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, `runner${extname(import.meta.filename)}`)],
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node20",
  });
  return outputFiles[0]!.text;
}

/** How a module is transpiled: to be run, or to be read with its value imports still in it. */
export type ModuleFormat = "cjs" | "esm";

/**
 * Transpiles the TypeScript module `source`; `file` names it in messages. Type imports disappear and
 * all others stay. Throws InputError with the first error's place.
 */
export async function transpile(
  source: string,
  file: string,
  format: ModuleFormat,
): Promise<Program> {
  try {
    const { code, map } = await transform(source, {
      ...{ loader: "ts", format, target: "node20", platform: "node", sourcefile: file },
      ...{ sourcemap: "external", sourcesContent: false, logLevel: "silent" },
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, alwaysStrict: true } },
    });
    return { code, file, map: JSON.parse(map) as SourceMapPayload };
  } catch (error) {
    const first = (error as Partial<TransformFailure>).errors?.[0];
    if (!first) throw error;
    const at = first.location ? `:${first.location.line}:${first.location.column + 1}` : "";
    throw new InputError(`${file}${at} does not compile: ${first.text}.`);
  }
}
