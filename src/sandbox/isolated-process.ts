/**
 * A Node process that may do nothing but compute: no files, no children, no worker threads, no
 * environment, capped memory and processor time. Practice-grade on every platform: Node's
 * permission model does not stop the network, and only POSIX systems limit memory outside the
 * heap. A `Launcher` is where stronger isolation wraps the command.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import type { Readable, Writable } from "node:stream";
import { frame, FrameReader } from "./frames.ts";
import { dataMegabytes, heapMegabytes, maxUnreadBytes, processorSeconds } from "./limits.ts";
import { descriptors } from "./messages.ts";

/** Wraps the command that starts the process: resource limits, namespaces, another user. */
export type Launcher = (command: readonly string[]) => readonly string[];

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it last wrote to stderr: Node's own words where it died of a fatal error. */
  readonly diagnostic: string;
}

/** Who hears what the process does. */
export interface Listener {
  message(payload: Uint8Array): void;
  output(text: string): void;
  /** It said what cannot be part of a conversation; `found` names that, as `a message of 9 bytes`. */
  broken(found: string): void;
  ended(ending: Ending): void;
}

/** Reads the program from the reply descriptor, so the process needs no file at all. */
const bootstrap = `
const { readSync } = require("node:fs");
const read = (bytes) => {
  const part = Buffer.alloc(bytes);
  for (let filled = 0; filled < bytes; filled += readSync(${descriptors.replies}, part, filled, bytes - filled, null));
  return part;
};
const program = read(read(4).readUInt32LE()).toString();
require("node:vm").compileFunction(program, ["require"])(require);
`;

/** Pipes stay open when a descendant holds them; what the process said arrives well before this. */
const drainMs = 250;

const diagnosticCharacters = 4096;

/** One process, from its start to its end; it owns the child and kills its whole group. */
export class IsolatedProcess {
  readonly #child: ChildProcess;
  readonly #listener: Listener;
  readonly #kill = (): void => {
    this.kill();
  };
  #diagnostic = "";
  #ended = false;

  /** Starts `program`, a script without dependencies. */
  constructor(program: string, listener: Listener, launch: Launcher = withResourceLimits) {
    this.#listener = listener;
    const [command, ...args] = launch(nodeCommand());
    this.#child = spawn(command!, args, {
      cwd: tmpdir(),
      // Windows cannot start a process without it.
      env: process.platform === "win32" ? { SystemRoot: process.env["SystemRoot"] ?? "" } : {},
      detached: process.platform !== "win32",
      windowsHide: true,
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
    });
    this.#listen();
    this.reply(new TextEncoder().encode(program));
    process.once("exit", this.#kill);
  }

  /** Asks: the process reads it when it next waits for work. */
  send(payload: Uint8Array): void {
    this.#write(descriptors.asked, payload);
  }

  /** Replies to a process that waits for it. */
  reply(payload: Uint8Array): void {
    this.#write(descriptors.replies, payload);
  }

  /** Ends the process and every process that it started. */
  kill(): void {
    const { pid } = this.#child;
    const { exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      // Without the right to start processes there is no group to kill on Windows.
      if (process.platform === "win32") this.#child.kill("SIGKILL");
      else process.kill(-pid, "SIGKILL");
    } catch {
      this.#child.kill("SIGKILL");
    }
  }

  #listen(): void {
    const child = this.#child;
    const frames = new FrameReader();
    this.#readable(descriptors.says).on("data", (chunk: Uint8Array) => {
      let payloads: readonly Uint8Array[] = [];
      try {
        payloads = frames.push(chunk);
      } catch (error) {
        this.#listener.broken(error instanceof Error ? error.message : String(error));
      }
      for (const payload of payloads) this.#listener.message(payload);
    });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#listener.output(text);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#diagnostic = (this.#diagnostic + text).slice(-diagnosticCharacters);
    });
    child.once("error", (error) => {
      this.#finish({ code: null, signal: null, diagnostic: error.message });
    });
    child.once("exit", (code, signal) => {
      const finish = (): void => {
        this.#finish({ code, signal, diagnostic: this.#diagnostic });
      };
      child.once("close", finish);
      setTimeout(finish, drainMs).unref();
    });
  }

  #finish(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    process.off("exit", this.#kill);
    for (const stream of this.#child.stdio) stream?.destroy();
    this.#listener.ended(ending);
  }

  #readable(descriptor: number): Readable {
    const stream = this.#child.stdio[descriptor] as Readable;
    // A pipe that breaks is the process ending, which is heard as such.
    stream.on("error", () => undefined);
    return stream;
  }

  #write(descriptor: number, payload: Uint8Array): void {
    const stream = this.#child.stdio[descriptor] as Writable;
    if (stream.listenerCount("error") === 0) stream.on("error", () => undefined);
    stream.write(frame(payload));
    if (stream.writableLength > maxUnreadBytes) {
      this.#listener.broken("more requests than it reads replies to");
    }
  }
}

function nodeCommand(): string[] {
  // Node 22.13 made the permission model stable under a shorter name.
  const stable = process.allowedNodeEnvironmentFlags.has("--permission");
  return [
    process.execPath,
    stable ? "--permission" : "--experimental-permission",
    "--no-warnings",
    `--max-old-space-size=${heapMegabytes}`,
    "--eval",
    bootstrap,
  ];
}

/** POSIX resource limits through the shell; array buffers are outside Node's own heap limit. */
export function withResourceLimits(command: readonly string[]): readonly string[] {
  if (process.platform === "win32") return command;
  const limits = `ulimit -c 0 -t ${processorSeconds}; ulimit -d ${dataMegabytes * 1024}`;
  return ["/bin/sh", "-c", `{ ${limits}; } 2>/dev/null; exec "$@"`, "sh", ...command];
}
