import { expect } from "chai";
import fc from "fast-check";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { History, type HistoryRequest } from "./history.ts";

describe("history", () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-history-"));
    file = join(folder, "below", "history.jsonl");
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const request = (wanted: Partial<HistoryRequest>): HistoryRequest => ({
    hist_access_type: "search",
    output: false,
    session: 0,
    start: 0,
    pattern: "*",
    unique: false,
    ...wanted,
  });

  it("gives each session a number and the next one its cells", () => {
    new History(file).add(1, "first");
    const second = new History(file);
    second.add(1, "second");
    expect(second.find(request({ hist_access_type: "tail", n: 5 }))).to.deep.equal([
      [1, 1, "first"],
      [2, 1, "second"],
    ]);
  });

  it("keeps memory and file bounded, and the newest cells", () => {
    const history = new History(file);
    for (let line = 1; line <= 5000; line++) history.add(line, `cell ${line}`);
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.length).to.be.within(1000, 2000);
    expect(lines.at(-1)).to.equal('[1,5000,"cell 5000"]');
    expect(history.find(request({})).length).to.be.within(1000, 2000);
  });

  it("does not save a cell that is too long, and finds it in its session", () => {
    const history = new History(file);
    history.add(1, "x".repeat(70_000));
    history.add(2, "short");
    expect(readFileSync(file, "utf8")).to.equal('[1,2,"short"]\n');
    expect(history.find(request({ hist_access_type: "tail", n: 2 }))).to.have.length(2);
  });

  it("matches patterns as a regular expression of the same meaning does", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", ".", "\n", "😀"), maxLength: 8 });
    const patterns = fc.string({ unit: fc.constantFrom("a", "b", "*", "?", "."), maxLength: 6 });
    const history = (text: string): boolean => {
      const one = new History(join(folder, "none"));
      one.add(1, text);
      return one.find(request({ pattern: current })).some(([, , input]) => input === text);
    };
    let current = "";
    fc.assert(
      fc.property(letters, patterns, (text, pattern) => {
        current = pattern;
        const source = Array.from(pattern, (c) =>
          c === "*" ? "[^]*" : c === "?" ? "[^]" : c.replace(".", "\\."),
        ).join("");
        expect(history(text)).to.equal(new RegExp(`^${source}$`, "u").test(text));
      }),
    );
  });
});
