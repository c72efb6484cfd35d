import { expect } from "chai";
import {
  JupyterClient,
  builtOnce,
  contentsOf,
  printed,
  resultText,
} from "./jupyter-client.testing.ts";

describe("cells", () => {
  let client: JupyterClient;

  before(async () => {
    await builtOnce();
    client = await JupyterClient.start();
  });
  after(() => client.stop());

  const result = async (code: string): Promise<unknown> => resultText(await client.execute(code));

  /** The `error` message of a cell that fails; the reply must say the same. */
  async function failure(
    code: string,
  ): Promise<{ ename: string; evalue: string; traceback: string[] }> {
    const exchange = await client.execute(code, { stop_on_error: false });
    const [error] = contentsOf(exchange, "error");
    expect(error, `no error from ${code}`).to.exist;
    expect(exchange.reply).to.deep.include({ status: "error", ...error });
    return error as unknown as { ename: string; evalue: string; traceback: string[] };
  }

  for (const [name, code, expected] of [
    ["an expression", "await Promise.resolve(1)", "1"],
    ["parentheses", "await (Promise.resolve(2))", "2"],
    ["for await", "let sum = 0; for await (const x of [1, 2]) sum += x; sum", "3"],
    ["a block", "let got = 0; { const x = await Promise.resolve(4); got = x; } got", "4"],
    ["a loop in a branch", "let n = 0; if (n === 0) { while (n < 5) n += await 1; } n", "5"],
    [
      "destructuring",
      "const { a: six, b: [seven] } = await Promise.resolve({ a: 6, b: [7] }); six + seven",
      "13",
    ],
    [
      "a default in a pattern",
      "const { eight = await Promise.resolve(8) } = {} as { eight?: number }; eight",
      "8",
    ],
    ["a template", "`${await Promise.resolve(9)}`", "'9'"],
    ["an argument", "Math.max(await 1, await 10)", "10"],
    [
      "try and finally",
      "let end = 0; try { await Promise.reject(1); } catch { end = 11; } end",
      "11",
    ],
    ["a field of a class", "class Later { static x = 12; } (await Later).x", "12"],
  ] as const) {
    it(`awaits at the top level: ${name}`, async () => {
      expect(await result(code)).to.equal(expected);
    });
  }

  it("does not take an await inside a function for one at the top", async () => {
    expect(await result("const later = async () => await 1; typeof later()")).to.equal("'object'");
  });

  it("shares what cells declare: values, functions, classes, types", async () => {
    await client.execute("let total = 1; interface Point { x: number } enum Kind { A, B }");
    await client.execute(
      "function twice(x: number): number { return 2 * x; } class Box { v = 3; }",
    );
    await client.execute("const p: Point = { x: Kind.B }; total += twice(p.x);");
    expect(await result("({ total, box: new Box().v, nested: { p } })")).to.equal(
      "{ total: 3, box: 3, nested: { p: { x: 1 } } }",
    );
    expect(await result("({ total } = { total: 9 }); total")).to.equal("9");
    expect(await result('const total = "anew"; total.toUpperCase()')).to.equal("'ANEW'");
  });

  it("takes `export` for what it is anyway", async () => {
    await client.execute(
      "export function shared(): number { return 5; }\nexport const sharedToo = 6;",
    );
    expect(await result("shared() + sharedToo")).to.equal("11");
  });

  it("shows no result for undefined, and one for null and for a promise", async () => {
    expect(await result("undefined")).to.equal(undefined);
    expect(await result("console.log()")).to.equal(undefined);
    expect(await result("null")).to.equal("null");
    expect(await result("Promise.resolve(1)")).to.equal("Promise { 1 }");
  });

  it("has Node's globals, and the copying array methods, with types", async () => {
    const names =
      "fetch, Buffer, structuredClone, performance.now, AbortController, TextEncoder, setTimeout";
    expect(await result(`[${names}].every((one) => typeof one === "function")`)).to.equal("true");
    expect(await result("new Float32Array([3, 1, 2]).toSorted().with(0, 9)")).to.equal(
      "Float32Array(3) [ 9, 2, 3 ]",
    );
  });

  it("prints as Node does, to both streams, in order", async () => {
    const exchange = await client.execute(
      'console.log("%s of %d", "one", 2, { a: [new Map([[1, 2]])] }); console.error("bad"); process.stdout.write(Buffer.from("é"));',
    );
    expect(printed(exchange)).to.equal("one of 2 { a: [ Map(1) { 1 => 2 } ] }\né");
    expect(printed(exchange, "stderr")).to.equal("bad\n");
  });

  it("reports a type error with its place, and runs nothing of the cell", async () => {
    const error = await failure('globalThis.process.env["RAN"] = "yes";\nconst label: string = 5;');
    expect(error.ename).to.equal("TypeScriptError");
    expect(error.evalue).to.equal("Type 'number' is not assignable to type 'string'.");
    expect(error.traceback.slice(0, 1)[0]).to.match(/^cell \d+, line 2, column 7: .*\(TS2322\)$/);
    expect(error.traceback.slice(1)).to.deep.equal([
      '  1 | globalThis.process.env["RAN"] = "yes";',
      "> 2 | const label: string = 5;",
      "    |       ^",
    ]);
    expect(await result('process.env["RAN"]')).to.equal(undefined);
  });

  it("checks strictly, and reports syntax errors inside the cell", async () => {
    expect((await failure("function f(x) { return x; }")).evalue).to.include(
      "implicitly has an 'any' type",
    );
    expect(
      (await failure('const maybe = new Map([[1, "a"]]).get(1); maybe.length')).evalue,
    ).to.include("possibly 'undefined'");
    const { traceback } = await failure("const a = [1, 2;");
    expect(traceback[0]).to.match(/line 1, column 16/);
  });

  it("reports an exception with the lines of the cells it went through", async () => {
    await client.execute(
      "function deep(x: any): number {\n  // A comment that compiling drops.\n  return x.y.z;\n}",
    );
    const error = await failure("const first = 1;\ntype Gone = string;\n\tdeep({});");
    expect(error.ename).to.equal("TypeError");
    expect(error.evalue).to.equal("Cannot read properties of undefined (reading 'z')");
    expect(error.traceback.slice(1, 4)).to.deep.equal([
      "  2 |   // A comment that compiling drops.",
      "> 3 |   return x.y.z;",
      "    |              ^",
    ]);
    expect(error.traceback.slice(4).join("\n")).to.match(
      /^ {4}at deep \(cell \d+:3:14\)\n {4}at cell \d+:3:2$/,
    );
  });

  it("names functions in messages as the cell does", async () => {
    await client.execute(
      'let notFunction: any = 1; import * as rounding from "infinity-inference/core/rounding";',
    );
    expect((await failure("notFunction()")).traceback[0]).to.equal(
      "TypeError: notFunction is not a function",
    );
    const code =
      'import { createHash } from "node:crypto"; (createHash as any) (null as any, 5).nothing.at';
    expect((await failure(code)).evalue).to.not.match(/exports\.|_1\./);
  });

  it("follows an exception through await, and tells its cause", async () => {
    const error = await failure(
      'const slow = async () => { await null; throw new Error("outer", { cause: new RangeError("inner") }); };\nawait slow();',
    );
    const text = error.traceback.join("\n");
    expect(text)
      .to.match(/at async cell \d+:2:1/)
      .and.to.match(/caused by:\nRangeError: inner/);
    expect(text).to.not.match(/tslab|node:vm|node:internal|main\.cjs/);
  });

  it("reports thrown values that are no errors", async () => {
    expect(await failure('throw "text"')).to.deep.include({ ename: "Thrown", evalue: "'text'" });
    expect((await failure("throw null")).evalue).to.equal("null");
    expect((await failure("throw Object.create(null)")).evalue).to.equal(
      "[Object: null prototype] {}",
    );
  });

  it("keeps what a failed cell got to, and only that", async () => {
    await failure(
      'interface Kept { k: number }\nconst reached = 1;\nfunction defined() { return 2; }\nif (reached) throw new Error("stop");\nconst missed = 3;',
    );
    expect(await result("const kept: Kept = { k: reached + defined() }; kept")).to.equal(
      "{ k: 3 }",
    );
    expect((await failure("missed")).evalue).to.equal("Cannot find name 'missed'.");
  });

  it("survives errors of timers and forgotten promises, and shows them", async () => {
    const exchange = await client.execute(
      'setTimeout(() => { throw new Error("of a timer"); }, 1);\nvoid Promise.reject(new Error("of a promise"));\nawait new Promise((done) => setTimeout(done, 50));\n"alive"',
    );
    expect(resultText(exchange)).to.equal("'alive'");
    expect(printed(exchange, "stderr"))
      .to.include("Error: of a timer")
      .and.to.include("Error: of a promise");
    expect(printed(exchange, "stderr")).to.match(/cell \d+:1:26/);
  });

  it("names the magics there are when one is misspelt", async () => {
    expect(await failure("%%exercize roundHalfEven\n1")).to.deep.include({
      ename: "UsageError",
      evalue: "There is no cell magic %%exercize; there is %%exercise and %%grade.",
    });
  });
});
