import { expect } from "chai";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadProgress, recordGrading, saveProgress } from "./progress.ts";
import type { Progress } from "./progress.ts";
import type { GradeReport, TestReport } from "./report.ts";

const hints = ["one", "two", "three"];

function report(status: TestReport["status"]): GradeReport {
  const test: TestReport = {
    ...{ name: "t", exercise: "half", status, points: 0, maxPoints: 1, hints, message: null },
    hint: status === "failed" ? "one" : null,
  };
  return { slug: "01-linear-quantizer", tests: [test], points: 0, maxPoints: 1 };
}

const source = (body: string): string => `// #region half\n${body}\n// #endregion\n`;

describe("progress", () => {
  it("climbs the ladder with each failure of changed code, and stays on its last step", () => {
    let progress: Progress = { version: 1, projects: {} };
    const hintAfter = (body: string): string | null | undefined => {
      const recorded = recordGrading(progress, report("failed"), source(body));
      progress = recorded.progress;
      return recorded.report.tests[0]?.hint;
    };
    const bodies = ["a", "a", "a  ", "b", "c", "d"];
    expect(bodies.map(hintAfter)).to.deep.equal(["one", "one", "one", "two", "three", "three"]);
  });

  it("keeps the best that was reached", () => {
    let progress: Progress = { version: 1, projects: {} };
    const bests = (["not run", "failed", "passed", "failed", "not run"] as const).map(
      (status, i) => {
        progress = recordGrading(progress, report(status), source(`v${i}`)).progress;
        return progress.projects["01-linear-quantizer"]!["half/t"]!.best;
      },
    );
    expect(bests).to.deep.equal(["not run", "failed", "passed", "passed", "passed"]);
  });

  it("counts no attempt where nothing could be run", () => {
    const empty: Progress = { version: 1, projects: {} };
    const { progress } = recordGrading(
      empty,
      { ...report("not run"), problem: "x" },
      "// #region half",
    );
    expect(progress.projects["01-linear-quantizer"]!["half/t"]!.attempts).to.equal(0);
  });

  describe("on disk", () => {
    let root = "";
    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), "infinity-progress-"));
    });
    afterEach(() => {
      rmSync(root, { recursive: true });
    });

    it("comes back as it was saved, and is empty before", () => {
      expect(loadProgress(root)).to.deep.equal({
        progress: { version: 1, projects: {} },
        notice: null,
      });
      const { progress } = recordGrading(
        { version: 1, projects: {} },
        report("failed"),
        source("a"),
      );
      saveProgress(root, progress);
      expect(loadProgress(root)).to.deep.equal({ progress, notice: null });
    });

    it("sets a file aside that is no progress, with a sentence", () => {
      const path = join(root, ".infinity", "progress.json");
      for (const content of [
        "{",
        "[]",
        '{"version": 2, "projects": {}}',
        '{"version":1,"projects":{"a":{"t":{"best":"won"}}}}',
      ]) {
        mkdirSync(join(root, ".infinity"), { recursive: true });
        writeFileSync(path, content);
        const { progress, notice } = loadProgress(root);
        expect(progress.projects).to.deep.equal({});
        expect(notice).to.match(/could not be read/);
        expect([existsSync(path), existsSync(`${path}.unreadable`)]).to.deep.equal([false, true]);
      }
    });
  });
});
