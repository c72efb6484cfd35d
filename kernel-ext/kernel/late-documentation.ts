/**
 * Documentation of Node's and JavaScript's own declarations, read when it is first asked for: parsing
 * it with the declarations is a sixth of the time to the first result. Documentation comments are
 * made ordinary ones, of the same length, so that every other place of the file stays where it is.
 */
import type * as ts from "@tslab/typescript-for-tslab";

type Documented = ts.Node & { jsDoc?: (ts.Node & { parent: ts.Node })[] };

/** `text`, for a file whose documentation is read late; else as it is. */
export function withoutDocumentation(file: string, text: string): string {
  return isReadLate(file) ? text.replaceAll("/**", "/* ") : text;
}

/** Gives the files that were read without their documentation what `read` says of them. */
export function addDocumentation(
  compiler: typeof ts,
  files: readonly ts.SourceFile[],
  read: (file: string) => string | undefined,
): void {
  for (const file of files) {
    const text = isReadLate(file.fileName) ? read(file.fileName) : undefined;
    if (text === undefined) continue;
    const documented = compiler.createSourceFile(file.fileName, text, file.languageVersion, true);
    copyDocumentation(compiler, documented, file);
  }
}

/** Both trees have the same nodes: comments are none. */
function copyDocumentation(compiler: typeof ts, from: Documented, to: Documented): void {
  if (from.jsDoc) {
    to.jsDoc = from.jsDoc;
    for (const comment of from.jsDoc) comment.parent = to;
  }
  const children = childrenOf(compiler, to);
  childrenOf(compiler, from).forEach((child, i) => {
    copyDocumentation(compiler, child, children[i]!);
  });
}

function childrenOf(compiler: typeof ts, node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  compiler.forEachChild(node, (child) => void children.push(child));
  return children;
}

function isReadLate(file: string): boolean {
  return file.includes("/node_modules/@types/node/") || /\/lib\.[^/]*\.d\.ts$/.test(file);
}
