import { expect } from "chai";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { home } from "./home.ts";
import { JupyterClient, builtOnce } from "./jupyter-client.testing.ts";

describe("help while a cell is written", () => {
  let client: JupyterClient;
  let folder: string;

  before(async () => {
    await builtOnce();
    folder = mkdtempSync(join(tmpdir(), "infinity-history-"));
    const file = join(folder, "history.jsonl");
    const old = [[1, 1, "old()"], [2, 1, "older"], "no entry"];
    writeFileSync(file, old.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
    client = await JupyterClient.start({
      cwd: join(home, "notebooks"),
      env: { INFINITY_HISTORY: file },
    });
  });
  after(async () => {
    await client.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  describe("completion", () => {
    /** The names that fit at `|`, and the text with the first of them in place. */
    async function complete(marked: string): Promise<{ matches: string[]; first: string }> {
      const [before, after] = marked.split("|") as [string, string];
      const code = before + after;
      const { reply } = await client.request("complete_request", {
        code,
        cursor_pos: Array.from(before).length,
      });
      const matches = reply["matches"] as string[];
      const points = Array.from(code);
      const [start, end] = [reply["cursor_start"] as number, reply["cursor_end"] as number];
      const first = [...points.slice(0, start), matches[0] ?? "", ...points.slice(end)].join("");
      return { matches, first };
    }

    it("completes names of cells and of types, after an emoji too", async () => {
      await client.execute("const paletteSize = { width: 16, height: 4 };");
      expect((await complete('"😀😀"; palet|')).first).to.equal('"😀😀"; paletteSize');
      expect((await complete("/* 😀 */ paletteSize.|")).matches).to.include.members([
        "width",
        "height",
      ]);
      expect((await complete("%time\npalet|")).first).to.equal("%time\npaletteSize");
    });

    for (const [marked, expected] of [
      ['import { quantizeLinear } from "infinity-inference/quant/lin|";', "quant/linear"],
      ['import {} from "infinity-inf|"', "infinity-inference/"],
      ['/* 😀 */ const q = await import("infinity-inference/qua|")', "infinity-inference/quant/"],
      ['import * as e from "../src/core/err|ors.ts"', '"../src/core/errors.ts"'],
      ['export * from "../sr|"', '"../src/"'],
      ['import * as aq from "arqu|"', '"arquero"'],
      ['import * as tf from "@tensorflow/tfjs-backend-was|"', '"@tensorflow/tfjs-backend-wasm"'],
      ['import { readFileSync } from "node:f|', '"node:fs'],
    ] as const) {
      it(`completes paths of imports: ${marked}`, async () => {
        expect((await complete(marked)).first).to.include(expected);
      });
    }

    it("offers no tests as imports, and no paths in other strings", async () => {
      const { matches } = await complete('import "../src/core/|"');
      expect(matches)
        .to.include("../src/core/half.ts")
        .and.to.not.include("../src/core/half.test.ts");
      expect((await complete('const text = "../sr|"')).matches).to.not.include("../src/");
    });
  });

  describe("inspection", () => {
    async function inspect(marked: string): Promise<Record<string, string> | undefined> {
      const [before, after] = marked.split("|") as [string, string];
      const { reply } = await client.request("inspect_request", {
        code: before + after,
        cursor_pos: before.length,
      });
      return reply["found"] ? (reply["data"] as Record<string, string>) : undefined;
    }

    it("tells type, documentation with its shapes, and parameters of an engine's function", async () => {
      const data = await inspect(
        'import { quantizeLinear } from "infinity-inference/quant/linear"; quantize|Linear',
      );
      expect(data!["text/plain"]).to.include("function quantizeLinear(");
      const source = readFileSync(join(home, "src", "quant", "linear.ts"), "utf8");
      const [, comment] = /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*export function quantizeLinear/.exec(
        source,
      )!;
      const sentence = comment!
        .replace(/\s*\n\s*\*\s?/g, "\n")
        .trim()
        .split("\n")[0]!;
      expect(data!["text/plain"]).to.include(sentence);
      expect(data!["text/markdown"]).to.match(/^```typescript\n/);
    });

    it("tells what documents JavaScript and Node themselves", async () => {
      const map = "Calls a defined callback function on each element of an array";
      expect((await inspect("[1].ma|p(String)"))!["text/markdown"]).to.include(map);
      const read = "Returns the contents of the `path`.";
      const code = 'import { readFileSync } from "node:fs"; readFile|Sync';
      expect((await inspect(code))!["text/markdown"]).to.include(read);
      await client.execute("const numbers = [3, 4]");
      expect((await inspect("numbers.ma|p(String)"))!["text/markdown"]).to.include(map);
    });

    it("tells the shape of a value that is there", async () => {
      await client.execute(
        'const W = new Float32Array(4096); const rows = { grid: [[1, 2, 3], [4, 5, 6]], get trap(): number { throw new Error("looked"); } }; import * as aq from "arquero"; const table = aq.table({ x: [1, 2] });',
      );
      expect((await inspect("W|"))!["text/plain"]).to.include("= Float32Array [4096]");
      expect((await inspect("rows.grid|"))!["text/plain"]).to.include("= Array [2, 3]");
      expect((await inspect("table|"))!["text/plain"]).to.include("[2, 1]");
      expect((await inspect("rows.trap|"))!["text/plain"]).to.not.include("=");
      expect(await inspect("1 + | 1")).to.equal(undefined);
    });
  });

  describe("is_complete", () => {
    for (const [code, status] of [
      ["const a = 1;", "complete"],
      ["await Promise.resolve(1)", "complete"],
      ["using a = b;", "complete"],
      ["const id = <T>(x: T): T => x;", "complete"],
      ["%%exercise roundHalfEven\nexport const x = 1;", "complete"],
      ["%time 1 + 1", "complete"],
      ["// a comment", "complete"],
      ["function f() {", "incomplete"],
      ["[1, 2", "incomplete"],
      ["1 +", "incomplete"],
      ["f(\n", "incomplete"],
      ["`text", "incomplete"],
      ["/* text", "incomplete"],
      ["if (true)", "incomplete"],
      ["const = 1;", "invalid"],
      ["const = 1; {", "invalid"],
      ["a b c", "invalid"],
      ['const a = "text', "invalid"],
      ["[1, 2;", "invalid"],
      ["}", "invalid"],
    ] as const) {
      it(`calls ${JSON.stringify(code)} ${status}`, async () => {
        const { reply } = await client.request("is_complete_request", { code });
        expect(reply["status"]).to.equal(status);
      });
    }

    it("indents the next line", async () => {
      const indent = async (code: string): Promise<unknown> =>
        (await client.request("is_complete_request", { code })).reply["indent"];
      expect(await indent("function f() {")).to.equal("  ");
      expect(await indent("  f(\n    a,")).to.equal("    ");
    });
  });

  describe("history", () => {
    const find = async (content: object): Promise<unknown> =>
      (await client.request("history_request", { output: false, raw: true, ...content })).reply[
        "history"
      ];

    it("remembers this session and those before, by range, by tail and by pattern", async () => {
      await client.execute('"alpha one"');
      const { reply } = await client.execute('"alpha two"');
      await client.execute('"silent"', { silent: true });
      await client.execute('"unstored"', { store_history: false });
      const n = reply["execution_count"] as number;
      expect(await find({ hist_access_type: "tail", n: 2 })).to.deep.equal([
        [3, n - 1, '"alpha one"'],
        [3, n, '"alpha two"'],
      ]);
      expect(
        await find({ hist_access_type: "range", session: 0, start: n, stop: n + 1 }),
      ).to.deep.equal([[3, n, '"alpha two"']]);
      expect(
        await find({ hist_access_type: "range", session: -2, start: 0, stop: 9, output: true }),
      ).to.deep.equal([[1, 1, ["old()", null]]]);
      expect(await find({ hist_access_type: "search", pattern: "old*", n: 9 })).to.deep.equal([
        [1, 1, "old()"],
        [2, 1, "older"],
      ]);
      await client.execute('"alpha one"');
      expect(
        await find({ hist_access_type: "search", pattern: "?alpha*one?", unique: true }),
      ).to.deep.equal([[3, n + 1, '"alpha one"']]);
      const saved = readFileSync(join(folder, "history.jsonl"), "utf8").trim().split("\n");
      expect(JSON.parse(saved.at(-1)!)).to.deep.equal([3, n + 1, '"alpha one"']);
    });

    it("refuses a request that is none", async () => {
      const { reply } = await client.request("history_request", { hist_access_type: "all" });
      expect(reply).to.deep.include({ status: "error", ename: "InputError" });
    });
  });
});
