/** What may be imported, for completion inside the quotes of an import. */
import type * as ts from "@tslab/typescript-for-tslab";
import { readdirSync, type Dirent } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import type { SourceTree } from "./source-tree.ts";

/** The text of an import up to the cursor; offsets in UTF-16 units. */
export interface ImportPath {
  readonly typed: string;
  readonly start: number;
  /** The end of the whole path. */
  readonly end: number;
}

const engine = "infinity-inference/";

/** The path at `offset` if that is inside the quotes of an import, export or `import()`. */
export function importPathAt(
  compiler: typeof ts,
  text: string,
  offset: number,
): ImportPath | undefined {
  const file = compiler.createSourceFile("cell.ts", text, compiler.ScriptTarget.ES2022, true);
  const visit = (node: ts.Node): ImportPath | undefined => {
    if (offset < node.pos || offset > node.end) return undefined;
    if (compiler.isStringLiteral(node) && isSpecifier(compiler, node)) {
      const start = node.getStart(file) + 1;
      const end = start + node.text.length;
      return offset < start || offset > end
        ? undefined
        : { typed: text.slice(start, offset), start, end };
    }
    return compiler.forEachChild(node, visit);
  };
  return visit(file);
}

/** Paths that begin like `typed`, for a cell in `folder`: whole, folders with a `/` behind them. */
export function importPaths(tree: SourceTree, folder: string, typed: string): string[] {
  const all = typed.startsWith(".")
    ? relativePaths(folder, typed)
    : typed.startsWith(engine)
      ? enginePaths(tree, typed)
      : [engine, ...builtinModules.map(withPrefix), ...packagesSeenFrom(folder)];
  const fitting = new Set(all.filter((path) => path.startsWith(typed)));
  return [...fitting].sort();
}

function isSpecifier(compiler: typeof ts, literal: ts.StringLiteral): boolean {
  const { parent } = literal;
  if (compiler.isImportDeclaration(parent) || compiler.isExportDeclaration(parent)) return true;
  return (
    compiler.isCallExpression(parent) &&
    parent.arguments[0] === literal &&
    (parent.expression.kind === compiler.SyntaxKind.ImportKeyword ||
      (compiler.isIdentifier(parent.expression) && parent.expression.text === "require"))
  );
}

function enginePaths(tree: SourceTree, typed: string): string[] {
  const below = typed.slice(engine.length).replace(/[^/]*$/, "");
  return sourcesIn(join(tree.root, "src", below)).map(
    (name) => engine + below + name.replace(/\.ts$/, ""),
  );
}

function relativePaths(folder: string, typed: string): string[] {
  if (!typed.includes("/")) return ["./", "../"];
  const below = typed.replace(/[^/]*$/, "");
  const above = /^(\.\.\/)+$/.test(below) ? [`${below}../`] : [];
  return [...above, ...sourcesIn(join(folder, below)).map((name) => below + name)];
}

/** Folders, with a `/`, and TypeScript modules that are no tests. */
function sourcesIn(folder: string): string[] {
  return entriesOf(folder)
    .filter(({ name }) => !name.startsWith(".") && name !== "node_modules")
    .flatMap((entry) => {
      if (entry.isDirectory()) return [`${entry.name}/`];
      return /(?<!\.d|\.test|\.testing)\.ts$/.test(entry.name) ? [entry.name] : [];
    });
}

function packagesSeenFrom(folder: string): string[] {
  const found: string[] = [];
  for (let at = folder; ; at = dirname(at)) {
    const modules = join(at, "node_modules");
    for (const { name } of entriesOf(modules)) {
      if (name.startsWith("@")) {
        found.push(...entriesOf(join(modules, name)).map((inner) => `${name}/${inner.name}`));
      } else if (!name.startsWith(".")) found.push(name);
    }
    if (at === dirname(at)) return found.filter((name) => !name.startsWith("@types/"));
  }
}

function withPrefix(name: string): string {
  return name.startsWith("node:") ? name : `node:${name}`;
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
