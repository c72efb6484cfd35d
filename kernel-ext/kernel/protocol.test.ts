import { expect } from "chai";
import { notRun } from "../../src/testing.ts";
import {
  builtOnce,
  JupyterClient,
  printed,
  resultText,
  type Exchange,
} from "./jupyter-client.testing.ts";

describe("kernel protocol", function () {
  this.timeout(60_000);
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

  it("completes names, counting an emoji as one character", async () => {
    await client.execute("const paletteSize = 16;");
    const code = '"😀"; palet';
    const { reply } = await client.request("complete_request", {
      code,
      cursor_pos: Array.from(code).length,
    });
    expect(reply).to.deep.include({ status: "ok", cursor_start: 5, cursor_end: 10 });
    expect(reply["matches"]).to.include("paletteSize");
  });

  it("tells the type of what stands at the cursor", async () => {
    await client.execute("/** How many colours. */ const numColours: number = 16;");
    const { reply } = await client.request("inspect_request", {
      code: "numColours",
      cursor_pos: 3,
    });
    expect(reply["found"]).to.equal(true);
    expect((reply["data"] as Record<string, string>)["text/plain"]).to.include(
      "const numColours: number",
    );
    const nothing = await client.request("inspect_request", { code: "  ", cursor_pos: 1 });
    expect(nothing.reply["found"]).to.equal(false);
  });

  it("tells whole cells from unfinished and wrong ones", async () => {
    const status = async (code: string): Promise<unknown> =>
      (await client.request("is_complete_request", { code })).reply["status"];
    expect(await status("const a = 1;")).to.equal("complete");
    expect(await status("function f() {")).to.equal("incomplete");
    expect(await status("const = 1;")).to.equal("invalid");
    expect(await status("%%exercise roundHalfEven\nexport const x = 1;")).to.equal("complete");
  });

  it("answers what it has nothing to tell about, and closes comms of unknown targets", async () => {
    const history = await client.request("history_request", { hist_access_type: "tail", n: 5 });
    expect(history.reply).to.deep.equal({ status: "ok", history: [] });
    const comms = await client.request("comm_info_request", {});
    expect(comms.reply).to.deep.equal({ status: "ok", comms: {} });
    const id = await client.send("comm_open", { comm_id: "c1", target_name: "nobody", data: {} });
    expect((await client.published(id, "comm_close")).content["comm_id"]).to.equal("c1");
  });

  it("drops a message that another key signed, and refuses a request without code", async () => {
    await client.send("execute_request", { code: "globalThis.forged = true" }, { key: "forged" });
    const { reply } = await client.request("execute_request", { silent: false });
    expect(reply).to.deep.include({ status: "error", ename: "InputError" });
    expect(resultText(await client.execute('"forged" in globalThis'))).to.equal("false");
    expect(client.log).to.include("The signature of a message is wrong");
  });

  it("stops a waiting cell and a synchronous loop, and keeps the values", async function () {
    if (process.platform === "win32") notRun(this, "Windows has no signal that ends a loop");
    await client.execute("let kept = 5;");
    for (const code of ["await new Promise(() => {});", "for (;;) kept = 6;"]) {
      const id = await run(code);
      await client.published(id, "execute_input");
      await new Promise((resolve) => setTimeout(resolve, 200));
      const stopped = await client.request("interrupt_request", {}, "control");
      expect(stopped.reply["status"]).to.equal("ok");
      const { reply } = await client.exchange(id);
      expect(reply).to.deep.include({ status: "error", ename: "Interrupted" });
    }
    expect(resultText(await client.execute("kept"))).to.equal("6");
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
