/** What is installed on this machine, for `infinity doctor`: versions, the kernel, memory and cores. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir, availableParallelism, cpus, freemem, totalmem } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const windows = process.platform === "win32";
const venv = join(root, ".venv");
const answerMs = 5000;

/** Versions by program; null where it is not there. */
export interface Versions {
  readonly node: string;
  readonly npm: string | null;
  readonly python: string | null;
  readonly jupyterlab: string | null;
  readonly tslab: string | null;
  readonly tfjs: string | null;
  readonly typescript: string | null;
  readonly chromium: string | null;
}

/** Where Jupyter finds our kernel; null where it does not. */
export interface Kernel {
  readonly path: string | null;
}

export interface Machine {
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly freeMemoryBytes: number;
}

/** Asks every program for its version, all at once. */
export async function versions(): Promise<Versions> {
  const [npm, [python, jupyterlab], chromium] = await Promise.all([
    npmVersion(),
    pythonVersions(),
    chromiumVersion(),
  ]);
  return {
    node: process.versions.node,
    npm,
    python,
    jupyterlab,
    tslab: packageVersion("tslab"),
    tfjs: packageVersion("@tensorflow/tfjs"),
    typescript: packageVersion("typescript"),
    chromium,
  };
}

/** Looks for the kernel where `infinity setup` and where Jupyter's own installer put kernels. */
export function kernel(): Kernel {
  const folders = [
    join(venv, "share", "jupyter"),
    join(homedir(), ".local", "share", "jupyter"),
    join(homedir(), "Library", "Jupyter"),
    join(process.env["APPDATA"] ?? homedir(), "jupyter"),
    "/usr/local/share/jupyter",
    "/usr/share/jupyter",
  ];
  const found = folders
    .map((folder) => join(folder, "kernels", "infinity"))
    .find((folder) => existsSync(join(folder, "kernel.json")));
  return { path: found ?? null };
}

export function machine(): Machine {
  return {
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
  };
}

async function npmVersion(): Promise<string | null> {
  // npm is a batch file on Windows, which only a shell starts.
  const line = windows
    ? await ask("cmd", ["/c", "npm --version"])
    : await ask("npm", ["--version"]);
  return versionIn(line);
}

/** Python's version, of the course's environment if there is one, and JupyterLab's in it. */
async function pythonVersions(): Promise<readonly [string | null, string | null]> {
  const own = windows ? join(venv, "Scripts", "python.exe") : join(venv, "bin", "python");
  const program = [
    "import sys, importlib.util as u, importlib.metadata as m",
    "print('%d.%d.%d' % sys.version_info[:3])",
    "print(m.version('jupyterlab') if u.find_spec('jupyterlab') else '')",
  ].join("\n");
  const candidates = existsSync(own) ? [own] : windows ? ["py", "python"] : ["python3", "python"];
  for (const python of candidates) {
    const [version, jupyterlab] = ((await ask(python, ["-c", program])) ?? "").split(/\r?\n/);
    if (version) return [version, jupyterlab || null];
  }
  return [null, null];
}

async function chromiumVersion(): Promise<string | null> {
  const named = process.env["CHROMIUM"];
  const names = [...(named ? [named] : []), "chromium", "chromium-browser", "google-chrome"];
  const answers = await Promise.all(names.map((name) => ask(name, ["--version"])));
  return versionIn(answers.find((answer) => answer !== undefined));
}

function packageVersion(name: string): string | null {
  const file = join(root, "node_modules", name, "package.json");
  if (!existsSync(file)) return null;
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function versionIn(text: string | undefined): string | null {
  return /\d+(\.\d+)+/.exec(text ?? "")?.[0] ?? null;
}

/** What a program prints; undefined where it is missing, fails or hangs. */
function ask(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: answerMs, windowsHide: true }, (error, stdout) => {
      resolve(error ? undefined : stdout.trim());
    });
  });
}
