import { expect } from "chai";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { home } from "./home.ts";
import {
  JupyterClient,
  builtOnce,
  contentsOf,
  printed,
  resultText,
} from "./jupyter-client.testing.ts";

describe("imports of cells", () => {
  let root: string;
  let client: JupyterClient;
  let clock = Date.now() / 1000;

  /** Writes a source; each write has its own time of change. */
  function write(file: string, text: string): void {
    const path = join(root, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    utimesSync(path, clock, clock++);
  }

  before(async () => {
    await builtOnce();
    root = mkdtempSync(join(tmpdir(), "infinity-tree-"));
    symlinkSync(join(home, "node_modules"), join(root, "node_modules"), "junction");
    mkdirSync(join(root, "notebooks"));
    write("src/deep/base.ts", "export const base: number = 1;\n");
    write(
      "src/deep/middle.ts",
      'import { base } from "./base.ts";\n/** Base and one. */\nexport function middle(): number {\n  return base + 1;\n}\n',
    );
    write(
      "src/top.ts",
      [
        'import { middle } from "./deep/middle.ts";',
        "export interface Shape { readonly rows: number; readonly data: Float32Array<ArrayBuffer> }",
        "export const shape = (rows: number): Shape => ({ rows, data: new Float32Array(rows) });",
        "export function fail(): never {",
        "  // Two lines above, so that a wrong map shows.",
        '  throw new RangeError("from the engine");',
        "}",
        "export const top = (): number => 10 * middle();",
        "export const folder: string = import.meta.dirname;",
        'export const late = async (): Promise<number> => (await import("./deep/base.ts")).base;',
        "",
      ].join("\n"),
    );
    client = await JupyterClient.start({
      cwd: join(root, "notebooks"),
      env: { INFINITY_ROOT: root },
    });
  });
  after(async () => {
    await client.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const result = async (code: string): Promise<unknown> => resultText(await client.execute(code));
  const problem = async (code: string): Promise<unknown> =>
    contentsOf(await client.execute(code, { stop_on_error: false }), "error")[0]?.["evalue"];

  it("finds the engine by package name and by relative path, and it is one module", async () => {
    await client.execute('import * as named from "infinity-inference/top";');
    await client.execute(
      'import * as withEnding from "../src/top.ts"; import * as bare from "../src/top";',
    );
    expect(await result("named.top === withEnding.top && named.top === bare.top")).to.equal("true");
    expect(await result("named.top()")).to.equal("20");
  });

  it("knows the engine's types, also across files and for typed arrays", async () => {
    await client.execute('import { shape, top } from "infinity-inference/top";');
    expect(await problem("const wrong: string = top();")).to.equal(
      "Type 'number' is not assignable to type 'string'.",
    );
    expect(await problem("shape(2).columns")).to.include(
      "Property 'columns' does not exist on type 'Shape'",
    );
    expect(await problem("shape(2).data.map((x) => x.length)")).to.include(
      "'length' does not exist on type 'number'",
    );
    await client.execute("const inferred = shape(3);");
    expect(await result("inferred.data.length")).to.equal("3");
    expect(await problem('import { absent } from "../src/top.ts";')).to.include(
      "no exported member 'absent'",
    );
    expect(await problem('import { x } from "../src/nowhere.ts";')).to.include(
      "Cannot find module '../src/nowhere.ts'",
    );
  });

  it("runs `import.meta` and `import()` of sources", async () => {
    expect(
      await result('import { folder, late } from "infinity-inference/top"; [folder, await late()]'),
    ).to.equal(`[ '${join(root, "src")}', 1 ]`);
    expect(await result('(await import("infinity-inference/deep/base")).base')).to.equal("1");
  });

  it("points into the source where the engine throws", async () => {
    const exchange = await client.execute(
      'import { fail } from "infinity-inference/top";\nfail();',
      {
        stop_on_error: false,
      },
    );
    const lines = contentsOf(exchange, "error")[0]!["traceback"] as string[];
    expect(lines[0]).to.equal("RangeError: from the engine");
    expect(lines.slice(1, 4).at(1)).to.equal("> 2 | fail();");
    expect(lines.slice(4).join("\n")).to.match(
      /^ {4}at .*fail \(src\/top\.ts:6:9\)\n {4}at cell \d+:2:\d+$/,
    );
  });

  it("runs the new code after an edit, of the module and of what it imports", async () => {
    const code = 'import { top } from "infinity-inference/top"; top()';
    expect(await result(code)).to.equal("20");
    write("src/deep/base.ts", "export const base: number = 4;\n");
    expect(await result(code)).to.equal("50");
    write("src/deep/middle.ts", "export const middle = (): number => 7;\n");
    expect(await result(code)).to.equal("70");
  });

  it("checks against the new types after an edit, transitive too", async () => {
    write("src/kinds.ts", 'export type Kind = "a" | "b";\n');
    write(
      "src/use.ts",
      'import type { Kind } from "./kinds.ts";\nexport const use = (kind: Kind): string => kind;\n',
    );
    await client.execute('import { use } from "infinity-inference/use";');
    expect(await result('use("a")')).to.equal("'a'");
    expect(await problem('use("c")')).to.include("not assignable");
    write("src/kinds.ts", 'export type Kind = "c";\n');
    expect(await result('use("c")')).to.equal("'c'");
    expect(await problem('use("a")')).to.include("not assignable");
  });

  it("finds a source that appears later", async () => {
    expect(await problem('import { born } from "infinity-inference/born";')).to.include(
      "Cannot find module",
    );
    write("src/born.ts", "export const born = 1;\n");
    expect(await result('import { born } from "infinity-inference/born"; born')).to.equal("1");
  });

  it("names file and line of a source that is not TypeScript, and recovers", async () => {
    write("src/broken.ts", "export const fine: number = 1;\nexport const = 2;\n");
    const code = 'import { fine } from "infinity-inference/broken"; fine';
    expect(await problem(code)).to.match(/src\/broken\.ts:2:14: Expected identifier/);
    write("src/broken.ts", "export const fine: number = 2;\n");
    expect(await result(code)).to.equal("2");
  });

  it("loads the engine where one of its files cannot be a module of a notebook", async () => {
    write("src/script.ts", "export {};\nawait Promise.resolve();\n");
    write("src/fresh.ts", "export const fresh = 1;\n");
    const other = await JupyterClient.start({ cwd: root, env: { INFINITY_ROOT: root } });
    const code = 'import { fresh } from "infinity-inference/fresh"; fresh';
    expect(resultText(await other.execute(code))).to.equal("1");
    const { reply } = await other.execute('import "infinity-inference/script";');
    expect(reply["evalue"]).to.match(/^src\/script\.ts:2:1: Top-level await/);
    await other.stop();
  });

  it("loads arquero, danfojs and tfjs, typed, without a word on stderr", async () => {
    const tables = await client.execute(
      'import * as aq from "arquero";\nimport * as dfd from "danfojs-node";\nconst frame = new dfd.DataFrame({ a: [1, 2] });\nframe["a"].sum() + aq.table({ x: [1, 2] }).numRows()',
    );
    expect(resultText(tables)).to.equal("5");
    const tensors = await client.execute(
      'import * as tf from "@tensorflow/tfjs";\ntf.tidy(() => tf.ones([2, 2]).sum().dataSync()[0])',
    );
    expect(resultText(tensors)).to.equal("4");
    expect(printed(tables, "stderr") + printed(tensors, "stderr")).to.equal("");
    expect(await problem("aq.table({ x: [1] }).numRowz()")).to.include("numRowz");
    expect(await problem("tf.zeros([1]).shapely")).to.include("shapely");
  });

  it("loads native addons and starts workers", async () => {
    expect(await result('import { version } from "zeromq"; version.split(".").length')).to.equal(
      "3",
    );
    const code =
      'import { Worker } from "node:worker_threads"; const worker = new Worker("require(\'node:worker_threads\').parentPort.postMessage(6 * 7)", { eval: true }); await new Promise((done) => worker.once("message", done))';
    expect(await result(code)).to.equal("42");
  });

  it("loads CommonJS, ES modules and Node's own, and a package without types as any", async () => {
    expect(await result('import { expect } from "chai"; typeof expect')).to.equal("'function'");
    expect(
      await result('import fs, { existsSync } from "node:fs"; fs.existsSync === existsSync'),
    ).to.equal("true");
    expect(
      await result('import seedrandom from "seedrandom"; typeof seedrandom("a").quick()'),
    ).to.equal("'number'");
    expect(await problem('import "no-such-package";')).to.include("no-such-package");
  });
});
