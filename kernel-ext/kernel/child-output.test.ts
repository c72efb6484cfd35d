import { expect } from "chai";
import { JupyterClient, builtOnce, printed, resultText } from "./jupyter-client.testing.ts";

describe("programs that cells start", () => {
  let client: JupyterClient;

  before(async () => {
    await builtOnce();
    client = await JupyterClient.start();
    await client.execute(
      'import * as cp from "node:child_process"; const node = process.execPath; const both = ["-e", "console.log(\'out é\'); console.error(\'err\')"];',
    );
  });
  after(() => client.stop());

  for (const [name, code] of [
    [
      "spawn",
      'await new Promise((done) => cp.spawn(node, both, { stdio: "inherit" }).on("exit", done));',
    ],
    [
      "spawn, by number and by stream",
      'await new Promise((done) => cp.spawn(node, both, { stdio: ["ignore", 1, process.stderr] }).on("exit", done));',
    ],
    [
      "fork",
      'await new Promise((done) => cp.fork("unused", [], { execArgv: both }).on("exit", done));',
    ],
    ["spawnSync", 'cp.spawnSync(node, both, { stdio: "inherit" });'],
    ["execFileSync", 'cp.execFileSync(node, both, { stdio: "inherit" });'],
    [
      "execSync",
      'cp.execSync(`"${node}" -e "console.log(\'out é\'); console.error(\'err\')"`, { stdio: "inherit" });',
    ],
  ] as const) {
    it(`print into the cell what they print: ${name}`, async () => {
      const exchange = await client.execute(code);
      expect(exchange.reply["status"], JSON.stringify(exchange.reply)).to.equal("ok");
      expect(printed(exchange)).to.equal("out é\n");
      expect(printed(exchange, "stderr")).to.equal("err\n");
      expect(client.log).to.equal("");
    });
  }

  it("give to the cell what it asks for, as ever", async () => {
    expect(
      resultText(await client.execute("cp.execFileSync(node, ['-p', '1 + 1']).toString()")),
    ).to.equal("'2\\n'");
    const piped =
      'const piped = cp.spawn(node, ["-p", "2 + 2"]); let got = ""; for await (const chunk of piped.stdout) got += chunk; got';
    expect(resultText(await client.execute(piped))).to.equal("'4\\n'");
    const inherited =
      'const child = cp.spawn(node, both, { stdio: "inherit" }); await new Promise((done) => child.on("exit", done)); [child.stdout, child.stdio[2]]';
    expect(resultText(await client.execute(inherited))).to.equal("[ null, null ]");
  });

  it("print all of a large output before idle", async () => {
    const code =
      'await new Promise((done) => cp.spawn(node, ["-e", "for (let i = 0; i < 50000; i++) console.log(i)"], { stdio: "inherit" }).on("exit", done));';
    const expected = Array.from({ length: 50_000 }, (_, i) => `${i}\n`).join("");
    expect(printed(await client.execute(code)) === expected).to.equal(true);
  });

  it("fail as they fail anywhere", async () => {
    const { reply } = await client.execute('cp.execFileSync("no-such-program-here", []);', {
      stop_on_error: false,
    });
    expect(reply["evalue"]).to.include("ENOENT");
    const status = 'cp.spawnSync(node, ["-e", "process.exit(3)"], { stdio: "inherit" }).status';
    expect(resultText(await client.execute(status))).to.equal("3");
  });
});
