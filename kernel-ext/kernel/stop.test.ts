import { expect } from "chai";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { notRun } from "../../src/testing.ts";
import {
  JupyterClient,
  builtOnce,
  printed,
  resultText,
  type Exchange,
} from "./jupyter-client.testing.ts";

/** Issue 3: within a second, with the state kept. */
const limitMs = 1000;

describe("Stop", () => {
  let client: JupyterClient;

  let root: string;

  before(async () => {
    await builtOnce();
    root = mkdtempSync(join(tmpdir(), "infinity-stop-"));
    mkdirSync(join(root, "src", "cli"), { recursive: true });
    writeFileSync(join(root, "src", "cli", "infinity.js"), "setInterval(() => 0, 1000);\n");
    client = await JupyterClient.start({ env: { INFINITY_ROOT: root } });
    await client.execute("let kept = 5;");
  });
  after(async () => {
    await client.stop();
    rmSync(root, { recursive: true, force: true });
  });

  /** Runs a cell, stops it once it runs, and gives how it ended and how long after Stop. */
  async function stopped(code: string, runMs = 150): Promise<Exchange & { ms: number }> {
    const id = await client.send("execute_request", { code });
    await client.published(id, "execute_input");
    await sleep(runMs);
    const start = performance.now();
    const { reply } = await client.request("interrupt_request", {}, "control");
    expect(reply["status"]).to.equal("ok");
    const exchange = await client.exchange(id);
    return { ...exchange, ms: performance.now() - start };
  }

  async function expectStopped(code: string, runMs?: number): Promise<Exchange> {
    const { ms, ...exchange } = await stopped(code, runMs);
    expect(exchange.reply, code).to.deep.include({ status: "error", ename: "Interrupted" });
    expect(ms, code).to.be.below(limitMs);
    return exchange;
  }

  const kept = async (): Promise<unknown> => resultText(await client.execute("kept"));

  it("ends an asynchronous cell", async () => {
    await expectStopped("kept = 6; await new Promise(() => {});");
    expect(await kept()).to.equal("6");
  });

  it("ends a synchronous loop", async function () {
    if (process.platform === "win32") notRun(this, "Windows has no signal that ends a loop");
    await expectStopped("for (;;) kept = 7;");
    expect(await kept()).to.equal("7");
  });

  for (const [name, loop] of [
    ["for", "for (;;) kept = 8;"],
    ["while", "while (true) { kept = 8; }"],
    ["do", "do kept = 8; while (true);"],
    [
      "for of",
      "function* endless() { while (true) yield 8; } for (const x of endless()) kept = x;",
    ],
    ["for await", "for await (const x of (async function* () { for (;;) yield 8; })()) kept = x;"],
    ["a function's loop", "const spin = (): void => { for (;;) kept = 8; }; spin();"],
    ["a loop that catches", "for (;;) { try { for (;;) kept = 8; } catch {} }"],
  ] as const) {
    it(`ends a synchronous loop after an await: ${name}`, async () => {
      await client.execute("kept = 0;");
      await expectStopped(`await null; ${loop}`);
      expect(await kept()).to.equal("8");
    });
  }

  it("ends a loop of a function that an earlier cell declared", async () => {
    await client.execute("function forever(): void { let n = 0; for (;;) kept = 9 + 0 * n++; }");
    await expectStopped("await null; forever();");
    expect(await kept()).to.equal("9");
    await expectStopped("await null; forever();");
  });

  it("says where the loop was", async () => {
    const { reply } = await expectStopped("await null;\nfor (;;) {\n  kept = 10;\n}");
    expect((reply["traceback"] as string[])[0]).to.equal("Interrupted: The cell was stopped.");
    expect((reply["traceback"] as string[]).join("\n")).to.match(/cell \d+:\d:/);
  });

  it("ends an asynchronous loop, which then prints no more", async () => {
    const code =
      "for (let i = 0; ; i++) { console.log(i); await new Promise((done) => setTimeout(done, 20)); }";
    await expectStopped(code, 100);
    const after = await client.execute("await new Promise((done) => setTimeout(done, 100));");
    expect(printed(after)).to.equal("");
  });

  for (const [name, code] of [
    [
      "that it waits for",
      'import { promisify } from "node:util"; await promisify(cp.execFile)(process.execPath, ["-e", program]);',
    ],
    ["that it waits for synchronously", 'cp.execFileSync(process.execPath, ["-e", program]);'],
    [
      "of a shell, which has children of its own",
      "cp.execSync(`\"${process.execPath}\" -e '${program}'; true`);",
    ],
    [
      "that will not end by itself, after an await",
      'await null; cp.spawnSync(process.execPath, ["-e", "process.on(\'SIGTERM\', () => {});" + program]); for (;;);',
    ],
  ] as const) {
    it(`ends a program ${name}`, async function () {
      if (process.platform === "win32") notRun(this, "Windows does not tell a program's children");
      const mark = `stop-test-${name.length}-${process.pid}`;
      await client.execute(
        `import * as cp from "node:child_process"; const program = "setInterval(() => 0, 1000); //${mark}"; kept = 11;`,
      );
      await expectStopped(code, 300);
      expect(await kept()).to.equal("11");
      await sleep(400);
      expect(running(`//${mark}`)).to.deep.equal([]);
    });
  }

  it("leaves alone the programs that earlier cells started", async function () {
    if (process.platform === "win32") notRun(this, "Windows does not tell a program's children");
    const mark = `stop-test-server-${process.pid}`;
    await client.execute(
      `import * as cp from "node:child_process"; const server = cp.spawn(process.execPath, ["-e", "setInterval(() => 0, 1000); //${mark}"]);`,
    );
    await expectStopped("await new Promise(() => {});");
    expect(running(`//${mark}`)).to.have.length(1);
    await client.execute("server.kill();");
  });

  it("ends a running %%grade", async () => {
    await expectStopped("%%grade 01\nkept = 12;", 400);
    expect(await kept()).to.equal("12");
    await sleep(400);
    if (process.platform !== "win32") expect(running(root)).to.deep.equal([]);
  });

  it("does nothing to an idle kernel, nor to the next cell, however often", async () => {
    await client.request("interrupt_request", {}, "control");
    expect(resultText(await client.execute("await Promise.resolve(13)"))).to.equal("13");
    for (let round = 0; round < 12; round++) {
      // Right after its start, where the signal meets the end of the cell's first piece.
      const code =
        round % 2 === 0 ? "await new Promise(() => {});" : "for (let n = 0; n >= 0; ) n = 1;";
      await expectStopped(code, round % 3);
      expect(resultText(await client.execute(`await null; ${round}`))).to.equal(String(round));
    }
  });
});

/** The processes whose command has `mark` in it. */
function running(mark: string): string[] {
  return execFileSync("ps", ["-A", "-o", "args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes(mark));
}
