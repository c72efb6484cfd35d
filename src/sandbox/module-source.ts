/**
 * What a module that nobody trusts may contain: types from anywhere, values from itself only. Checked
 * before anything runs, so that the mistake is a sentence and not a missing `require`; the sandbox
 * does not depend on it.
 */
import { parse } from "acorn";
import type { AnyNode, Node } from "acorn";
import { SourceMap } from "node:module";
import { InputError } from "../core/errors.ts";
import { transpile } from "./program.ts";
import type { Program } from "./program.ts";

/** Bytes of one module: the longest worked answer has some 20 KB. */
export const maxModuleBytes: number = 2 ** 20;

/**
 * The program of the TypeScript module `source`, which `file` names in messages. Throws InputError
 * where it is too long, does not compile, or reaches for other modules.
 */
export async function compileModule(source: string, file: string): Promise<Program> {
  if (source.length > maxModuleBytes) {
    throw new InputError(
      `${file} has ${source.length} characters; at most ${maxModuleBytes} are read.`,
    );
  }
  const readable = await transpile(source, file, "esm");
  const found = firstForbidden(
    parse(readable.code, { ecmaVersion: "latest", sourceType: "module" }),
  );
  if (found) throw new InputError(`${file}:${lineOf(found, readable)} ${found.problem}.`);
  return transpile(source, file, "cjs");
}

interface Forbidden {
  /** Offset in the transpiled code. */
  readonly at: number;
  readonly problem: string;
}

function firstForbidden(root: Node): Forbidden | null {
  const waiting: Node[] = [root];
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    const problem = problemOf(node as AnyNode);
    if (problem) return { at: node.start, problem };
    waiting.push(...childrenOf(node).reverse());
  }
  return null;
}

function problemOf(node: AnyNode): string | null {
  if (node.type === "ImportDeclaration") {
    return `imports ${String(node.source.raw)}; an exercise imports types only: write \`import type\`, or write the function yourself`;
  }
  if (
    node.type === "ExportAllDeclaration" ||
    (node.type === "ExportNamedDeclaration" && node.source)
  ) {
    return `exports from ${String(node.source?.raw)}; an exercise exports what it holds itself`;
  }
  if (node.type === "ImportExpression")
    return "imports a module while it runs; an exercise imports types only";
  if (node.type === "MetaProperty" && node.meta.name === "import")
    return "uses import.meta, which an exercise does not have";
  const calls =
    node.type === "CallExpression" && node.callee.type === "Identifier" ? node.callee.name : "";
  return calls === "require" ? "calls require, which an exercise does not have" : null;
}

function childrenOf(node: Node): Node[] {
  return Object.values(node)
    .flat()
    .filter((value: unknown): value is Node => typeof (value as Node | null)?.type === "string");
}

function lineOf({ at }: Forbidden, { code, map }: Program): number {
  const before = code.slice(0, at).split("\n");
  const entry = new SourceMap(map).findEntry(before.length - 1, before.at(-1)!.length);
  return "originalLine" in entry ? entry.originalLine + 1 : before.length;
}
