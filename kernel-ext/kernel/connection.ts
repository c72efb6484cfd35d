/** The connection file that a Jupyter server writes for the kernel it starts. */
import { readFileSync } from "node:fs";
import { InputError } from "../../src/core/errors.ts";

/** Addresses of the five sockets and the key that signs every message. */
export interface Connection {
  readonly transport: "tcp" | "ipc";
  readonly ip: string;
  readonly shell_port: number;
  readonly control_port: number;
  readonly iopub_port: number;
  readonly stdin_port: number;
  readonly hb_port: number;
  /** Empty where messages are not signed. */
  readonly key: string;
}

/** The sockets of a kernel, by the names of the connection file. */
export type SocketName = "shell" | "control" | "iopub" | "stdin" | "hb";

/** Reads a connection file. Throws InputError where it is missing or is not one. */
export function readConnection(file: string): Connection {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new InputError(
      `The connection file ${file} cannot be read; Jupyter passes its path when it starts the kernel.`,
    );
  }
  const value = parseJson(text);
  const problem = problemIn(value);
  if (problem === undefined) return Object.assign({ transport: "tcp" }, value as Connection);
  throw new InputError(`The connection file ${file} is not valid: ${problem}.`);
}

const ports = ["shell_port", "control_port", "iopub_port", "stdin_port", "hb_port"] as const;

/** What is wrong with the content of a connection file. By hand: a library takes longer to load than the sockets to bind. */
function problemIn(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "it is not a JSON object";
  const {
    transport = "tcp",
    ip,
    key,
    signature_scheme = "hmac-sha256",
    ...rest
  } = value as Record<string, unknown>;
  if (transport !== "tcp" && transport !== "ipc")
    return `its transport is ${JSON.stringify(transport)}, and "tcp" and "ipc" are known`;
  if (typeof ip !== "string" || ip === "") return "it has no ip";
  if (typeof key !== "string") return "it has no key";
  if (signature_scheme !== "hmac-sha256")
    return `its signature_scheme is ${JSON.stringify(signature_scheme)}, and "hmac-sha256" is known`;
  const wrong = ports.find((name) => !isPort(rest[name]));
  return wrong === undefined ? undefined : `its ${wrong} is not a port`;
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65535;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
