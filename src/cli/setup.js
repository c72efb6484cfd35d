/**
 * `infinity setup` and `infinity lab`: brings a fresh clone to the point where the course runs, and
 * opens it. Plain JavaScript without packages, as is all of `setup/`, because nothing is installed
 * when it starts. What is done, and when it is done again, is in `setup/steps.js`.
 */
import { startLab } from "./setup/lab.js";
import { SetupError } from "./setup/process.js";
import { outdated, setUp } from "./setup/steps.js";

const help = {
  setup: `Usage: infinity setup [--tensorflow | --check]

Installs what the course needs into this folder and nowhere else: the Node packages, a Python
environment with JupyterLab in .venv, our kernel and our JupyterLab extension. What is up to date is
left alone. Needs Node 20.19 or newer, Python 3.10 or newer and the npm and PyPI registries.

  --tensorflow  also fetch TensorFlow's own library (about 500 MB, not from a registry), for
                training on an NVIDIA GPU; everything works without it
  --check       install nothing; name what is missing or out of date, with exit status 1
  --help        print this and stop
`,
  lab: `Usage: infinity lab [JupyterLab options] [notebook]

Sets everything up (see infinity setup --help) and opens the course in JupyterLab. Ctrl-C stops it.

  --no-browser  print the address and open no browser
  --port PORT   listen on this port (8888, or the next free one)
  --help        print this and stop

Every other option is passed on to JupyterLab.
`,
};

/**
 * Runs `lab` or `setup` with the arguments behind it and returns the exit status.
 *
 * @param {"lab" | "setup"} command
 * @param {readonly string[]} args
 * @returns {Promise<number>}
 */
export async function run(command, args) {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(help[command]);
    return 0;
  }
  try {
    if (command === "lab") {
      await setUp({ tensorflow: false });
      return await startLab(args);
    }
    const stranger = args.find((arg) => arg !== "--tensorflow" && arg !== "--check");
    if (stranger !== undefined) {
      throw new SetupError(`setup has no option "${stranger}"; see infinity setup --help.`, 2);
    }
    if (args.includes("--check")) check();
    else await setUp({ tensorflow: args.includes("--tensorflow") });
    return 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`infinity: ${error.message}\n`);
    return error.status;
  }
}

/** Throws SetupError with the lines of the steps that set-up would do. */
function check() {
  const lines = outdated();
  if (lines.length === 0) return;
  throw new SetupError(`not up to date, run \`npx infinity setup\`: ${lines.join("; ")}.`, 1);
}
