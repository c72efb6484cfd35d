import { expect } from "chai";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import {
  JupyterClient,
  builtOnce,
  contentsOf,
  printed,
  resultText,
} from "./jupyter-client.testing.ts";

describe("syntax that the converter does not know", () => {
  let client: JupyterClient;

  before(async () => {
    await builtOnce();
    client = await JupyterClient.start();
    await client.execute(
      [
        "const log: string[] = [];",
        "class Held {",
        "  readonly name: string;",
        "  constructor(name: string) { this.name = name; log.push(`open ${name}`); }",
        "  [Symbol.dispose](): void { log.push(`close ${this.name}`); }",
        "  async [Symbol.asyncDispose](): Promise<void> { await null; log.push(`await ${this.name}`); }",
        "}",
      ].join("\n"),
    );
  });
  after(() => client.stop());

  /** What the resources of a cell did, and how it ended. */
  async function logged(code: string): Promise<{ log: unknown; evalue: unknown }> {
    await client.execute("log.length = 0;");
    const exchange = await client.execute(code, { stop_on_error: false });
    const log = resultText(await client.execute('log.join(", ")'));
    return { log, evalue: contentsOf(exchange, "error")[0]?.["evalue"] };
  }

  for (const [name, code, log] of [
    [
      "the cell, in reverse order",
      'using a = new Held("a"); using b = new Held("b"); log.push(a.name + b.name);',
      "open a, open b, ab, close b, close a",
    ],
    [
      "a block",
      '{ log.push("in"); using a = new Held("a"); log.push("use"); } log.push("out");',
      "in, open a, use, close a, out",
    ],
    [
      "a function that returns",
      'function f(): number { using a = new Held("a"); return 1; } log.push(String(f()));',
      "open a, close a, 1",
    ],
    [
      "each turn of a loop",
      'for (using x of [new Held("x"), new Held("y")]) log.push(x.name);',
      "open x, open y, x, close x, y, close y",
    ],
    [
      "a whole loop",
      'for (using x = new Held("x"), i = null; log.length < 2;) log.push("turn");',
      "open x, turn, close x",
    ],
    [
      "the cell, awaited",
      'await using a = new Held("a"); log.push("use");',
      "open a, use, await a",
    ],
    [
      "a block, awaited",
      '{ await using a = new Held("a"), n = null; } log.push("out");',
      "open a, await a, out",
    ],
  ] as const) {
    it(`disposes at the end of ${name}`, async () => {
      expect(await logged(code)).to.deep.equal({ log: `'${log}'`, evalue: undefined });
    });
  }

  it("disposes when the cell fails, and tells both errors where disposing fails too", async () => {
    expect(await logged('using a = new Held("a"); throw new Error("no");')).to.deep.equal({
      log: "'open a, close a'",
      evalue: "no",
    });
    const both =
      'try { using a = { [Symbol.dispose]() { throw new Error("late"); } }; throw new Error("early"); } catch (error) { log.push(String((error as any).error.message), (error as any).suppressed.message); }';
    expect((await logged(both)).log).to.equal("'late, early'");
  });

  it("types what `using` declares, and refuses what cannot be disposed", async () => {
    const wrong = await client.execute('using a = new Held("a"); a.size', { stop_on_error: false });
    expect(contentsOf(wrong, "error")[0]!["traceback"]).to.satisfy((lines: string[]) =>
      /line 1, column 28: Property 'size' does not exist/.test(lines[0]!),
    );
    expect((await logged("using a = {} as any;")).evalue).to.include("[Symbol.dispose]");
  });

  it("reads `using` as a name where it is one", async () => {
    expect(resultText(await client.execute("const using = 2; using + 1"))).to.equal("3");
  });

  it("knows import.meta", async () => {
    const exchange = await client.execute(
      'console.log(import.meta.url); console.log(import.meta.dirname); console.log(import.meta.filename); console.log(import.meta.resolve("./a.txt")); console.log(import.meta.resolve("infinity-inference/core/errors")); console.log(import.meta.resolve("fs"));',
    );
    const [url, folder, file, near, engine, builtin] = printed(exchange).split("\n");
    expect(fileURLToPath(url!)).to.equal(file);
    expect(folder).to.equal(process.cwd()).and.to.equal(dirname(file!));
    expect(near).to.equal(new URL("./a.txt", url).href);
    expect(engine).to.match(/^file:.*\/src\/core\/errors\.ts$/);
    expect(builtin).to.equal("node:fs");
  });
});
