/**
 * The repository as a whole: format, lint and types as one check each, what is installed is exact
 * and comes from the registries, and what the texts promise is there.
 */
import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { projects } from "./course/projects.ts";
import { root, runInfinity } from "./testing.ts";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface LockedPackage {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
}

interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

const texts = ["README.md", "ARCHITECTURE.md", "notebooks/README.md", "datasets/README.md"];

describe("the repository", function () {
  this.timeout(300_000);

  it("is in prettier's format", () => {
    expectSuccess("prettier/bin/prettier.cjs", ["--check", "--log-level", "warn", "."]);
  });

  it("has no lint errors", () => {
    expectSuccess("eslint/bin/eslint.js", ["--max-warnings", "0", "."]);
  });

  for (const project of [
    ".",
    "tsconfig.setup.json",
    "kernel-ext/labextension",
    "src/course/slides/page",
  ]) {
    it(`has no type errors in ${project === "." ? "its main part" : project}`, () => {
      expectSuccess("typescript/bin/tsc", ["--noEmit", "--project", project]);
    });
  }

  it("depends on exact versions", () => {
    const { dependencies, devDependencies, optionalDependencies } = parse(
      "package.json",
    ) as Manifest;
    const loose = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
      .filter(([, version]) => !/^(npm:[a-z.-]+@)?\d+\.\d+\.\d+$|^file:src\//.test(version))
      .map(([name, version]) => `${name} ${version}`);
    expect(loose).to.deep.equal([]);
    const requirements = read("requirements.txt").split("\n").filter(Boolean);
    const inexact = requirements.filter((line) => !/^(#.*|[a-z0-9-]+==[\d.]+( ; .+)?)$/.test(line));
    expect(inexact).to.deep.equal([]);
  });

  it("locks every package by its checksum, and names no registry's host", () => {
    const { packages } = parse("package-lock.json") as Lockfile;
    const unlocked = Object.entries(packages)
      .filter(([path]) => path.startsWith("node_modules/"))
      .filter(([, { integrity, link }]) => !integrity && !link)
      .map(([path]) => path);
    expect(unlocked).to.deep.equal([]);
    const hosts = Object.values(packages).filter(({ resolved }) => resolved?.includes("://"));
    expect(hosts).to.deep.equal([]);
  });

  it("names in its README the projects of the one list", () => {
    const rows = [...read("README.md").matchAll(/^\| *(\d+) *\|([^|]*)\|([^|]*)\|([^|]*)\|/gm)];
    expect(rows.map((row) => row.slice(1).map((cell) => cell.trim()))).to.deep.equal(
      projects.map(({ slug, title, builds, level }) => [
        `${Number(slug.slice(0, 2))}`,
        title,
        builds,
        level,
      ]),
    );
  });

  it("links from its texts only to what is there", () => {
    const broken = texts.flatMap((text) =>
      [...read(text).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
        .map((match) => join(dirname(text), match[1]!))
        .filter((target) => !existsSync(join(root, target)))
        .map((target) => `${text} links to ${target}`),
    );
    expect(broken).to.deep.equal([]);
  });

  it("promises in its texts only commands that exist", () => {
    const targets = [...read("Makefile").matchAll(/^([a-z]+):/gm)].map((match) => match[1]!);
    const help = runInfinity("--help").stdout;
    const commands = [...help.matchAll(/^ {2}([a-z-]+) /gm)].map((match) => match[1]!);
    expect(targets).to.include.members(["lab", "test"]);
    expect(commands).to.include.members(["lab", "setup"]);
    const unknown = texts.flatMap((text) => [
      ...mentioned(text, /(?:^|`)make ([a-z]+)/gm, targets),
      ...mentioned(text, /(?:^|`)npx infinity ([a-z-]+)/gm, commands),
    ]);
    expect(unknown).to.deep.equal([]);
  });
});

/** What `pattern` captures in `text` and `known` does not hold. */
function mentioned(text: string, pattern: RegExp, known: readonly string[]): string[] {
  return [...read(text).matchAll(pattern)]
    .map((match) => match[1]!)
    .filter((name) => !known.includes(name))
    .map((name) => `${text}: ${name}`);
}

/** Runs a tool of ours; what it printed is the failure's message. */
function expectSuccess(tool: string, args: readonly string[]): void {
  const command = [join(root, "node_modules", tool), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${tool} ${args.join(" ")}\n${stdout}${stderr}`);
}

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function parse(path: string): unknown {
  return JSON.parse(read(path));
}
