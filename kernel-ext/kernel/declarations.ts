/**
 * Types of the engine for cells: one declaration file per source, made without a type check
 * (`isolatedDeclarations`), so that a cell never compiles the engine.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type ts from "typescript";
import { DerivedFiles } from "./derived-files.ts";
import { requireFromHome } from "./home.ts";
import type { SourceTree } from "./source-tree.ts";

/** The declaration files of `tree`, below `build/types` of its root. */
export function declarationFiles(tree: SourceTree): DerivedFiles {
  return new DerivedFiles(tree, join(tree.root, "build", "types"), ".d.ts", (sources) =>
    sources.map(declarationOf),
  );
}

function declarationOf(source: string): string {
  // Loaded on the first stale file only: the project's compiler is large.
  const compiler = requireFromHome("typescript") as typeof ts;
  const { outputText } = compiler.transpileDeclaration(readFileSync(source, "utf8"), {
    fileName: source,
    compilerOptions: {
      target: compiler.ScriptTarget.ES2023,
      module: compiler.ModuleKind.ESNext,
      isolatedDeclarations: true,
      declaration: true,
    },
  });
  return forOlderCompiler(outputText);
}

/** Typed arrays became generic in TypeScript 5.7; the compiler of the cells is 5.0. */
function forOlderCompiler(declaration: string): string {
  return declaration.replace(
    /\b((?:Big)?(?:Int|Uint|Float)(?:8|16|32|64)(?:Clamped)?Array|DataView|Buffer)<(?:Shared)?ArrayBuffer(?:Like)?>/g,
    "$1",
  );
}
