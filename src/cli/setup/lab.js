/**
 * JupyterLab on the course: started from the environment that set-up made, on loopback only, with
 * the course's configuration (`kernel-ext/jupyter`) and a place of its own for settings, so that
 * neither changes what else the reader uses Jupyter for.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { SetupError, root, stateFolder, venvPython } from "./process.js";

/** After Ctrl-C, JupyterLab has this long to end by itself. */
const graceMs = 3000;

const firstNotebook = "notebooks/01-linear-quantizer.ipynb";

/**
 * Runs JupyterLab until it ends or is stopped, and returns the exit status.
 *
 * @param {readonly string[]} args options for JupyterLab, which win over ours
 * @returns {Promise<number>}
 */
export async function startLab(args) {
  const runtime = mkdtempSync(join(tmpdir(), "infinity-lab-"));
  try {
    writeConfiguration(runtime);
    const lab = spawn(venvPython, ["-m", "jupyterlab", ...args], {
      cwd: root,
      env: environment(runtime),
      stdio: ["ignore", "inherit", "inherit"],
    });
    return await follow(lab, runtime);
  } finally {
    rmSync(runtime, { recursive: true, force: true });
  }
}

/**
 * Writes what only this machine knows as configuration, where the reader's options can change it:
 * an option given twice would be an error.
 *
 * @param {string} folder
 */
function writeConfiguration(folder) {
  const start = existsSync(join(root, firstNotebook)) ? `/lab/tree/${firstNotebook}` : "/lab";
  // In a container there is often no user but root, and the server listens on loopback only.
  const asRoot = process.getuid?.() === 0;
  const configuration = {
    ServerApp: { root_dir: root, allow_root: asRoot },
    LabApp: { default_url: start },
  };
  writeFileSync(join(folder, "jupyter_server_config.json"), JSON.stringify(configuration));
}

/**
 * @param {string} runtime
 * @returns {NodeJS.ProcessEnv}
 */
function environment(runtime) {
  const own = join(stateFolder, "jupyter");
  const inherited = process.env["JUPYTER_CONFIG_PATH"];
  const configuration = [
    runtime,
    join(root, "kernel-ext", "jupyter"),
    ...(inherited ? [inherited] : []),
  ];
  return {
    // Given a token, JupyterLab does not announce one of its own making in six lines.
    JUPYTER_TOKEN: randomBytes(24).toString("hex"),
    ...process.env,
    // The course panel's commands run on the Node that runs this one.
    INFINITY_NODE: process.execPath,
    JUPYTER_CONFIG_PATH: configuration.join(delimiter),
    JUPYTER_CONFIG_DIR: join(own, "config"),
    JUPYTER_DATA_DIR: join(own, "data"),
    JUPYTER_RUNTIME_DIR: runtime,
    IPYTHONDIR: join(own, "ipython"),
  };
}

/**
 * Prints the address once the server listens, passes signals on, and waits for the end.
 *
 * @param {import("node:child_process").ChildProcess} lab
 * @param {string} runtime
 * @returns {Promise<number>}
 */
function follow(lab, runtime) {
  const watch = setInterval(() => {
    const address = addressIn(runtime);
    if (!address) return;
    clearInterval(watch);
    process.stderr.write(`infinity: the course is open at ${address} (Ctrl-C stops it)\n`);
  }, 50);
  let stopped = false;
  const terminate = () => {
    stopped = true;
    lab.kill("SIGTERM");
  };
  // A terminal sends Ctrl-C to JupyterLab as well, which then ends by itself, its kernels first.
  const interrupt = () => {
    stopped = true;
    setTimeout(terminate, graceMs).unref();
  };
  process.on("SIGINT", interrupt).on("SIGTERM", terminate).on("SIGHUP", terminate);
  return new Promise((resolve, reject) => {
    const end = () => {
      clearInterval(watch);
      process.off("SIGINT", interrupt).off("SIGTERM", terminate).off("SIGHUP", terminate);
    };
    lab.once("error", (error) => {
      end();
      reject(
        new SetupError(
          `JupyterLab could not start (${error.message}): remove the folder .venv and run this again.`,
          1,
        ),
      );
    });
    lab.once("exit", (code) => {
      end();
      resolve(stopped ? 0 : (code ?? 1));
    });
  });
}

/**
 * The address, with its token, that the server in this runtime folder has written down; undefined
 * while it has written none, or only a part.
 *
 * @param {string} runtime
 */
function addressIn(runtime) {
  try {
    const file = readdirSync(runtime).find((name) => /^jpserver-\d+\.json$/.test(name));
    if (!file) return undefined;
    const { url, token } = JSON.parse(readFileSync(join(runtime, file), "utf8"));
    return token ? `${url}?token=${encodeURIComponent(token)}` : String(url);
  } catch {
    return undefined;
  }
}
