import { expect } from "chai";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOfModel } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { outsideData, runInfinity, type CommandResult } from "../testing.ts";
import { UsageError } from "../core/errors.ts";
import { outputFormat, type FormatOptions } from "./quantize-model-format.ts";
import { geometricMean, type ModelReport } from "./quantize-model-report.ts";

const little = ["--tokens", "512", "--held-out", "128", "--device", "cpu", "--threads", "1"];

describe("infinity quantize-model", () => {
  let folder: string;
  let small: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-quantize-model-"));
    small = join(folder, "small.gguf");
    const draft = draftStoryModel();
    draft.tensors.delete("rope_freqs.weight");
    writeFileSync(small, await bytesOfModel(draft));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  function run(method: string, out: string, ...args: readonly string[]): CommandResult {
    const path = join(folder, out);
    return runInfinity(
      ...[
        "quantize-model",
        "--model",
        small,
        "--method",
        method,
        "--out",
        path,
        ...little,
        ...args,
      ],
    );
  }

  it("writes a GGUF file, prints what each matrix cost, and refuses to write over it", () => {
    const { status, stdout, stderr } = run("gptq", "small-q4_0.gguf");
    expect(status, stderr).to.equal(0);
    expect(stdout).to.match(/^blk\.1\.attn_output\.weight +Q4_0( +[\d.]+ %){3} +\d\.\d{3}$/m);
    expect(stdout).to.match(
      /^held-out error of gptq to plain rounding, geometric mean: \d\.\d{3}$/m,
    );
    expect(stdout).to.match(/^wrote .*small-q4_0\.gguf: \d+ bytes → \d+, \d\d\.\d %, in /m);
    const verified = runInfinity("gguf", "verify", join(folder, "small-q4_0.gguf"), "--values");
    expect(verified.status, verified.stdout).to.equal(0);
    const again = run("rtn", "small-q4_0.gguf");
    expect(again.status).to.equal(1);
    expect(again.stderr).to.match(
      /small-q4_0\.gguf exists; delete it or give --out another name\.\n$/,
    );
    expect(readdirSync(folder).filter((name) => name.includes("unfinished"))).to.deep.equal([]);
  });

  it("writes a folder in AWQ's layout, and says what its reader still needs", () => {
    const { status, stdout, stderr } = run("awq", "small-awq", "--group", "8", "--json");
    expect(status, stderr).to.equal(0);
    const report = JSON.parse(stdout) as ModelReport;
    expect(report.format).to.deep.equal({
      kind: "awq-layout",
      grid: { bits: 4, groupSize: 8, mode: "asymmetric" },
    });
    expect(report.missing).to.include("tokenizer.json is not written");
    expect(existsSync(join(folder, "small-awq", "config.json"))).to.equal(true);
  });

  it("refuses options that contradict each other", () => {
    const wrong: readonly (readonly [Partial<FormatOptions>, string])[] = [
      [{ group: 32 }, "--group and --mode are for folders and --simulate"],
      [{ out: "x", type: "q4_0" }, "--type names block formats of GGUF"],
      [{ method: "hqq", bits: 3 }, "hqq writes no GGUF file with 3 bits; choose 4, 5"],
      [{ method: "hqq", out: "x" }, "hqq writes GGUF files only"],
      [{ method: "awq", out: "x", bits: 3 }, "The layout of AWQ holds 4 bits, not 3."],
      [{ method: "awq", out: "x", mode: "symmetric" }, "The layout of AWQ is asymmetric"],
      [{ out: "x", simulate: true }, "--simulate writes a GGUF file"],
      [{ type: "q9" }, "q9 is no format to convert to"],
    ];
    for (const [options, sentence] of wrong) {
      const given = { method: "gptq", bits: 4, out: "x.gguf", ...options } as const;
      expect(() => outputFormat(given), sentence).to.throw(UsageError, sentence);
    }
    const group = run("gptq", "x", "--group", "7");
    expect(group.status).to.equal(1);
    expect(group.stderr).to.include("Groups of 7 do not divide the 32 columns");
    expect(readdirSync(folder).filter((name) => name.startsWith("x"))).to.deep.equal([]);
  });

  it("loses less of a real model's outputs by GPTQ, AWQ and importance than by rounding", function () {
    const model = outsideData(this, "models/stories260K-f32.gguf");
    const text = outsideData(this, "text/tinystories.txt");
    const means = ["gptq", "awq", "k-quant"].map((method) => {
      const { status, stdout, stderr } = runInfinity(
        ...["quantize-model", "--model", model, "--method", method, "--type", "q4_0", "--json"],
        ...["--calibrate", text, "--tokens", "8192", "--out", join(folder, `${method}.gguf`)],
      );
      expect(status, stderr).to.equal(0);
      const { matrices } = JSON.parse(stdout) as ModelReport;
      // ffn_down, whose rows divide into no blocks, stays F16.
      const blocks = matrices.filter(({ dtype }) => dtype === "Q4_0");
      expect(blocks).to.have.lengthOf(30);
      for (const { name, errors, rounding } of method === "gptq" ? blocks : []) {
        expect(errors.heldOut / rounding.heldOut, name).to.be.below(1.05);
      }
      return geometricMean(blocks)!;
    });
    expect(means[0]).to.be.below(0.75);
    expect(means[1]).to.be.below(0.9);
    expect(means[2]).to.be.below(0.95);
  });
});
