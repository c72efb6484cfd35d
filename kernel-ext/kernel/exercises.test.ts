import { expect } from "chai";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { home } from "./home.ts";
import {
  JupyterClient,
  builtOnce,
  contentsOf,
  resultText,
  type Exchange,
} from "./jupyter-client.testing.ts";

describe("exercises in a notebook", () => {
  let root: string;
  let client: JupyterClient;

  before(async () => {
    await builtOnce();
    root = mkdtempSync(join(tmpdir(), "infinity-course-"));
    for (const path of ["src", "exercises", "package.json"]) {
      cpSync(join(home, path), join(root, path), { recursive: true });
    }
    symlinkSync(join(home, "node_modules"), join(root, "node_modules"), "junction");
    mkdirSync(join(root, "notebooks"));
    client = await JupyterClient.start({
      cwd: join(root, "notebooks"),
      env: {
        INFINITY_ROOT: root,
        JPY_SESSION_NAME: join(root, "notebooks", "01-linear-quantizer.ipynb"),
      },
    });
  });
  after(async () => {
    await client.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const file = (): string =>
    readFileSync(join(root, "exercises", "01-linear-quantizer.ts"), "utf8");
  const execute = (code: string): Promise<Exchange> =>
    client.execute(code, { stop_on_error: false });
  const shown = (exchange: Exchange): Record<string, string> =>
    contentsOf(exchange, "display_data").at(-1)?.["data"] as Record<string, string>;

  const answer = [
    "/** Halves to even. */",
    "export function roundHalfEven(x: number): number {",
    "  const low = Math.floor(x);",
    "  const up = x - low > 0.5 || (x - low === 0.5 && low % 2 !== 0);",
    "  const rounded = up ? low + 1 : low;",
    "  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;",
    "}",
  ].join("\n");

  it("saves nothing where the types are wrong or the cell throws", async () => {
    const before = file();
    const wrong = await execute(
      `%%exercise roundHalfEven\n${answer.replace("-0 : rounded", '"0" : rounded')}`,
    );
    expect(wrong.reply).to.deep.include({ status: "error", ename: "TypeScriptError" });
    expect((wrong.reply["traceback"] as string[])[0]).to.match(/line 7, column 3/);
    const thrown = await execute(`%%exercise roundHalfEven\n${answer}\nthrow new Error("no");`);
    expect(thrown.reply).to.deep.include({ status: "error", evalue: "no" });
    expect(file()).to.equal(before);
  });

  it("runs the cell, saves it into its region, and says so", async () => {
    const saved = await execute(`%%exercise roundHalfEven\n${answer}`);
    expect(saved.reply["status"]).to.equal("ok");
    expect(shown(saved)["text/plain"]).to.include(
      "Saved roundHalfEven in exercises/01-linear-quantizer.ts",
    );
    expect(shown(saved)["text/html"]).to.include("Saved roundHalfEven");
    expect(file()).to.include(answer);
    expect(resultText(await execute("[roundHalfEven(2.5), roundHalfEven(3.5)]"))).to.equal(
      "[ 2, 4 ]",
    );
    const again = await execute(`%%exercise roundHalfEven\n${answer}`);
    expect(shown(again)["text/plain"]).to.include("is unchanged");
  });

  it("names the exercises there are when one is misspelt or missing", async () => {
    expect((await execute("%%exercise roundHalfOdd\n1")).reply).to.deep.include({
      ename: "UsageError",
    });
    expect((await execute("%%exercise\n1")).reply["evalue"]).to.include("%%exercise roundHalfEven");
  });

  it("shows the grader's report, from a call and from a magic", async () => {
    const checked = await execute('await check("01", "roundHalfEven")');
    expect(checked.reply["status"], JSON.stringify(checked.reply)).to.equal("ok");
    expect(resultText(checked)).to.equal(undefined);
    expect(shown(checked)["text/plain"])
      .to.match(/passed/)
      .and.to.not.match(/failed/);
    expect(shown(checked)["text/html"]).to.match(/^</);
    const graded = await execute("%%grade 01 packNibbles\nconst ran = true;");
    expect(graded.reply["status"], JSON.stringify(graded.reply)).to.equal("ok");
    expect(shown(graded)["text/plain"]).to.match(/failed|not written/);
    expect(resultText(await execute("ran"))).to.equal("true");
  });

  it("says in one sentence why a project cannot be graded", async () => {
    const { reply } = await execute('await check("99")');
    expect(reply["ename"]).to.equal("InputError");
    expect(reply["evalue"]).to.include('There is no project "99"').and.to.not.include("\n");
  });
});
