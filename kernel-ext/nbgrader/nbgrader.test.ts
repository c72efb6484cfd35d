/**
 * nbgrader itself, from PyPI and in an environment of its own, on notebook 01: what it releases, and
 * the marks that it gives for all exercises, for some and for none.
 */
import { expect } from "chai";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Context } from "mocha";
import { type Region, parseRegions } from "../../src/course/regions.ts";
import { copyCourse, notRunOutsideCi, root } from "../../src/testing.ts";

const slug = "01-linear-quantizer";
const notebook = `${slug}.ipynb`;
const environment = join(root, "build", "nbgrader");
const programs = join(environment, process.platform === "win32" ? "Scripts" : "bin");

interface Cell {
  source: string;
  readonly metadata: {
    readonly nbgrader?: { grade_id: string; grade: boolean; solution: boolean; points?: number };
  };
}

interface Notebook {
  cells: Cell[];
}

describe("nbgrader on notebook 01", () => {
  let folder = "";
  let course = "";
  let release: Notebook;
  let solutions: readonly Region[];

  before(function () {
    requireNbgrader(this);
    folder = mkdtempSync(join(tmpdir(), "infinity-nbgrader-"));
    course = join(folder, "course");
    mkdirSync(course);
    copyCourse(course);
    const source = join(folder, "source", slug);
    mkdirSync(source, { recursive: true });
    cpSync(join(root, "notebooks", notebook), join(source, notebook));
    const text = readFileSync(join(root, "solutions", `${slug}.ts`), "utf8");
    solutions = parseRegions(text, "solutions");
  });

  after(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  it("releases the stubs, and checks whose value is their points", () => {
    nbgrader("generate_assignment", slug);
    release = read(join(folder, "release", slug, notebook));
    const marked = release.cells.filter(({ metadata }) => metadata.nbgrader);
    const answers = marked.filter(({ metadata }) => metadata.nbgrader!.solution);
    expect(answers.map(({ metadata }) => metadata.nbgrader!.grade_id)).to.deep.equal(
      solutions.map(({ name }) => name),
    );
    for (const { source, metadata } of answers) {
      expect(source).to.match(new RegExp(`^%%exercise ${metadata.nbgrader!.grade_id}\n`));
      expect(source).to.include("not written yet");
    }
    const checks = marked.filter(({ metadata }) => metadata.nbgrader!.grade);
    expect(checks.map(({ source }) => source)).to.deep.equal(
      solutions.map(({ name }) => `(await check("01", "${name}")).points`),
    );
  });

  it("gives full, partial and no marks, each submission its own", () => {
    submit("full", (name) => body(name));
    // The second exercise with a mistake that two of its seven points are for.
    submit("some", (name) =>
      name === "affineParams"
        ? body(name).replace("Math.min(min, 0)", "min")
        : ["roundHalfEven", "quantizeSym"].includes(name)
          ? body(name)
          : null,
    );
    submit("none", () => null);
    nbgrader("autograde", slug);
    nbgrader("export");
    const [header, ...rows] = readFileSync(join(folder, "grades.csv"), "utf8")
      .trim()
      .split(/\r?\n/);
    const columns = ["student_id", "score", "max_score"].map((name) =>
      header!.split(",").indexOf(name),
    );
    const marks = rows.map((row) => columns.map((column) => row.split(",")[column]!));
    expect(marks).to.deep.equal([
      ["full", "38.0", "38.0"],
      ["none", "0.0", "38.0"],
      ["some", "17.0", "38.0"],
    ]);
  });

  it("validates a solved notebook, and names what is missing in another", () => {
    // The course's explanations run elsewhere, and take longer.
    const marked = (student: string): string => {
      const submitted = read(join(folder, "submitted", student, slug, notebook));
      const cells = submitted.cells.filter(({ metadata }) => metadata.nbgrader);
      const path = join(folder, `${student}.ipynb`);
      writeFileSync(path, JSON.stringify({ ...submitted, cells }));
      return path;
    };
    const complaints = nbgrader("validate", marked("some"));
    const failed = [...complaints.matchAll(/check\("01", "(\w+)"\)/g)].map(([, name]) => name);
    expect(failed).to.deep.equal(["affineParams", "packNibbles", "quantizeGroups", "mseClip"]);
    expect(nbgrader("validate", marked("full"))).to.include("Success! Your notebook passes all");
  });

  function body(name: string): string {
    return solutions.find((region) => region.name === name)!.body.trimEnd();
  }

  /** Writes a student's notebook: the release with some exercise cells filled in. */
  function submit(student: string, answer: (name: string) => string | null): void {
    const cells = release.cells.map((cell) => {
      const { grade_id = "", solution = false } = cell.metadata.nbgrader ?? {};
      const written = solution ? answer(grade_id) : null;
      return written === null ? cell : { ...cell, source: `%%exercise ${grade_id}\n${written}` };
    });
    const submitted = join(folder, "submitted", student, slug);
    mkdirSync(submitted, { recursive: true });
    writeFileSync(join(submitted, notebook), JSON.stringify({ ...release, cells }));
  }

  /** Runs one command of nbgrader on the folder and returns what it printed. */
  function nbgrader(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(join(programs, "nbgrader"), args, {
      cwd: folder,
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: [programs, process.env["PATH"]].join(delimiter),
        JUPYTER_CONFIG_PATH: import.meta.dirname,
        JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
        INFINITY_ROOT: course,
      },
    });
    if (status !== 0) throw new Error(`nbgrader ${args.join(" ")}:\n${stdout}${stderr}`);
    return stdout;
  }
});

function read(path: string): Notebook {
  const { cells, ...rest } = JSON.parse(readFileSync(path, "utf8")) as {
    cells: (Omit<Cell, "source"> & { source: string | string[] })[];
  };
  const whole = cells.map((cell) => ({ ...cell, source: [cell.source].flat().join("") }));
  return { ...rest, cells: whole };
}

/** Makes nbgrader's environment where it is not there yet, or marks the test as not run. */
function requireNbgrader(test: Context): void {
  const venv = join(root, ".venv");
  const python = join(venv, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  if (!existsSync(join(venv, "share", "jupyter", "kernels", "infinity", "kernel.json"))) {
    notRunOutsideCi(test, "the kernel is not installed: run `npx infinity setup`");
  }
  const requirements = join(import.meta.dirname, "requirements.txt");
  const stamp = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const stampFile = join(environment, "requirements.sha256");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  try {
    rmSync(environment, { recursive: true, force: true });
    execFileSync(python, ["-m", "venv", environment], { stdio: "pipe" });
    execFileSync(
      join(programs, "python"),
      [...pip, "--only-binary", ":all:", "--no-deps", "-r", requirements],
      { stdio: "pipe" },
    );
    writeFileSync(stampFile, stamp);
  } catch {
    notRunOutsideCi(test, "nbgrader could not be installed from PyPI");
  }
}
