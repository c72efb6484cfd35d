/** The connection file that a Jupyter server writes for the kernel it starts. */
import { readFileSync } from "node:fs";
import { z } from "zod";
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

const port = z.number().int().min(0).max(65535);
const connectionSchema: z.ZodType<Connection> = z.object({
  transport: z.enum(["tcp", "ipc"]).default("tcp"),
  ip: z.string().min(1),
  shell_port: port,
  control_port: port,
  iopub_port: port,
  stdin_port: port,
  hb_port: port,
  key: z.string(),
  signature_scheme: z.literal("hmac-sha256").default("hmac-sha256"),
});

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
  const parsed = connectionSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new InputError(
    `The connection file ${file} is not valid at "${issue.path.join(".")}": ${issue.message}.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
