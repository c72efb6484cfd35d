/**
 * Other programs, for the set-up: where things are, asking a program a question, running one with
 * its output in a log, and the one kind of error that is a sentence for the person at the keyboard.
 */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join, relative } from "node:path";

export const windows = process.platform === "win32";

/** The repository's root folder. */
export const root = join(import.meta.dirname, "..", "..", "..");

/** What set-up remembers and writes besides the environment itself. */
export const stateFolder = join(root, ".infinity");

export const venv = join(root, ".venv");

export const venvPython = windows
  ? join(venv, "Scripts", "python.exe")
  : join(venv, "bin", "python");

/** Something that the reader can mend; `status` is the command's exit status. */
export class SetupError extends Error {
  /**
   * @param {string} sentence
   * @param {1 | 2} status 1: a step failed; 2: the machine lacks something, or a wrong option
   */
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/**
 * What `program` prints on stdout, trimmed; undefined where it is missing, fails or hangs.
 *
 * @param {string} program
 * @param {readonly string[]} args
 */
export function ask(program, args) {
  const answer = spawnSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 20_000,
    windowsHide: true,
  });
  return answer.status === 0 ? answer.stdout.trim() : undefined;
}

/**
 * Runs a program in the root folder, its output appended to `log`. Throws SetupError, with the
 * log's name, when it fails.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} log the log's name, without folder and suffix
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<void>}
 */
export function runLogged(program, args, log, env = process.env) {
  const folder = join(stateFolder, "logs");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${log}.log`);
  const output = openSync(file, "a");
  return new Promise((resolve, reject) => {
    /** @param {string} how */
    const fail = (how) => {
      const sentence = `\`${[program, ...args].join(" ")}\` ${how}: the reason is at the end of ${relative(root, file)}; mend it and run this again.`;
      reject(new SetupError(sentence, 1));
    };
    // npm is a batch file on Windows, which only a shell starts.
    const shell = windows && program === "npm";
    const child = spawn(program, args, {
      cwd: root,
      env,
      shell,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    child.once("error", (error) => fail(`could not start (${error.message})`));
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else fail(signal ? `was stopped by ${signal}` : `failed with status ${code}`);
    });
  });
}
