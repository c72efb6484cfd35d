/**
 * `using` for a compiler that does not know it: TypeScript 5.0 reads `const`, of the same length, and
 * cell-transform.ts puts the disposal back. The project's own compiler tells where they stand.
 */
import type ts from "typescript";
import { requireFromHome } from "./home.ts";

/** `using`, or `await using`. */
export type UsingKind = "sync" | "async";

/** A cell that says `const` where it said `using`; `declared` has the offsets of these. */
export interface WithoutUsing {
  readonly code: string;
  readonly declared: ReadonlyMap<number, UsingKind>;
}

/** No offset in `text` moves. */
export function withoutUsing(text: string): WithoutUsing {
  const declared = new Map<number, UsingKind>();
  // The compiler takes a quarter of a second to load; hardly a cell needs it.
  if (!/\busing[ \t]+[\w$]/.test(text)) return { code: text, declared };
  const compiler = requireFromHome("typescript") as typeof ts;
  let code = text;
  const visit = (node: ts.Node): void => {
    const kind = compiler.isVariableDeclarationList(node)
      ? kindOf(node.flags, compiler.NodeFlags)
      : undefined;
    if (kind) {
      const start = node.getStart(file);
      const names = (node as ts.VariableDeclarationList).declarations[0]!.getStart(file);
      declared.set(start, kind);
      code = code.slice(0, start) + "const".padEnd(names - start) + code.slice(names);
    }
    compiler.forEachChild(node, visit);
  };
  // A module, so that a top-level `await using` is read as one.
  const file = compiler.createSourceFile(
    "cell.ts",
    `${text}\nexport {};`,
    compiler.ScriptTarget.ESNext,
  );
  visit(file);
  return { code, declared };
}

/** In these bits `let` is 1, `const` 2, `using` 4, and `await using` the last two together. */
function kindOf(flags: ts.NodeFlags, known: typeof ts.NodeFlags): UsingKind | undefined {
  if ((flags & known.Using) === 0) return undefined;
  return (flags & known.Const) === 0 ? "sync" : "async";
}
