/**
 * What a machine must bring: npm beside Node, and Python 3.10 or newer with its venv module. Each
 * that is missing or too old is one sentence with the cure. Node itself is `infinity.js`'s to check.
 */
import { SetupError, ask, windows } from "./process.js";

const oldestMinor = 10;

/** Prints version, path and whether environments can be made: Debian ships Python without. */
const probe = `
import sys, importlib.util as find
print("%d.%d.%d" % sys.version_info[:3])
print(sys.executable)
print(int(bool(find.find_spec("venv") and find.find_spec("ensurepip"))))
`;

/**
 * @typedef {object} Python
 * @property {string} version such as 3.11.2
 * @property {string} path the interpreter's full path
 * @property {boolean} venv whether it can make virtual environments
 */

/** Throws SetupError where npm cannot be run. */
export function requireNpm() {
  const version = windows ? ask("cmd.exe", ["/c", "npm", "--version"]) : ask("npm", ["--version"]);
  if (version !== undefined) return;
  throw new SetupError(
    `npm was not found beside Node ${process.versions.node}: install it (it comes with Node from nodejs.org; on Debian and Ubuntu \`sudo apt install npm\`), then run this again.`,
    2,
  );
}

/**
 * The first Python on the path that can carry JupyterLab. Throws SetupError with the cure for the
 * nearest miss: one without venv, one that is too old, or none.
 *
 * @returns {Python}
 */
export function requirePython() {
  /** @type {Python[]} */
  const found = [];
  for (const [program, ...args] of candidates()) {
    const python = inspect(program, args);
    if (python?.venv && isNewEnough(python.version)) return python;
    if (python) found.push(python);
  }
  const withoutVenv = found.find((python) => isNewEnough(python.version));
  if (withoutVenv) throw new SetupError(venvSentence(withoutVenv), 2);
  const cure = windows
    ? "install it from python.org"
    : "install it (from python.org, or on Debian and Ubuntu `sudo apt install python3 python3-venv`)";
  throw new SetupError(
    found[0]
      ? `Python ${found[0].version} (${found[0].path}) is too old for JupyterLab, which needs 3.10 or newer: ${cure}, then run this again.`
      : `Python was not found, and JupyterLab needs 3.10 or newer: ${cure}, then run this again.`,
    2,
  );
}

/** What Python is called, the common names first. */
function candidates() {
  /** @type {[string, ...string[]][]} */
  const common = windows ? [["py", "-3"], ["python"]] : [["python3"], ["python"]];
  const versions = [10, 11, 12, 13, 14].reverse().map((minor) => `3.${minor}`);
  return [
    ...common,
    ...versions.map(
      (version) =>
        /** @type {[string, ...string[]]} */ (
          windows ? ["py", `-${version}`] : [`python${version}`]
        ),
    ),
  ];
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {Python | undefined}
 */
function inspect(program, args) {
  const [version, path, venv] = ask(program, [...args, "-c", probe])?.split(/\r?\n/) ?? [];
  return version && path ? { version, path, venv: venv === "1" } : undefined;
}

/** @param {string} version */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= oldestMinor);
}

/** @param {Python} python */
function venvSentence({ version, path }) {
  const name = version.split(".").slice(0, 2).join(".");
  return `Python ${version} (${path}) cannot make virtual environments: install its venv module (on Debian and Ubuntu \`sudo apt install python${name}-venv\`), then run this again.`;
}
