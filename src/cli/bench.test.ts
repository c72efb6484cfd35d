import { expect } from "chai";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOfModel, draftModel } from "../model/fixtures/models.ts";
import { runInfinity } from "../testing.ts";
import type { BenchRow } from "./bench-measure.ts";

describe("infinity bench", () => {
  let folder: string;
  let model: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-bench-"));
    model = join(folder, "model.gguf");
    // Without a tokenizer: random tokens need none.
    writeFileSync(model, await bytesOfModel(draftModel("llama3")));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const bench = (...args: readonly string[]): ReturnType<typeof runInfinity> =>
    runInfinity("bench", "--model", model, ...args);

  it("measures a row for each number of threads, each in a process of its own", () => {
    const { status, stdout, stderr } = bench(
      ...["-p", "16", "-n", "4", "-t", "1,1", "--device", "reference", "--json"],
    );
    expect([status, stderr]).to.deep.equal([0, ""]);
    const rows = JSON.parse(stdout) as BenchRow[];
    expect(rows).to.have.lengthOf(2);
    for (const row of rows) {
      expect(row).to.include({
        ...{ kernels: "reference", threads: 1, promptTokens: 16, genTokens: 4 },
      });
      expect(row.firstTokenMs).to.be.closeTo(16_000 / row.prefillTokensPerSecond, 1e-9);
      expect(row.prefillTokensPerSecond).to.be.within(...row.prefillRange);
      expect(row.decodeTokensPerSecond).to.be.within(...row.decodeRange);
      expect(row.loadMs).to.be.greaterThan(0);
      // Node alone takes tens of megabytes.
      expect(row.peakRssBytes).to.be.within(30e6, 2e9);
    }
  });

  it("prints a table", () => {
    const { stdout } = bench("-p", "8", "-n", "2", "--repeat", "1", "--device", "reference");
    const [head, row, ...rest] = stdout.trimEnd().split("\n");
    expect(head).to.match(
      /^kernels +threads +prompt +tokens\/s +± +text +tokens\/s +± +first token/,
    );
    expect(row).to.match(
      /^reference +1 +8 +[\d.]+ +0\.0 +2 +[\d.]+ +0\.0 +[\d.]+ ms +\d+ ms +\d+ MB$/,
    );
    expect(rest).to.deep.equal([]);
  });

  it("measures the kernels of the processor on one and two threads", () => {
    const { status, stdout, stderr } = bench("-p", "8", "-n", "2", "-t", "1,2", "--json");
    expect(status, stderr).to.equal(0);
    const rows = JSON.parse(stdout) as BenchRow[];
    expect(rows.map(({ kernels, threads }) => [kernels, threads])).to.deep.equal([
      ["wasm", 1],
      ["wasm", 2],
    ]);
  });

  const refused: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ["more tokens than fit", ["-p", "4000"], 1, /4000 tokens were asked for.*looks back on \d+/],
    ["no tokens", ["-n", "0"], 2, /at least 1/],
    ["a list of words", ["-t", "one,two"], 2, /whole number/],
    ["an unknown device", ["--device", "abacus"], 2, /Allowed choices are cpu, wasm/],
    [
      "threads on a device without them",
      ["--device", "reference", "-t", "2", "-p", "4", "-n", "4"],
      2,
      /2 threads were asked for, and the device reference does not use them/,
    ],
  ];
  for (const [what, args, exit, message] of refused) {
    it(`refuses ${what} in one sentence`, () => {
      const { status, stdout, stderr } = bench(...args);
      expect(stderr).to.match(message);
      expect([status, stdout]).to.deep.equal([exit, ""]);
    });
  }

  it("refuses a missing file as the measuring process says it", () => {
    const { status, stderr } = runInfinity("bench", "--model", join(folder, "none.gguf"));
    expect([status, stderr.split("\n").length]).to.deep.equal([1, 2]);
    expect(stderr).to.match(/none\.gguf cannot be read: there is no such file/);
  });
});
