/**
 * The architecture, enforced: imports between the folders of `src` point up this list only, the
 * browser-safe folders know neither Node nor tfjs, and a project has one name in every folder.
 */
import { expect } from "chai";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import ts from "typescript";
import { projects } from "./course/projects.ts";
import { root } from "./testing.ts";

/** A folder may import itself and any folder before it. ARCHITECTURE.md says what each holds. */
const floors = [
  ...["core", "formats", "quant", "kernels", "graph", "model", "runtime", "eval"],
  ...["tensor", "corpus", "training", "compress", "planning", "parallel"],
  ...["sandbox", "agent", "serving", "edge", "course", "cli"],
];
const browserSafe = floors.slice(0, floors.indexOf("eval") + 1);
/** Pure JavaScript without dependencies, so these run in a browser as they are. */
const browserSafePackages = ["@huggingface/jinja"];

const src = join(root, "src");
const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.(ts|js)$/.test(file))
  .map((file) => file.split(sep).join("/"));
const isTest = (file: string): boolean => /\.test(ing)?\.ts$|^testing\b|\/fixtures\//.test(file);

describe("architecture", () => {
  it("has no folder in src that the list does not name", () => {
    const folders = readdirSync(src, { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(folders.map(({ name }) => name).filter((name) => !floors.includes(name))).to.deep.equal(
      [],
    );
  });

  it("imports point to the same folder or one before it", () => {
    const wrong = files
      .filter((file) => file.includes("/") && !isTest(file))
      .flatMap((file) => {
        const own = floors.indexOf(folderOf(file));
        return importsOf(file)
          .filter((target) => target.startsWith("src/"))
          .filter((target) => floors.indexOf(folderOf(target.slice(4))) > own)
          .map((target) => `${file} imports ${target}`);
      });
    expect(wrong).to.deep.equal([]);
  });

  it("src imports nothing of the notebooks, exercises, solutions, kernel or bench", () => {
    const wrong = files
      .filter((file) => !isTest(file))
      .flatMap((file) => importsOf(file).map((target) => ({ file, target })))
      .filter(({ target }) =>
        /^(notebooks|exercises|solutions|kernel-ext|bench|deploy)\//.test(target),
      );
    expect(wrong).to.deep.equal([]);
  });

  it("the browser-safe folders import no node: module, no tfjs and no package that needs them", () => {
    const wrong = files
      .filter((file) => browserSafe.includes(folderOf(file)) && !isTest(file))
      .flatMap((file) =>
        importsOf(file)
          .filter((target) => !target.startsWith("src/") && !browserSafePackages.includes(target))
          .map((target) => `${file} imports ${target}`),
      );
    expect(wrong).to.deep.equal([]);
  });

  it("no module waits while it loads: notebooks load them as CommonJS", () => {
    const waiting = files
      .filter((file) => !isTest(file) && file.endsWith(".ts"))
      .filter(awaitsAtTop);
    expect(waiting).to.deep.equal([]);
  });

  it("finds a wrong import where there is one", () => {
    const source = 'import { x } from "../cli/main.ts"; const y = await import("node:fs");';
    expect(specifiersOf("core/wrong.ts", source)).to.deep.equal(["../cli/main.ts", "node:fs"]);
  });

  it("every project that has begun has its five files under one name", () => {
    const missing = projects
      .filter(({ slug }) => existsSync(join(root, "notebooks", `${slug}.ipynb`)))
      .flatMap(({ slug }) => [
        `exercises/${slug}.ts`,
        `exercises/${slug}.test.ts`,
        `solutions/${slug}.ts`,
        `solutions/${slug}.mutants.ts`,
      ])
      .filter((file) => !existsSync(join(root, file)));
    expect(missing).to.deep.equal([]);
  });

  it("no notebook, exercise or solution has a name of its own", () => {
    const slugs = new Set(projects.map(({ slug }) => slug));
    const strangers = ["notebooks", "exercises", "solutions"].flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((file) => /^[^.].*\.(ipynb|ts)$/.test(file) && !slugs.has(file.split(".")[0]!))
        .map((file) => `${folder}/${file}`),
    );
    expect(strangers).to.deep.equal([]);
  });
});

function folderOf(file: string): string {
  return file.split("/")[0]!;
}

/** What `file` imports: `src/…` and the like for files of the repository, else the specifier. */
function importsOf(file: string): string[] {
  return specifiersOf(file, readFileSync(join(src, file), "utf8")).map((specifier) => {
    const own = /^infinity-inference\/(.+)$/.exec(specifier);
    if (own) return `src/${own[1]!}`;
    if (!specifier.startsWith(".")) return specifier;
    return relative(root, resolve(dirname(join(src, file)), specifier))
      .split(sep)
      .join("/");
  });
}

function awaitsAtTop(file: string): boolean {
  const waits = (node: ts.Node): boolean =>
    ts.isAwaitExpression(node) ||
    (!ts.isFunctionLike(node) && !ts.isClassLike(node) && ts.forEachChild(node, waits) === true);
  const source = readFileSync(join(src, file), "utf8");
  return waits(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true));
}

/** The module specifiers of static and dynamic imports and of re-exports, in order. */
function specifiersOf(file: string, source: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined;
    if (specifier && ts.isStringLiteral(specifier)) found.push(specifier.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true));
  return found;
}
