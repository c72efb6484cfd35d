import { expect } from "chai";
import {
  builtOnce,
  JupyterClient,
  printed,
  resultText,
  type Exchange,
} from "./jupyter-client.testing.ts";

describe("kernel protocol", () => {
  let client: JupyterClient;

  before(async () => {
    await builtOnce();
    client = await JupyterClient.start();
  });
  after(() => client.stop());

  const states = ({ published }: Exchange): unknown[] =>
    published
      .filter(({ type }) => type === "status")
      .map(({ content }) => content["execution_state"]);
  const run = (code: string, options: object = {}): Promise<string> =>
    client.send("execute_request", { code, ...options });

  it("says what it is, on both sockets", async () => {
    for (const socket of ["shell", "control"] as const) {
      const exchange = await client.request("kernel_info_request", {}, socket);
      expect(exchange.reply).to.deep.include({ status: "ok", protocol_version: "5.3" });
      expect(exchange.reply["language_info"]).to.deep.include({
        name: "typescript",
        file_extension: ".ts",
      });
      expect(states(exchange)).to.deep.equal(["busy", "idle"]);
    }
  });

  it("echoes heartbeats while a cell computes", async () => {
    const id = await run("const until = Date.now() + 500; while (Date.now() < until);");
    await client.published(id, "execute_input");
    const before = Date.now();
    expect(await client.heartbeat("ping")).to.equal("ping");
    expect(Date.now() - before).to.be.below(400);
    await client.exchange(id);
  });

  it("publishes the input, then the result, between busy and idle", async () => {
    const exchange = await client.execute("20 + 22");
    const count = exchange.reply["execution_count"];
    expect(exchange.published.map(({ type }) => type)).to.deep.equal([
      "status",
      "execute_input",
      "execute_result",
      "status",
    ]);
    expect(exchange.published[1]!.content).to.deep.equal({
      code: "20 + 22",
      execution_count: count,
    });
    expect(exchange.published[2]!.content["execution_count"]).to.equal(count);
    expect(resultText(exchange)).to.equal("42");
    expect(states(exchange)).to.deep.equal(["busy", "idle"]);
  });

  it("counts neither silent cells nor those kept out of the history", async () => {
    const { reply } = await client.execute("1");
    const silent = await client.execute("2", { silent: true });
    expect(silent.published.map(({ type }) => type)).to.deep.equal(["status", "status"]);
    await client.execute("3", { store_history: false });
    const after = await client.execute("4");
    expect(after.reply["execution_count"]).to.equal((reply["execution_count"] as number) + 1);
  });

  it("evaluates user expressions, each by itself", async () => {
    const { reply } = await client.execute("const wide = 7;", {
      user_expressions: { good: "wide * 6", bad: "narrow" },
    });
    const { good, bad } = reply["user_expressions"] as Record<string, Record<string, unknown>>;
    expect(good).to.deep.include({ status: "ok", data: { "text/plain": "42" } });
    expect(bad).to.deep.include({ status: "error", ename: "TypeScriptError" });
  });

  it("runs the cells after an error when it is not to stop on one", async () => {
    const ids = [
      await run('throw new Error("first")', { stop_on_error: false }),
      await run('"second"'),
      await run('"third"'),
    ];
    const exchanges: Exchange[] = [];
    for (const id of ids) exchanges.push(await client.exchange(id));
    expect(exchanges.map(({ reply }) => reply["status"])).to.deep.equal(["error", "ok", "ok"]);
    expect(exchanges.slice(1).map(resultText)).to.deep.equal(["'second'", "'third'"]);
  });

  it("gives up the waiting cells after an error, and only those", async () => {
    const ids = [
      await run('await new Promise((done) => setTimeout(done, 100)); throw new Error("first")'),
      await run('"never"'),
      await client.send("is_complete_request", { code: "1" }),
      await run('"never"'),
    ];
    const exchanges: Exchange[] = [];
    for (const id of ids) exchanges.push(await client.exchange(id));
    expect(exchanges.map(({ reply }) => reply["status"])).to.deep.equal([
      "error",
      "aborted",
      "complete",
      "aborted",
    ]);
    for (const exchange of exchanges) expect(states(exchange)).to.deep.equal(["busy", "idle"]);
    expect(resultText(await client.execute('"next"'))).to.equal("'next'");
  });

  it("delivers 20,000 lines printed in one tick, in order, before idle", async () => {
    const exchange = await client.execute(
      "for (let line = 0; line < 20_000; line++) console.log(line);",
    );
    const expected = Array.from({ length: 20_000 }, (_, line) => `${line}\n`).join("");
    expect(printed(exchange)).to.equal(expected);
  });

  it("shows what a synchronous cell prints while it computes", async () => {
    const id = await run(
      'console.log("now"); const wait = Date.now() + 600; while (Date.now() < wait);',
    );
    await client.published(id, "stream");
    const heard = Date.now();
    await client.exchange(id);
    expect(Date.now() - heard).to.be.above(300);
  });

  it("drops a message that another key signed, and refuses a request without code", async () => {
    await client.send("execute_request", { code: "globalThis.forged = true" }, { key: "forged" });
    const { reply } = await client.request("execute_request", { silent: false });
    expect(reply).to.deep.include({ status: "error", ename: "InputError" });
    expect(resultText(await client.execute('"forged" in globalThis'))).to.equal("false");
    expect(client.log).to.include("The signature of a message is wrong");
  });

  it("keeps its memory flat over 500 cells", async () => {
    const cell = (i: number): string =>
      `class Layer { w = new Float32Array(100); } const layer = new Layer(); const names = [${i}].map((n) => "n" + n); names.length + layer.w.length`;
    await client.execute(
      'import v8 from "node:v8"; import vm from "node:vm"; v8.setFlagsFromString("--expose-gc"); const collect = vm.runInNewContext("gc") as () => void;',
    );
    const heap = async (): Promise<number> =>
      Number(resultText(await client.execute("collect(); process.memoryUsage().heapUsed")));
    for (let i = 0; i < 100; i++) await client.execute(cell(i));
    const before = await heap();
    for (let i = 0; i < 400; i++) await client.execute(cell(i));
    const bytesPerCell = ((await heap()) - before) / 400;
    // What tracebacks keep of a cell, its text and maps, is a few kilobytes.
    expect(bytesPerCell).to.be.below(20_000);
  });

  it("shuts down when asked, even from a loop that never ends", async () => {
    const polite = await JupyterClient.start();
    await polite.execute("1");
    const { reply } = await polite.request("shutdown_request", { restart: true }, "control");
    expect(reply).to.deep.equal({ status: "ok", restart: true });
    expect(await polite.exited()).to.equal(0);
    await polite.stop();

    const busy = await JupyterClient.start();
    const id = await busy.send("execute_request", { code: "for (;;);" });
    await busy.published(id, "execute_input");
    await busy.request("shutdown_request", { restart: false }, "control");
    await busy.exited();
    await busy.stop();
  });
});
