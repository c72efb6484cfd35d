/**
 * What must be known of a cell's text before tslab's converter sees it: the names it declares,
 * whether it awaits at the top level, and where it says `export`.
 */
import type * as ts from "@tslab/typescript-for-tslab";
import type { Compiler } from "./forked-compiler.ts";
import { withoutUsing, type UsingKind } from "./using-declarations.ts";

/** A cell, ready for the converter; `code` has the length and the lines of the original. */
export interface CellSource {
  readonly code: string;
  /** What the cell declares at its top level, values and types. */
  readonly names: readonly string[];
  readonly awaits: boolean;
  /** Where `code` says `const` and the cell said `using`. */
  readonly using: ReadonlyMap<number, UsingKind>;
}

/** A module, so that top-level await is parsed as such. It stands after the cell: no offset moves. */
const moduleMark = "\nexport {};";

/** Reads a cell's text. Its syntax errors are the converter's to report. */
export function readCell(compiler: Compiler, written: string): CellSource {
  const { code: text, declared } = withoutUsing(written);
  const file = compiler.createSourceFile(
    "cell.ts",
    text + moduleMark,
    compiler.ScriptTarget.ES2022,
    true,
  );
  compiler.bindSourceFile(file, {});
  const { locals } = file as ts.SourceFile & { locals?: ts.SymbolTable };
  return {
    code: withoutExports(compiler, file, text),
    names: [...(locals?.keys() ?? [])].map((name) => compiler.unescapeLeadingUnderscores(name)),
    awaits: awaitsAtTop(compiler, file, declared),
    using: declared,
  };
}

/** The path of names that ends at `offset`, such as `a.b.c`; empty where another thing stands there. */
export function namesAt(compiler: Compiler, text: string, offset: number): string[] {
  const file = compiler.createSourceFile("cell.ts", text, compiler.ScriptTarget.ES2022, true);
  const at = (node: ts.Node): ts.Node =>
    compiler.forEachChild(node, (child) =>
      offset >= child.getStart(file) && offset <= child.end ? at(child) : undefined,
    ) ?? node;
  const found = at(file);
  if (!compiler.isIdentifier(found)) return [];
  const { parent } = found;
  const whole = compiler.isPropertyAccessExpression(parent) && parent.name === found;
  return pathOf(compiler, whole ? parent : found) ?? [];
}

function pathOf(compiler: Compiler, node: ts.Expression): string[] | undefined {
  if (compiler.isIdentifier(node)) return [node.text];
  if (!compiler.isPropertyAccessExpression(node)) return undefined;
  const before = pathOf(compiler, node.expression);
  return before && [...before, node.name.text];
}

/**
 * `declarations` without the variables and imports of these names: of a cell that failed, what it
 * did not get to. Functions, classes and types are there before a cell's first statement.
 */
export function withoutNames(
  compiler: Compiler,
  declarations: string,
  names: ReadonlySet<string>,
): string {
  const file = compiler.createSourceFile(
    "declarations.d.ts",
    declarations,
    compiler.ScriptTarget.ES2022,
  );
  const { factory } = compiler;
  const statements = file.statements.flatMap((statement) => {
    if (compiler.isVariableStatement(statement)) {
      const left = statement.declarationList.declarations.filter(
        ({ name }) => !(compiler.isIdentifier(name) && names.has(name.text)),
      );
      const list = factory.updateVariableDeclarationList(statement.declarationList, left);
      return left.length > 0
        ? [factory.updateVariableStatement(statement, statement.modifiers, list)]
        : [];
    }
    if (!compiler.isImportDeclaration(statement)) return [statement];
    const { name, namedBindings } = statement.importClause ?? {};
    const bound =
      namedBindings && compiler.isNamedImports(namedBindings)
        ? namedBindings.elements
        : [namedBindings];
    const imported = [name, ...bound.map((binding) => binding?.name)].filter(
      (part) => part !== undefined,
    );
    return imported.every(({ text }) => names.has(text)) ? [] : [statement];
  });
  return compiler.createPrinter().printFile(factory.updateSourceFile(file, statements));
}

/**
 * A cell shares all it declares with later cells, so `export` says nothing new there; blanks of
 * the same length take its place. `export … from` and `export default` stay, for the compiler to refuse.
 */
function withoutExports(compiler: Compiler, file: ts.SourceFile, text: string): string {
  const blanks: [number, number][] = [];
  for (const statement of file.statements) {
    if (compiler.isExportDeclaration(statement) && !statement.moduleSpecifier) {
      blanks.push([statement.getStart(file), statement.end]);
    }
    const modifiers = compiler.canHaveModifiers(statement)
      ? (compiler.getModifiers(statement) ?? [])
      : [];
    if (modifiers.some(({ kind }) => kind === compiler.SyntaxKind.DefaultKeyword)) continue;
    for (const modifier of modifiers) {
      if (modifier.kind === compiler.SyntaxKind.ExportKeyword) {
        blanks.push([modifier.getStart(file), modifier.end]);
      }
    }
  }
  return blanks.reduce(
    (code, [start, end]) =>
      code.slice(0, start) + code.slice(start, end).replace(/[^\n]/g, " ") + code.slice(end),
    text,
  );
}

/** Whether an `await`, `for await` or `await using` stands outside every function and class. */
function awaitsAtTop(
  compiler: Compiler,
  file: ts.SourceFile,
  using: ReadonlyMap<number, UsingKind>,
): boolean {
  const visit = (node: ts.Node): boolean => {
    if (compiler.isFunctionLike(node) || compiler.isClassStaticBlockDeclaration(node)) return false;
    if (compiler.isAwaitExpression(node)) return true;
    if (compiler.isVariableDeclarationList(node) && using.get(node.getStart(file)) === "async") {
      return true;
    }
    if (compiler.isForOfStatement(node) && node.awaitModifier) return true;
    return compiler.forEachChild(node, (child) => visit(child) || undefined) ?? false;
  };
  return visit(file);
}
