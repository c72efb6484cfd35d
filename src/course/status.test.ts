import { expect } from "chai";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, runInfinity } from "../testing.ts";
import type { OutlinedTest } from "./outline.ts";
import { outlines } from "./outline.ts";
import type { TestProgress } from "./progress.ts";
import { projects } from "./projects.ts";
import type { CourseStatus, ProjectStatus } from "./status.ts";
import { courseStatus, projectStatus } from "./status.ts";

const [project] = projects;
const hints = ["one", "two", "three"];
const tests: OutlinedTest[] = [
  { exercise: "half", name: "a", points: 2, hints },
  { exercise: "half", name: "b", points: 1, hints },
  { exercise: "whole", name: "a", points: 4, hints },
];

function reached(best: TestProgress["best"], attempts = 0): TestProgress {
  return { best, attempts, code: "" };
}

function status(progress: Record<string, TestProgress>, edited = false): ProjectStatus {
  return projectStatus(project!, tests, progress, edited);
}

describe("where a student stands", () => {
  it("counts the points of what has passed", () => {
    const { points, maxPoints, exercises } = status({
      "half/a": reached("passed"),
      "half/b": reached("failed", 1),
    });
    expect([points, maxPoints]).to.deep.equal([2, 7]);
    expect(exercises.map((one) => [one.name, one.status, one.points, one.maxPoints])).to.deep.equal(
      [
        ["half", "failed", 2, 3],
        ["whole", "not run", 0, 4],
      ],
    );
  });

  it("goes from planned to done", () => {
    const all = { "half/a": reached("passed"), "half/b": reached("passed") };
    const states = [
      projectStatus(project!, null, {}, false),
      status({}),
      status({}, true),
      status({ "half/a": reached("failed", 1) }),
      status(all),
      status({ ...all, "whole/a": reached("passed") }),
    ];
    expect(states.map(({ state }) => state)).to.deep.equal([
      ...["planned", "not begun", "in progress", "in progress", "in progress", "done"],
    ]);
    expect(states.map(({ next }) => next === null)).to.deep.equal([
      ...[true, false, false, false, false, true],
    ]);
  });

  it("names the first failed test, then the first that has not run", () => {
    expect(status({ "half/a": reached("passed") }).next).to.deep.equal({
      ...{ exercise: "half", test: "b", status: "not run", hint: null, hints: [] },
    });
    expect(status({ "whole/a": reached("failed", 2) }).next).to.deep.include({
      ...{ exercise: "whole", test: "a", status: "failed", hint: "two", hints },
    });
  });

  it("unfolds the hints with the attempts, and stays on the last", () => {
    const hint = (attempts: number): string | null | undefined =>
      status({ "half/a": reached("failed", attempts) }).next?.hint;
    expect([1, 2, 3, 9].map(hint)).to.deep.equal(["one", "two", "three", "three"]);
  });

  it("takes no notice of tests that are gone", () => {
    expect(status({ "half/z": reached("passed"), "old/a": reached("failed", 1) })).to.deep.equal(
      status({}),
    );
  });
});

describe("a course on disk", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-status-"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("has the graded tests of its files, and loads a file again only when it has changed", async () => {
    const file = join(folder, "exercises", "01-linear-quantizer.test.ts");
    mkdirSync(join(folder, "exercises"));
    const write = (points: number): void => {
      writeFileSync(file, testFile(points));
    };
    const load = async (): Promise<unknown> =>
      (await outlines(folder, ["01-linear-quantizer"])).get("01-linear-quantizer");
    const counter = globalThis as { numLoaded?: number };
    const before = counter.numLoaded ?? 0;
    const numLoaded = (): number => (counter.numLoaded ?? 0) - before;
    const expected = { exercise: "half", name: "a", points: 3, hints: ["1", "2", "3"] };
    write(3);
    expect(await load()).to.deep.equal([expected]);
    expect(await load()).to.deep.equal([expected]);
    expect(numLoaded()).to.equal(1);
    write(5);
    expect(await load()).to.deep.equal([{ ...expected, points: 5 }]);
    writeFileSync(join(folder, ".infinity", "outlines.json"), '{"01-linear-quantizer": 1}');
    expect(await load()).to.deep.equal([{ ...expected, points: 5 }]);
    expect(numLoaded()).to.equal(3);
  });

  it("is planned where files are absent, and begins with the first line that is written", async () => {
    const slug = "01-linear-quantizer";
    const write = (file: string, text: string): void => {
      mkdirSync(join(folder, file, ".."), { recursive: true });
      writeFileSync(join(folder, file), text);
    };
    const state = async (): Promise<unknown> => (await courseStatus(folder)).projects[0]!.state;
    expect(await state()).to.equal("planned");
    write(`notebooks/${slug}.ipynb`, "{}");
    write(`exercises/${slug}.test.ts`, testFile(1));
    write(`exercises/.stubs/${slug}.ts`, "stub\n");
    write(`exercises/${slug}.ts`, "stub  \r\n");
    expect(await state()).to.equal("not begun");
    write(`exercises/${slug}.ts`, "mine\n");
    expect(await state()).to.equal("in progress");
  });
});

/** A file with one graded test, which counts how often it is loaded. */
function testFile(points: number): string {
  const module = JSON.stringify(pathToFileURL(join(root, "src/course/graded-test.ts")).href);
  return `import { gradedExercise } from ${module};
globalThis.numLoaded = (globalThis.numLoaded ?? 0) + 1;
gradedExercise("half", (graded) => {
  graded("a", { points: ${points}, hints: ["1", "2", "3"] }, async () => {});
});`;
}

describe("infinity course", () => {
  it("tells people and programs the same", () => {
    const json = JSON.parse(runInfinity("course", "--json").stdout) as CourseStatus;
    expect(json.projects.map(({ slug }) => slug)).to.deep.equal(projects.map(({ slug }) => slug));
    const { tests: first } = json.projects[0]!.exercises[0]!;
    const file = readFileSync(join(root, "exercises", "01-linear-quantizer.test.ts"), "utf8");
    for (const { name } of first) expect(file).to.include(`"${name}"`);
    const { status: exit, stdout, stderr } = runInfinity("course");
    expect([exit, stderr]).to.deep.equal([0, ""]);
    for (const { title, state } of json.projects) {
      expect(stdout).to.match(new RegExp(`^ *\\d+  ${title.replace(".", "\\.")} +${state}`, "m"));
    }
    expect(stdout).to.include(`${json.points} of ${json.maxPoints} points`);
  });
});
