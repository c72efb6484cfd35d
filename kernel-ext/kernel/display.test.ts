import { expect } from "chai";
import {
  JupyterClient,
  builtOnce,
  contentsOf,
  resultText,
  type Exchange,
} from "./jupyter-client.testing.ts";

describe("what cells show", () => {
  let client: JupyterClient;

  before(async () => {
    await builtOnce();
    client = await JupyterClient.start();
  });
  after(() => client.stop());

  const displays = (exchange: Exchange): Record<string, unknown>[] =>
    contentsOf(exchange, "display_data");
  const dataOf = (content: Record<string, unknown> | undefined): Record<string, unknown> =>
    content?.["data"] as Record<string, unknown>;

  it("shows several MIME types in one display, and several displays in order with what is printed", async () => {
    const exchange = await client.execute(
      'console.log("before"); display({ "text/html": "<b>x</b>", "text/plain": "x", "application/json": { a: 1 } }); console.log("after"); html("<i>y &amp; z</i>");',
    );
    const shown = exchange.published.filter(({ type }) =>
      ["stream", "display_data"].includes(type),
    );
    expect(shown.map(({ type }) => type)).to.deep.equal([
      "stream",
      "display_data",
      "stream",
      "display_data",
    ]);
    expect(dataOf(shown[1]!.content)).to.deep.equal({
      "text/html": "<b>x</b>",
      "text/plain": "x",
      "application/json": { a: 1 },
    });
    expect(dataOf(shown[3]!.content)["text/html"]).to.equal("<i>y &amp; z</i>");
  });

  it("updates a display by its id, from a later cell too", async () => {
    const first = await client.execute('display("10 %", { id: "bar" });');
    expect(displays(first)[0]).to.deep.include({ transient: { display_id: "bar" } });
    const second = await client.execute(
      'display({ "text/plain": "20 %" }, { id: "bar", update: true });',
    );
    const [update] = contentsOf(second, "update_display_data");
    expect(update).to.deep.include({
      transient: { display_id: "bar" },
      data: { "text/plain": "20 %" },
    });
    const wrong = await client.execute("display(1, { update: true })", { stop_on_error: false });
    expect(contentsOf(wrong, "error")[0]!["evalue"]).to.include("needs the id");
  });

  it("lets a value say how it looks, at once or later", async () => {
    const symbol = 'Symbol.for("Jupyter.display")';
    const now = await client.execute(`({ [${symbol}]: () => ({ "image/svg+xml": "<svg/>" }) })`);
    expect(dataOf(contentsOf(now, "execute_result")[0])).to.deep.equal({
      "image/svg+xml": "<svg/>",
    });
    const later = await client.execute(
      `display({ async [${symbol}]() { await new Promise((done) => setTimeout(done, 50)); return { "text/html": "late" }; } });`,
    );
    expect(dataOf(displays(later)[0])).to.deep.equal({ "text/html": "late" });
    const failing = await client.execute(`({ [${symbol}]() { throw new Error("no picture"); } })`, {
      stop_on_error: false,
    });
    expect(failing.reply).to.deep.include({ status: "error", evalue: "no picture" });
  });

  it("shows tables of arquero and danfojs as HTML and as text, and escapes them", async () => {
    const arquero = dataOf(
      contentsOf(
        await client.execute(
          'import * as aq from "arquero"; aq.table({ x: [1, 2], y: ["a", "<b>"] })',
        ),
        "execute_result",
      )[0],
    );
    expect(arquero["text/html"])
      .to.match(/^<table>.*<td[^>]*>1<\/td>/s)
      .and.to.not.include("<b>");
    expect(arquero["text/plain"]).to.include("|x|y|");
    const danfo = dataOf(
      contentsOf(
        await client.execute(
          'import * as dfd from "danfojs-node"; new dfd.DataFrame({ n: Array.from({ length: 25 }, (_, i) => i), s: Array(25).fill("<i>") })',
        ),
        "execute_result",
      )[0],
    );
    expect(danfo["text/html"])
      .to.include("<th>n</th>")
      .and.to.include("20 of 25 rows")
      .and.to.not.include("<i>");
    const series = await client.execute("new dfd.Series([1.5, 2.5])");
    expect(dataOf(contentsOf(series, "execute_result")[0])["text/html"]).to.include("<td>2.5</td>");
  });

  it("sends a plotly figure with a sentence beside it; typed arrays become JSON arrays", async () => {
    const exchange = await client.execute(
      'show({ data: [{ type: "bar", name: "int4", x: new Int8Array([1, 2]), y: new Float32Array([0.1, 3]) }], layout: { title: { text: "Error" }, xaxis: { title: { text: "bits" } }, colorway: ["red"] }, frames: [{ name: "1", data: [{ y: new Float32Array([2, 3]) }] }] });',
    );
    const data = dataOf(displays(exchange)[0]);
    const figure = data["application/vnd.plotly.v1+json"] as Record<string, never>;
    expect(figure["data"]).to.deep.equal([{ type: "bar", name: "int4", x: [1, 2], y: [0.1, 3] }]);
    expect(figure["layout"]).to.deep.include({ title: { text: "Error" }, colorway: ["red"] });
    expect(figure["layout"]).to.have.property("template");
    expect(figure["frames"]).to.deep.equal([{ name: "1", data: [{ y: [2, 3] }] }]);
    expect(data["text/plain"]).to.equal("Figure “Error”: 1 trace (bar “int4”); x: bits.");
    const untyped = await client.execute("show({ traces: [] })", { stop_on_error: false });
    expect(untyped.reply).to.deep.include({ ename: "TypeScriptError" });
  });

  it("shows two values beside each other", async () => {
    const exchange = await client.execute(
      'await sideBySide({ "text/html": "<b>left</b>" }, [1, "<2>"]);',
    );
    const shown = dataOf(displays(exchange)[0])["text/html"] as string;
    expect(shown).to.include("<b>left</b>").and.to.include("&#60;2&#62;");
    expect(resultText(exchange)).to.equal(undefined);
  });

  it("animates frames behind a slider, in HTML of its own", async () => {
    const exchange = await client.execute(
      'await animate([{ "text/html": "<b>one</b>" }, "<two>", [3]], { labels: ["a", "</script>"], intervalMs: 50 });',
    );
    const data = dataOf(displays(exchange)[0]) as Record<string, string>;
    expect(data["text/plain"]).to.equal("Animation of 3 frames, from a to 3 of 3.");
    const page = data["text/html"]!;
    expect(page)
      .to.include(
        '<div data-label="a"><b>one</b></div><div data-label="&#60;/script&#62;" hidden><pre>&#39;&#60;two&#62;&#39;</pre></div>',
      )
      .and.to.include('<input type="range" min="0" max="2"');
    expect(page).to.not.match(/(?:src|href)=/);
    for (const [code, message] of [
      ["await animate([])", "1 to 500 frames"],
      ['await animate([{ "text/html": "x".repeat(600_000) }])', "show fewer, or smaller"],
    ] as const) {
      const { reply } = await client.execute(code, { stop_on_error: false });
      expect(reply["ename"]).to.equal("UsageError");
      expect(reply["evalue"]).to.include(message);
    }
  });

  it("draws a bar that moves, no faster than one can see, and goes to the engine as it is", async () => {
    const exchange = await client.execute(
      'import type { Progress } from "infinity-inference/core/progress"; const bar: Progress = progress(1000, "Layers"); for (let i = 1; i <= 1000; i++) bar.update(i, 1000); bar.finish(); const other = progress(4); other.step();',
    );
    const first = displays(exchange)[0]!;
    expect(dataOf(first)["text/plain"]).to.equal("Layers: 0 of 1000 (0 %)");
    const updates = contentsOf(exchange, "update_display_data").filter(
      ({ transient }) => JSON.stringify(transient) === JSON.stringify(first["transient"]),
    );
    expect(updates.length).to.be.within(2, 20);
    expect(dataOf(updates.at(-1))["text/plain"]).to.equal("Layers: 1000 of 1000 (100 %)");
    expect(dataOf(updates.at(-1))["text/html"]).to.include('<progress value="1000" max="1000"');
    const last = contentsOf(exchange, "update_display_data").at(-1);
    expect(dataOf(last)["text/plain"]).to.equal("1 of 4 (25 %)");
  });

  it("fails the cell, not the kernel, for a display that is not JSON", async () => {
    const code =
      'const loop: Record<string, unknown> = {}; loop["self"] = loop; display({ "application/json": loop });';
    const { reply } = await client.execute(code, { stop_on_error: false });
    expect(reply).to.deep.include({ status: "error", ename: "TypeError" });
    const result = await client.execute(
      '({ [Symbol.for("Jupyter.display")]: () => ({ "application/json": 1n }) })',
      { stop_on_error: false },
    );
    expect(contentsOf(result, "error")[0]).to.deep.include({ ename: "TypeError" });
    expect(resultText(await client.execute("1"))).to.equal("1");
  });
});
