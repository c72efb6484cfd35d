/**
 * The steps of the set-up. A step is done again only when what it depends on has changed: a hash of
 * its inputs is kept in `.infinity/setup.json`, written after the step succeeded and removed before
 * it begins, so that an interrupted step is repeated.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { requireNpm, requirePython } from "./prerequisites.js";
import { root, runLogged, stateFolder, venv, venvPython } from "./process.js";

const stateFile = join(stateFolder, "setup.json");

/**
 * @typedef {object} State
 * @property {boolean} tensorflow whether TensorFlow's library was asked for
 * @property {Record<string, string>} stamps the hash of the inputs that each step was last done with
 */

/**
 * @typedef {object} Step
 * @property {string} name also the name of its log
 * @property {string} line what it does, for the reader
 * @property {string} stamp the hash of everything that its result depends on
 * @property {string[]} results files that exist once it is done
 * @property {() => Promise<void>} run
 */

/**
 * Does every step that is not up to date. Throws SetupError where the machine lacks something or a
 * step fails.
 *
 * @param {{ tensorflow: boolean }} wanted
 */
export async function setUp(wanted) {
  const state = readState();
  if (wanted.tensorflow && !state.tensorflow) {
    state.tensorflow = true;
    delete state.stamps["packages"];
  }
  const [packages, jupyter, ...ours] = plan(state);
  // Both wait for the network more than for the processor. A failure of one lets the other end.
  const results = await Promise.allSettled([perform(packages, state), perform(jupyter, state)]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
  for (const step of ours) await perform(step, state);
}

/** The lines of the steps that `setUp` would do. Throws SetupError where the machine lacks something. */
export function outdated() {
  const state = readState();
  return plan(state)
    .filter((step) => !isDone(step, state))
    .map(({ line }) => line);
}

/**
 * @param {State} state
 * @returns {[Step, Step, ...Step[]]}
 */
function plan({ tensorflow }) {
  requireNpm();
  const packages = packagesStep(tensorflow);
  const jupyter = jupyterStep(requirePython());
  const below = packages.stamp + jupyter.stamp;
  const steps = [wasmStep(packages.stamp), kernelStep(below), labextensionStep(below)];
  return [packages, jupyter, ...steps];
}

/**
 * @param {Step} step
 * @param {State} state
 */
function isDone(step, state) {
  return state.stamps[step.name] === step.stamp && step.results.every((file) => existsSync(file));
}

/**
 * @param {boolean} tensorflow
 * @returns {Step}
 */
function packagesStep(tensorflow) {
  // TensorFlow's package downloads a library while it installs, from outside the registries. Given
  // an address that nothing serves it fails at once, and npm leaves the optional package out.
  const env = tensorflow ? process.env : { ...process.env, TFJS_NODE_CDN_STORAGE: "none:" };
  return {
    name: "packages",
    line: "installing the Node packages",
    stamp: stampOf(
      [process.platform, process.arch],
      ["package.json", "package-lock.json", "src/tensor/tfjs-node"],
    ),
    results: [join(root, "node_modules", ".package-lock.json")],
    run: () => runLogged("npm", ["ci", "--no-audit", "--no-fund"], "packages", env),
  };
}

/**
 * @param {import("./prerequisites.js").Python} python
 * @returns {Step}
 */
function jupyterStep(python) {
  return {
    name: "jupyter",
    line: `making a Python ${python.version} environment with JupyterLab in .venv`,
    // The scripts of an environment hold its full path: a folder that was moved needs a new one.
    stamp: stampOf([venv, python.path, python.version], ["requirements.txt"]),
    results: [venvPython],
    async run() {
      rmSync(venv, { recursive: true, force: true });
      await runLogged(python.path, ["-m", "venv", venv], "jupyter");
      const quiet = ["--quiet", "--no-input", "--disable-pip-version-check"];
      // No compiler is needed, and nothing comes that requirements.txt does not name.
      const exact = ["--only-binary", ":all:", "--no-deps", "-r", "requirements.txt"];
      await runLogged(venvPython, ["-m", "pip", "install", ...quiet, ...exact], "jupyter");
    },
  };
}

/**
 * @param {string} below
 * @returns {Step}
 */
function wasmStep(below) {
  return {
    name: "wasm",
    line: "compiling the engine's WebAssembly",
    stamp: stampOf([below], ["src/kernels/wasm/assembly", "src/tensor/kernel-module.ts"]),
    results: [join(root, "build", "kernels")],
    run: () => runTypeScript("src/tensor/build-kernels.ts", [], "wasm"),
  };
}

/**
 * @param {string} below
 * @returns {Step}
 */
function kernelStep(below) {
  return {
    name: "kernel",
    line: "building and installing the TypeScript kernel",
    stamp: stampOf([below, process.execPath, process.version], ["kernel-ext/kernel", "src"]),
    results: [
      join(root, "build", "kernel"),
      join(venv, "share", "jupyter", "kernels", "infinity", "kernel.json"),
    ],
    async run() {
      await runTypeScript("kernel-ext/kernel/build.ts", [], "kernel");
      await runTypeScript("kernel-ext/kernel/install.ts", ["--prefix", venv], "kernel");
    },
  };
}

/**
 * @param {string} below
 * @returns {Step}
 */
function labextensionStep(below) {
  const name = "infinity-labextension";
  const installed = join(venv, "share", "jupyter", "labextensions", name);
  return {
    name: "labextension",
    line: "building and installing the JupyterLab extension",
    stamp: stampOf([below], ["kernel-ext/labextension"]),
    results: [join(installed, "package.json")],
    async run() {
      await runTypeScript("kernel-ext/labextension/build.ts", [], "labextension");
      rmSync(installed, { recursive: true, force: true });
      cpSync(join(root, "build", "labextension"), installed, { recursive: true });
    },
  };
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {string} log
 */
function runTypeScript(file, args, log) {
  return runLogged(process.execPath, ["--import", "tsx", file, ...args], log);
}

/**
 * @param {Step} step
 * @param {State} state
 */
async function perform(step, state) {
  if (isDone(step, state)) return;
  delete state.stamps[step.name];
  writeState(state);
  rmSync(join(stateFolder, "logs", `${step.name}.log`), { force: true });
  process.stderr.write(`infinity: ${step.line} …\n`);
  const start = Date.now();
  await step.run();
  state.stamps[step.name] = step.stamp;
  writeState(state);
  process.stderr.write(
    `infinity: ${step.line}: done in ${Math.ceil((Date.now() - start) / 1000)} s\n`,
  );
}

/**
 * A hash of `facts` and of the names and contents of the files at and below `paths`, which are
 * relative to the root. Tests do not count: they change no result.
 *
 * @param {readonly string[]} facts
 * @param {readonly string[]} paths
 */
function stampOf(facts, paths) {
  const hash = createHash("sha256").update(JSON.stringify(facts));
  for (const path of paths.flatMap(filesBelow)) {
    hash.update(`\0${path}\0`).update(readFileSync(join(root, path)));
  }
  return hash.digest("hex");
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function filesBelow(path) {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .filter((name) => name !== "node_modules" && !name.endsWith(".test.ts"))
    .sort()
    .flatMap((name) => filesBelow(`${path}/${name}`));
}

/** @returns {State} */
function readState() {
  try {
    const { tensorflow, stamps } = JSON.parse(readFileSync(stateFile, "utf8"));
    return { tensorflow: tensorflow === true, stamps: { ...stamps } };
  } catch {
    // Absent, or cut off by a crash: every step is done again.
    return { tensorflow: false, stamps: {} };
  }
}

/** @param {State} state */
function writeState(state) {
  mkdirSync(stateFolder, { recursive: true });
  writeFileSync(`${stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${stateFile}.new`, stateFile);
}
