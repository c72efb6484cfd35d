/**
 * The set-up on machines that lack something, and its steps, with npm and Python replaced by
 * scripts that only write down how they were called.
 */
import { expect } from "chai";
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { notRun, root } from "../testing.ts";

/** A Python that answers the question for its version, and makes an environment of itself. */
const python = (version: string, venv = 1): string => `
case "$1" in
  -c) printf '${version}\\n/usr/bin/python3\\n${venv}\\n' ;;
  *) exit 1 ;;
esac`;

describe("infinity setup", () => {
  let folder: string;
  let programs: string;

  before(function () {
    if (process.platform === "win32")
      notRun(this, "its stand-ins for npm and Python are shell scripts");
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "infinity-setup-"));
    programs = join(folder, "programs");
    mkdirSync(programs);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** Puts a shell script of this name on the path of the set-up. */
  function provide(name: string, script: string): void {
    const file = join(programs, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }

  function infinity(repository: string, ...args: string[]): SpawnSyncReturns<string> {
    const path = repository === root ? programs : [programs, "/usr/bin", "/bin"].join(delimiter);
    const command = join(repository, "src", "cli", "infinity.js");
    return spawnSync(process.execPath, [command, ...args], {
      encoding: "utf8",
      env: { PATH: path },
    });
  }

  describe("on a machine that lacks something says what, and the cure, in one sentence", () => {
    const cases: readonly [string, Record<string, string>, RegExp][] = [
      ["npm", {}, /^infinity: npm was not found .*nodejs\.org.*run this again\.\n$/],
      [
        "Python",
        { npm: "" },
        /^infinity: Python was not found.*3\.10 or newer.*run this again\.\n$/,
      ],
      [
        "a newer Python",
        { npm: "", python3: python("3.9.2") },
        /^infinity: Python 3\.9\.2 \(\/usr\/bin\/python3\) is too old.*3\.10 or newer.*run this again\.\n$/,
      ],
      [
        "the venv module",
        { npm: "", python3: python("3.11.2", 0) },
        /^infinity: Python 3\.11\.2 .*venv module.*apt install python3\.11-venv.*run this again\.\n$/,
      ],
      [
        "a Python that works at all",
        { npm: "", python3: "exit 1", python: "echo nonsense" },
        /^infinity: Python was not found/,
      ],
    ];
    for (const [what, scripts, sentence] of cases) {
      it(`without ${what}`, () => {
        for (const [name, script] of Object.entries(scripts)) provide(name, script);
        const { status, stderr } = infinity(root, "setup", "--check");
        expect(stderr).to.match(sentence);
        expect(status).to.equal(2);
      });
    }

    it("but takes a newer Python that goes by another name", () => {
      provide("npm", "");
      provide("python3", python("3.9.2"));
      provide("python3.12", python("3.12.1"));
      expect(infinity(root, "setup", "--check").status).not.to.equal(2);
    });
  });

  it("explains itself, and refuses an option that it does not know", () => {
    expect(infinity(root, "setup", "--help").stdout).to.match(/^Usage: infinity setup/);
    expect(infinity(root, "lab", "--help").stdout).to.match(/^Usage: infinity lab/);
    const { status, stderr } = infinity(root, "setup", "--gpu");
    expect(stderr).to.equal('infinity: setup has no option "--gpu"; see infinity setup --help.\n');
    expect(status).to.equal(2);
  });

  describe("in a fresh clone", () => {
    let clone: string;
    let calls: string;

    /** What was done since the last time this was asked, in order. */
    const done = (): string[] => {
      const lines = readFileSync(calls, "utf8").split("\n").filter(Boolean);
      writeFileSync(calls, "");
      return lines;
    };

    beforeEach(() => {
      clone = join(folder, "clone");
      calls = join(folder, "calls");
      writeFileSync(calls, "");
      makeClone(clone, calls);
      provide(
        "npm",
        `[ "$1" = ci ] || exit 0
echo npm "$@" "tensorflow from $TFJS_NODE_CDN_STORAGE" >> ${calls}
[ ! -e ${folder}/offline ] || { echo no network; exit 7; }
ln -sfn ${join(root, "node_modules")} node_modules`,
      );
      provide(
        "python3",
        `case "$1 $2" in
  "-c "*) printf '3.11.2\\n${programs}/python3\\n1\\n' ;;
  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo venv >> ${calls} ;;
  "-m pip") shift 2; echo pip "$@" >> ${calls} ;;
esac`,
      );
    });

    it("does every step once, from the registries only", () => {
      const { status, stderr } = infinity(clone, "setup");
      expect(status, stderr).to.equal(0);
      expect(done().sort()).to.deep.equal([
        "kernel built",
        "kernel installed",
        "labextension built",
        "npm ci --no-audit --no-fund tensorflow from none:",
        "pip install --quiet --no-input --disable-pip-version-check --only-binary :all: --no-deps -r requirements.txt",
        "venv",
        "wasm built",
      ]);
      expect(infinity(clone, "setup", "--check").status).to.equal(0);
      expect(infinity(clone, "setup").stderr).to.equal("");
      expect(done()).to.deep.equal([]);
    });

    it("does again what has changed, and what stands on it", () => {
      infinity(clone, "setup");
      done();
      appendFileSync(join(clone, "requirements.txt"), "tornado==6.6.1\n");
      expect(infinity(clone, "setup", "--check").stderr).to.match(/\.venv.*kernel.*extension/);
      infinity(clone, "setup");
      expect(done().map((line) => line.split(" ")[0])).to.deep.equal([
        "venv",
        "pip",
        "kernel",
        "kernel",
        "labextension",
      ]);
      rmSync(join(clone, "build", "kernel"), { recursive: true });
      infinity(clone, "setup");
      expect(done()).to.deep.equal(["kernel built", "kernel installed"]);
    });

    it("names the log of a step that fails, and repeats the step the next time", () => {
      writeFileSync(join(folder, "offline"), "");
      const { status, stderr } = infinity(clone, "setup");
      expect(status).to.equal(1);
      expect(stderr).to.match(/`npm ci .*` failed with status 7: .*\.infinity.logs.packages\.log/);
      expect(readFileSync(join(clone, ".infinity", "logs", "packages.log"), "utf8")).to.equal(
        "no network\n",
      );
      expect(done()).not.to.include("kernel built");
      rmSync(join(folder, "offline"));
      expect(infinity(clone, "setup").status).to.equal(0);
      expect(done().map((line) => line.split(" ")[0])).to.deep.equal([
        "npm",
        "wasm",
        "kernel",
        "kernel",
        "labextension",
      ]);
    });

    it("remembers that TensorFlow was asked for", () => {
      infinity(clone, "setup");
      infinity(clone, "setup", "--tensorflow");
      expect(done()).to.include("npm ci --no-audit --no-fund tensorflow from ");
      appendFileSync(join(clone, "package-lock.json"), "\n");
      infinity(clone, "setup");
      expect(done()).to.include("npm ci --no-audit --no-fund tensorflow from ");
    });
  });
});

/** The set-up and its inputs, with builds that only write down that they ran. */
function makeClone(clone: string, calls: string): void {
  for (const path of [
    "package.json",
    "package-lock.json",
    "requirements.txt",
    "src/tensor/tfjs-node",
    "src/tensor/kernel-module.ts",
    "src/kernels/wasm/assembly",
  ]) {
    cpSync(join(root, path), join(clone, path), { recursive: true });
  }
  for (const path of ["src/cli/infinity.js", "src/cli/setup.js", "src/cli/setup"]) {
    cpSync(join(root, path), join(clone, path), { recursive: true });
  }
  script("src/tensor/build-kernels.ts", "wasm built", "build/kernels/kernels.wasm");
  script("kernel-ext/kernel/build.ts", "kernel built", "build/kernel/main.cjs");
  script(
    "kernel-ext/kernel/install.ts",
    "kernel installed",
    ".venv/share/jupyter/kernels/infinity/kernel.json",
  );
  script(
    "kernel-ext/labextension/build.ts",
    "labextension built",
    "build/labextension/package.json",
  );

  function script(path: string, line: string, result: string): void {
    const file = join(clone, path);
    const [target, folder] = [join(clone, result), join(clone, result, "..")].map((name) =>
      JSON.stringify(name),
    );
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(
      file,
      `import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
mkdirSync(${folder!}, { recursive: true });
writeFileSync(${target!}, "");
appendFileSync(${JSON.stringify(calls)}, ${JSON.stringify(`${line}\n`)});\n`,
    );
  }
}
