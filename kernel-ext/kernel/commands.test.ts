import { expect } from "chai";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { home } from "./home.ts";
import {
  JupyterClient,
  builtOnce,
  contentsOf,
  printed,
  resultText,
  type Exchange,
} from "./jupyter-client.testing.ts";

describe("magics and the functions beside them", () => {
  let client: JupyterClient;
  let root: string;

  before(async () => {
    await builtOnce();
    root = mkdtempSync(join(tmpdir(), "infinity-commands-"));
    for (const path of ["src", "exercises", "package.json"]) {
      cpSync(join(home, path), join(root, path), { recursive: true });
    }
    symlinkSync(join(home, "node_modules"), join(root, "node_modules"), "junction");
    mkdirSync(join(root, "notebooks"));
    writeFileSync(
      join(root, "src", "fails.ts"),
      'import { InputError } from "./core/errors.ts";\nexport function fails(): never {\n  throw new InputError("The file x.gguf has no header; give another.");\n}\nexport const loadedMs: number = performance.now();\n',
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

  const execute = (code: string): Promise<Exchange> =>
    client.execute(code, { stop_on_error: false });
  const shown = (exchange: Exchange): string => {
    expect(exchange.reply["status"], JSON.stringify(exchange.reply)).to.equal("ok");
    const data = contentsOf(exchange, "display_data").at(-1)?.["data"];
    return (data as Record<string, string>)["text/plain"]!;
  };

  it("%time and time() print how long, and keep the value", async () => {
    const line = await execute("%time await new Promise((done) => setTimeout(done, 60, 7))");
    expect(resultText(line)).to.equal("7");
    expect(Number(/^Took ([\d.]+) ms\.\n$/.exec(printed(line))![1])).to.be.within(55, 900);
    const cell = await execute("%time\nlet n = 0;\nfor (let i = 0; i < 10; i++) n += i;\nn");
    expect(resultText(cell)).to.equal("45");
    expect(printed(cell)).to.match(/^Took [\d.e+]+ (µs|ms)\.\n$/);
    const call = await execute("const four: number = time(() => 4); four");
    expect([resultText(call), printed(call)]).to.satisfy(
      ([value, text]: string[]) => value === "4" && /^Took /.test(text!),
    );
    const later = await execute("await time(async () => { await null; return 5; })");
    expect(resultText(later)).to.equal("5");
    expect(printed(later)).to.match(/^Took /);
  });

  it("keeps lines and columns of the code below a magic", async () => {
    const { reply } = await execute("// first\n%time\nconst x: string = 5;");
    expect((reply["traceback"] as string[])[0]).to.match(/line 3, column 7/);
    const inline = await execute("%time const y: string = 5;");
    expect((inline.reply["traceback"] as string[])[0]).to.match(/line 1, column 13/);
  });

  it("%who and who() list names with kinds and shapes", async () => {
    await execute(
      'const weights = new Float32Array(64); const grid = [[1, 2], [3, 4]]; function f(): void {} class Box {} const label = "a"; const when = new Map([[1, 2]]);',
    );
    for (const code of ["%who", "who()"]) {
      const text = shown(await execute(code));
      expect(text).to.match(/^weights +Float32Array \[64\]$/m);
      expect(text).to.match(/^grid +Array \[2, 2\]$/m);
      expect(text).to.match(/^f +function$/m);
      expect(text).to.match(/^Box +class$/m);
      expect(text).to.match(/^label +'a'$/m);
      expect(text).to.match(/^when +Map of 1$/m);
      expect(text).to.not.match(/tsLastExpr|__esModule/);
    }
  });

  it("%reload and reload() make the next import load anew", async () => {
    const load = 'import { loadedMs } from "infinity-inference/fails"; loadedMs';
    const first = resultText(await execute(load));
    expect(resultText(await execute(load))).to.equal(first);
    expect(shown(await execute("%reload"))).to.match(/^Forgot \d+ modules of the engine/);
    const second = resultText(await execute(load));
    expect(second).to.not.equal(first);
    await execute("reload()");
    expect(resultText(await execute(load))).to.not.equal(second);
  });

  it("tells the engine's errors as a sentence, and their frames with %trace and trace()", async () => {
    const { reply } = await execute('import { fails } from "infinity-inference/fails";\nfails();');
    const lines = reply["traceback"] as string[];
    expect(reply["evalue"]).to.equal("The file x.gguf has no header; give another.");
    expect(lines[0]).to.equal("InputError: The file x.gguf has no header; give another.");
    expect(lines.join("\n"))
      .to.include("> 2 | fails();")
      .and.to.not.match(/src\/fails|node:|main\.cjs/);
    for (const code of ["%trace", "trace()"]) {
      const text = shown(await execute(code));
      expect(text)
        .to.match(/at .*fails \(src\/fails\.ts:3:9\)/)
        .and.to.match(/cell-runner|main\.cjs|notebook/);
    }
  });

  it("%device and device() say what tensors are computed on, and why not on better", async () => {
    const text = shown(await execute('%device\nimport * as tf from "@tensorflow/tfjs";'));
    expect(text).to.match(/^→ +(tensorflow|webgpu|wasm|cpu) /m);
    expect(shown(await execute('await device("cpu")'))).to.match(/^→ +cpu +CPU$/m);
    expect(resultText(await execute("tf.getBackend()"))).to.equal("'cpu'");
    expect((await execute('await device("abacus")')).reply).to.deep.include({
      ename: "UsageError",
      evalue: "There is no device abacus; there is tensorflow, webgpu, wasm, cpu, webgpu-software.",
    });
  });

  it("exercise() saves as %%exercise does, and check() gives its report to the cell", async () => {
    const code = "export function roundHalfEven(x: number): number {\n  return x;\n}";
    expect(shown(await execute(`exercise("roundHalfEven", ${JSON.stringify(code)})`))).to.include(
      "Saved roundHalfEven",
    );
    expect(readFileSync(join(root, "exercises", "01-linear-quantizer.ts"), "utf8")).to.include(
      "return x;",
    );
    const checked = await execute(
      'const report = await check("01", "roundHalfEven"); [report.slug, report.points < report.maxPoints, report.tests.every(({ status }) => status !== "not run")]',
    );
    expect(resultText(checked)).to.equal("[ '01-linear-quantizer', true, true ]");
    const last = await execute('await check("01", "roundHalfEven")');
    expect(last.published.map(({ type }) => type)).to.deep.equal([
      "status",
      "execute_input",
      "display_data",
      "status",
    ]);
  });

  it("names the magics there are when one is misspelt or misplaced", async () => {
    expect((await execute("%tme 1")).reply["evalue"]).to.match(
      /^There is no line magic %tme; there is %time, .* and %\w+\.$/,
    );
    expect((await execute("%time\n%%grade 01")).reply["evalue"]).to.equal(
      "%%grade must be the first line of its cell.",
    );
    expect(resultText(await execute("7\n%2"))).to.equal("1");
  });
});
