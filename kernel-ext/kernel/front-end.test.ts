import { expect } from "chai";
import {
  JupyterClient,
  builtOnce,
  contentsOf,
  printed,
  resultText,
  type Received,
} from "./jupyter-client.testing.ts";

describe("cells and the front end", () => {
  let client: JupyterClient;

  before(async () => {
    await builtOnce();
    client = await JupyterClient.start();
  });
  after(() => client.stop());

  const start = (code: string): Promise<string> =>
    client.send("execute_request", { code, allow_stdin: true });

  describe("input", () => {
    it("asks, in order, after what the cell printed, and gives the answers", async () => {
      const id = await start(
        'console.log("before"); const [a, b] = await Promise.all([input("First? "), input("Second? ", { password: true })]); `${a}+${b}`',
      );
      const first = await client.question(id);
      expect(first.content).to.deep.equal({ prompt: "First? ", password: false });
      await client.answer("é1");
      expect((await client.question(id)).content).to.deep.equal({
        prompt: "Second? ",
        password: true,
      });
      await client.answer("two");
      const exchange = await client.exchange(id);
      expect(resultText(exchange)).to.equal("'é1+two'");
      expect(printed(exchange)).to.equal("before\n");
    });

    it("is ended by Stop, and its late answer goes nowhere", async () => {
      const id = await start('await input("Never? ")');
      const never = await client.question(id);
      await client.request("interrupt_request", {}, "control");
      expect((await client.exchange(id)).reply["ename"]).to.equal("Interrupted");
      const next = await start('await input("Now? ")');
      const now = await client.question(next);
      await client.answer("late", never);
      await client.answer("in time", now);
      expect(resultText(await client.exchange(next))).to.equal("'in time'");
    });

    it("says so where the client answers nothing", async () => {
      const { reply } = await client.execute("await input()", { stop_on_error: false });
      expect(reply).to.deep.include({ ename: "InputError" });
    });
  });

  describe("comms", () => {
    const send = (type: string, content: object, buffers?: Buffer[]): Promise<string> =>
      client.send(type, content, { ...(buffers && { buffers }) });

    it("opens, sends with buffers, receives and closes, from the cell's side", async () => {
      const exchange = await client.execute(
        'const bytes = new Uint8Array([1, 2, 255]); const got: string[] = []; const comm = comms.open("picture", { hello: 1 }, { metadata: { v: 2 }, buffers: [bytes] }); comm.onMessage(({ data, buffers }) => { got.push(JSON.stringify(data) + buffers.map((b) => b.length)); comm.send({ echo: data }, { buffers }); }); comm.onClose(() => got.push("closed")); comm.id',
      );
      const opened = exchange.published.find(({ type }) => type === "comm_open")!;
      const comm_id = opened.content["comm_id"];
      expect(opened.content).to.deep.include({ target_name: "picture", data: { hello: 1 } });
      expect(opened.buffers.map((buffer) => [...buffer])).to.deep.equal([[1, 2, 255]]);
      expect(resultText(exchange), JSON.stringify(exchange)).to.equal(`'${String(comm_id)}'`);

      const info = await client.request("comm_info_request", { target_name: "picture" });
      expect(info.reply["comms"]).to.deep.equal({ [String(comm_id)]: { target_name: "picture" } });
      const none = await client.request("comm_info_request", { target_name: "other" });
      expect(none.reply["comms"]).to.deep.equal({});

      const id = await send("comm_msg", { comm_id, data: { x: 1 } }, [Buffer.from([7, 8])]);
      const echo = await client.published(id, "comm_msg");
      expect(echo.content).to.deep.equal({ comm_id, data: { echo: { x: 1 } } });
      expect(echo.buffers.map((buffer) => [...buffer])).to.deep.equal([[7, 8]]);
      await idle(id);
      await idle(await send("comm_close", { comm_id, data: {} }));
      expect(resultText(await client.execute("got"))).to.equal("[ '{\"x\":1}2', 'closed' ]");
      const { reply } = await client.execute("comm.send({})", { stop_on_error: false });
      expect(reply).to.deep.include({ ename: "UsageError" });
    });

    it("lets the front end open a registered target, and closes any other", async () => {
      await client.execute(
        'comms.register("counter", (one, { data }) => { console.log("opened", data["from"]); one.send({ n: 1 }); one.onMessage(() => one.close({ bye: true })); });',
      );
      const id = await send("comm_open", {
        comm_id: "f1",
        target_name: "counter",
        data: { from: 5 },
      });
      expect((await client.published(id, "stream")).content["text"]).to.equal("opened 5\n");
      expect((await client.published(id, "comm_msg")).content["data"]).to.deep.equal({ n: 1 });
      const closing = await send("comm_msg", { comm_id: "f1", data: {} });
      expect((await client.published(closing, "comm_close")).content).to.deep.equal({
        comm_id: "f1",
        data: { bye: true },
      });
      const unknown = await send("comm_open", { comm_id: "c1", target_name: "nobody", data: {} });
      expect((await client.published(unknown, "comm_close")).content["comm_id"]).to.equal("c1");
    });

    it("serves an open comm while a cell waits for its message", async () => {
      const id = await start(
        'const waiting = comms.open("answer"); await new Promise((done) => waiting.onMessage(({ data }) => done(data["value"])))',
      );
      const opened = await client.published(id, "comm_open");
      await send("comm_msg", { comm_id: opened.content["comm_id"], data: { value: 42 } });
      expect(resultText(await client.exchange(id))).to.equal("42");
    });

    it("shows an error of a handler, and refuses a message that is none", async () => {
      await client.execute(
        'comms.register("faulty", () => { throw new Error("in the handler"); });',
      );
      const id = await send("comm_open", { comm_id: "e1", target_name: "faulty", data: {} });
      expect((await client.published(id, "stream")).content["text"]).to.include("in the handler");
      const wrong = await send("comm_open", { comm_id: 5 });
      expect((await client.published(wrong, "stream")).content["text"]).to.include("comm_id");
      expect(resultText(await client.execute("1"))).to.equal("1");
    });
  });

  describe("widgets", () => {
    it("shares state with a view, both ways, and survives a reload of the page", async () => {
      const code =
        'const counter = widget({ esm: "export default { render() {} };", state: { count: 1 } }); counter.onChange(({ count }) => console.log("count", count.toFixed(1))); counter';
      const exchange = await client.execute(code);
      const opened = exchange.published.find(({ type }) => type === "comm_open") as Received;
      const { comm_id, data } = opened.content as {
        comm_id: string;
        data: { state: Record<string, unknown> };
      };
      expect(opened.content["target_name"]).to.equal("jupyter.widget");
      expect(data.state).to.deep.include({
        count: 1,
        _model_module: "anywidget",
        _view_name: "AnyView",
        _esm: "export default { render() {} };",
      });
      const shown = contentsOf(exchange, "execute_result")[0]!["data"] as Record<string, unknown>;
      expect(shown["application/vnd.jupyter.widget-view+json"]).to.deep.include({
        model_id: comm_id,
        version_major: 2,
      });

      const update = { method: "update", state: { count: 5, _esm: "evil" }, buffer_paths: [] };
      const id = await client.send("comm_msg", { comm_id, data: update });
      expect((await client.published(id, "stream")).content["text"]).to.equal("count 5.0\n");
      const set = await client.execute("counter.set({ count: counter.state.count + 1 });");
      expect(contentsOf(set, "comm_msg")[0]!["data"]).to.deep.equal({
        method: "update",
        state: { count: 6 },
        buffer_paths: [],
      });

      await client.send("comm_open", { comm_id: "k1", target_name: "jupyter.widget.control" });
      const asked = await client.send("comm_msg", {
        comm_id: "k1",
        data: { method: "request_states" },
      });
      const { states } = (await client.published(asked, "comm_msg")).content["data"] as {
        states: Record<string, { state: Record<string, unknown> }>;
      };
      expect(states[comm_id]!.state).to.deep.include({
        count: 6,
        _esm: "export default { render() {} };",
      });
      const closed = await client.execute("counter.close();");
      expect(contentsOf(closed, "comm_close")[0]!["comm_id"]).to.equal(comm_id);
    });

    it("is typed, and keeps the protocol's names to itself", async () => {
      const typed = await client.execute(
        'widget({ esm: "", state: { count: 1 } }).set({ count: "two" })',
        { stop_on_error: false },
      );
      expect(typed.reply["ename"]).to.equal("TypeScriptError");
      const reserved = await client.execute('widget({ esm: "", state: { _esm: 1 } })', {
        stop_on_error: false,
      });
      expect(reserved.reply).to.deep.include({ ename: "UsageError" });
    });
  });

  async function idle(id: string): Promise<void> {
    for (;;) {
      const { content } = await client.published(id, "status");
      if (content["execution_state"] === "idle") return;
    }
  }
});
