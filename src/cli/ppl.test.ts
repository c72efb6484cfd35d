import { expect } from "chai";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOfModel } from "../model/fixtures/models.ts";
import { draftStoryModel } from "../model/fixtures/story-model.ts";
import { runInfinity } from "../testing.ts";
import { degradationPage } from "./ppl-page.ts";
import { describeRows, type PplReport } from "./ppl-report.ts";

const text = "Once upon a time there was a little girl who had a dog and a boat. ".repeat(20);

describe("infinity ppl", () => {
  let folder: string;
  let model: string;
  let story: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "infinity-ppl-"));
    model = join(folder, "model.gguf");
    story = join(folder, "story.txt");
    writeFileSync(model, await bytesOfModel(draftStoryModel()));
    writeFileSync(story, text);
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("prints every figure of every format as JSON, and writes the page", () => {
    const html = join(folder, "cost.html");
    const { status, stdout, stderr } = runInfinity(
      ...["ppl", "--model", model, "--quants", "f16,Q8_0", "--text", story, "--chunks", "5"],
      ...["--context", "48", "--stride", "16", "--questions", "2", "--html", html, "--json"],
      ...["--device", "cpu", "--threads", "1"],
    );
    expect(status, stderr).to.equal(0);
    const report = JSON.parse(stdout) as PplReport;
    expect(Object.keys(report)).to.deep.equal(["model", "text", "method", "context", "rows"]);
    expect(report).to.include({ model: "model.gguf", text: "story.txt" });
    expect(report).to.include({ method: "strided", context: 48 });
    expect(report.rows.map(({ quant }) => quant)).to.deep.equal(["f16", "q8_0"]);
    for (const row of report.rows) {
      for (const key of [
        ...["ppl", "stderr", "bitsPerByte", "kl", "top1", "accuracy"],
        ...["fileBytes", "residentBytes", "tokensPerSecond"],
      ] as const) {
        expect(row[key as keyof typeof row], key).to.be.a("number");
      }
    }
    expect(report.rows[0]!.ppl).to.be.above(1);
    expect(readFileSync(html, "utf8")).to.include("What compression costs model.gguf");
  });

  it("measures a model as it is, by llama.cpp's method, and prints a table", () => {
    const { status, stdout, stderr } = runInfinity(
      ...["ppl", "--model", model, "--text", story, "--method", "llama.cpp", "--context", "96"],
      ...["--questions", "0", "--device", "cpu", "--threads", "1"],
    );
    expect(status, stderr).to.equal(0);
    expect(stderr).to.match(/says that it looks back on 64 tokens; a context of 96 may be beyond/);
    expect(stdout).to.match(/^model\.gguf on story\.txt, llama\.cpp, context 96\n\nquant +ppl +±/);
    expect(stdout).to.match(/\nf32 +\d+\.\d{4} +\d+\.\d{4} +\d+\.\d{4} +– +– +– +– +– +–/);
  });

  const refused: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ["an unknown format", ["--quants", "f16,q4_2"], 2, /no quantisation q4_2/],
    ["a format twice", ["--quants", "f16,F16"], 2, /names a format twice/],
    ["a stride for llama.cpp", ["--method", "llama.cpp", "--stride", "8"], 2, /is for --method/],
    [
      "a text too short",
      ["--method", "llama.cpp", "--context", "600"],
      1,
      /needs two contexts, 1200/,
    ],
    [
      "a text that is no UTF-8",
      ["--text", "latin1.txt"],
      1,
      /is no valid UTF-8 text: byte \d is 0x/,
    ],
    ["questions that are none", ["--choices", "story.txt"], 1, /Line 1 of .* is no question/],
  ];
  for (const [what, args, status, message] of refused) {
    it(`refuses ${what} in one sentence`, () => {
      writeFileSync(join(folder, "latin1.txt"), Buffer.from([0x63, 0xe9, 0x20]));
      const paths = args.map((arg) => (arg.endsWith(".txt") ? join(folder, arg) : arg));
      const given = args.includes("--text") ? paths : ["--text", story, ...paths];
      const result = runInfinity("ppl", "--model", model, ...given);
      expect(result.stderr).to.match(message);
      expect([result.status, result.stdout]).to.deep.equal([status, ""]);
    });
  }
});

describe("the report of infinity ppl", () => {
  const row = {
    ...{ quant: "f16", ppl: 5, stderr: 0.5, bitsPerByte: 1, kl: 0, top1: 1, accuracy: 0.5 },
    ...{ fileBytes: 2e6, residentBytes: 3e6, tokensPerSecond: 100, bitsPerWeight: 16 },
    ...{ lossIncrease: 0, lossIncreaseStderr: 0, rmsDeltaP: 0, accuracyStderr: 0.1 },
    ...{ accuracyPerByte: 0.5, questionsShortened: 0 },
  };
  const report: PplReport = {
    ...{ model: "<m>.gguf", text: "t.txt", method: "strided", context: 64 },
    rows: [
      row,
      { ...row, quant: "q8_0", ppl: 5.05, fileBytes: 1e6, bitsPerWeight: 8.5 },
      { ...row, quant: "q4_1", ppl: 5.5, fileBytes: 0.7e6, bitsPerWeight: 5 },
      {
        ...row,
        quant: "q4_0",
        ppl: 5.25,
        fileBytes: 0.6e6,
        bitsPerWeight: 4.5,
        questionsShortened: 3,
      },
    ],
  };

  it("draws what each format costs, and marks the best compromises", () => {
    const lines = describeRows(report).split("\n");
    const curve = lines.slice(lines.findIndex((line) => line.startsWith("perplexity above")) + 1);
    expect(curve.slice(0, 4).map((line) => line.replaceAll(/\s+/g, " "))).to.deep.equal([
      "* f16 16.00 bits +0.00 %",
      `* q8_0 8.50 bits ${"█".repeat(3)} +1.00 %`,
      ` q4_1 5.00 bits ${"█".repeat(32)} +10.00 %`,
      `* q4_0 4.50 bits ${"█".repeat(16)} +5.00 %`,
    ]);
    expect(lines.at(-2)).to.match(/^3 questions were longer/);
  });

  it("is one page that asks nobody for anything", () => {
    const page = degradationPage(report);
    expect(page).to.include("&#60;m&#62;.gguf").and.not.include("<m>");
    expect(page).to.not.match(/<script|https?:\/\/(?!www\.w3\.org)|src=/);
    expect(page.match(/<svg/g)).to.have.lengthOf(2);
    // Four points in each figure; the front of three joins them, the curve all four.
    expect(page.match(/<circle/g)).to.have.lengthOf(8);
    const lines = [...page.matchAll(/points="([^"]+)"/g)].map(([, points]) => points!.split(" "));
    expect(lines.map((points) => points.length)).to.deep.equal([4, 3]);
    expect(page).to.not.match(/NaN|undefined|Infinity/);
  });
});
