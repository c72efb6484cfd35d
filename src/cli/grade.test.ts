import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GradeReport } from "../course/report.ts";
import { root } from "../testing.ts";

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function infinity(...args: string[]): Result {
  const program = join(root, "src", "cli", "infinity.js");
  return spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
}

describe("infinity grade", () => {
  let folder = "";

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-grade-"));
    cpSync(
      join(root, "solutions", "01-linear-quantizer.ts"),
      join(folder, "01-linear-quantizer.ts"),
    );
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it("exits with 0 for full marks, whichever way the project is named", () => {
    for (const name of ["01", "1", "linear-quantizer", "01-linear-quantizer"]) {
      const { status, stdout, stderr } = infinity("grade", name, "--from", "solutions");
      expect(stderr).to.equal("");
      expect(stdout).to.match(/^01-linear-quantizer: (\d+) of \1 points\n/);
      expect(status).to.equal(0);
    }
  });

  it("prints the result for programs, with exit status 1 where a test did not pass", () => {
    const { status, stdout } = infinity("grade", "01", "--from", "exercises/.stubs", "--json");
    expect(status).to.equal(1);
    const report = JSON.parse(stdout) as GradeReport;
    expect(Object.keys(report)).to.deep.equal(["slug", "tests", "points", "maxPoints"]);
    expect(report.slug).to.equal("01-linear-quantizer");
    expect(report.points).to.equal(0);
    expect(report.maxPoints).to.equal(report.tests.reduce((sum, test) => sum + test.maxPoints, 0));
    for (const test of report.tests) {
      expect(test).to.include({ status: "not run", points: 0, hint: null });
      expect(test.hints).to.have.lengthOf(3);
    }
  });

  it("gives a failed test its hint, one exercise where asked, the same for the same seed", () => {
    const file = join(folder, "01-linear-quantizer.ts");
    const solution = readFileSync(file, "utf8");
    writeFileSync(file, solution.replace("const below = Math.floor(x);", "return Math.ceil(x);"));
    const args = [
      "grade",
      "01",
      "--from",
      folder,
      "--only",
      "roundHalfEven",
      "--json",
      "--seed",
      "7",
    ];
    const [first, second] = [infinity(...args), infinity(...args)];
    expect(second.stdout).to.equal(first.stdout);
    const { tests } = JSON.parse(first.stdout) as GradeReport;
    expect(new Set(tests.map(({ exercise }) => exercise))).to.deep.equal(
      new Set(["roundHalfEven"]),
    );
    const failed = tests.find(({ status }) => status === "failed");
    expect(failed?.hint).to.equal(failed?.hints[0]);
    expect(first.status).to.equal(1);
  });

  it("grades all that has begun as a list", () => {
    const { stdout } = infinity("grade", "all", "--from", "solutions", "--json");
    const reports = JSON.parse(stdout) as GradeReport[];
    expect(reports.map(({ slug }) => slug)).to.include("01-linear-quantizer");
  });

  it("answers a question that it does not understand with one sentence", () => {
    for (const [args, status, sentence] of [
      [["grade", "99"], 2, /^infinity: There is no project "99"/],
      [["grade"], 2, /missing required argument 'project'/],
      [["grade", "01", "--seed", "x"], 2, /give a whole number from 0/],
      [
        ["grade", "01", "--from", "solutions", "--only", "nothing"],
        2,
        /^infinity: .* has no exercise "nothing"/,
      ],
      [["grade", "01", "--from", "nowhere"], 1, /^infinity: There is no file .*nowhere/],
      [["reset", "99"], 2, /^infinity: There is no project "99"/],
      [["reset", "01", "nothing"], 2, /^infinity: There is no exercise "nothing"/],
    ] as const) {
      const result = infinity(...args);
      expect(result.stderr).to.match(sentence);
      expect(result.stdout).to.equal("");
      expect(result.status, args.join(" ")).to.equal(status);
    }
  });
});
