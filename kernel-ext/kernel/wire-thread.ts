/**
 * The wire thread: it owns the five sockets, so that the kernel answers while a cell computes.
 * Heartbeats, `kernel_info`, Stop and shutdown are dealt with here; everything else goes to the
 * main thread, which has no socket of its own.
 */
import { workerData } from "node:worker_threads";
import { Publisher, Reply, Router } from "zeromq";
import { InputError } from "../../src/core/errors.ts";
import type { SocketName } from "./connection.ts";
import { kernelInfo } from "./kernel-info.ts";
import { log } from "./log.ts";
import { MessageCodec, type Header, type Message } from "./messages.ts";
import { endTree, newestChild } from "./process-tree.ts";
import { SendQueue } from "./send-queue.ts";
import { StopSignal } from "./stop-signal.ts";
import type { FromWire, ToWire, WireData } from "./wire-protocol.ts";

const { connection, port: main, bytesInFlight, stopSignal } = workerData as WireData;
const signal = new StopSignal(stopSignal);
const codec = new MessageCodec(connection.key);
const inFlight = new Int32Array(bytesInFlight);

// Zero means no limit: a slow reader of the output may not cost a message.
const sockets = {
  shell: new Router({ sendHighWaterMark: 0 }),
  control: new Router({ sendHighWaterMark: 0 }),
  stdin: new Router({ sendHighWaterMark: 0 }),
  iopub: new Publisher({ sendHighWaterMark: 0 }),
  hb: new Reply(),
} satisfies Record<SocketName, unknown>;
const queues = {
  shell: new SendQueue(sockets.shell),
  control: new SendQueue(sockets.control),
  stdin: new SendQueue(sockets.stdin),
  iopub: new SendQueue(sockets.iopub),
};

/** How long the main thread may take to leave by itself, and how often its parent is looked for. */
const exitGraceMs = 3000;
const orphanCheckMs = 1000;

void start();

async function start(): Promise<void> {
  main.on("message", forward);
  const names = Object.keys(sockets) as SocketName[];
  await Promise.all(names.map((name) => sockets[name].bind(address(name))));
  publish("status", { execution_state: "starting" }, null);
  void answerHeartbeats();
  void serve("shell");
  void serve("control");
  void serve("stdin");
  endWithParent();
}

function forward({ socket, message, numBytes }: ToWire): void {
  queues[socket].push(codec.encode(message), () => {
    Atomics.sub(inFlight, 0, numBytes);
    Atomics.notify(inFlight, 0);
  });
}

/** The ZeroMQ address of one socket; a unix socket has its port as a suffix of its path. */
function address(socket: SocketName): string {
  const { transport, ip } = connection;
  return `${transport}://${ip}${transport === "tcp" ? ":" : "-"}${connection[`${socket}_port`]}`;
}

async function answerHeartbeats(): Promise<void> {
  for await (const frames of sockets.hb) await sockets.hb.send(frames);
}

async function serve(name: "shell" | "control" | "stdin"): Promise<void> {
  for await (const frames of sockets[name]) {
    try {
      const message = codec.decode(frames);
      if (name !== "stdin") await handle(name, message);
      else if (message.header.msg_type === "input_reply") tell({ kind: "input", message });
    } catch (error) {
      log(error instanceof InputError ? error.message : error);
    }
  }
}

async function handle(name: "shell" | "control", message: Message): Promise<void> {
  switch (message.header.msg_type) {
    case "kernel_info_request":
      answer(name, message, "kernel_info_reply", kernelInfo);
      return;
    case "interrupt_request":
      interrupt();
      answer(name, message, "interrupt_reply", { status: "ok" });
      return;
    case "shutdown_request":
      await shutDown(name, message);
      return;
    default:
      if (name === "shell") tell({ kind: "request", message });
  }
}

/**
 * The flag ends loops of the cell that follow an `await`, the message its waiting, SIGINT a
 * synchronous cell (vm's `breakOnSigint`). A cell that waits for a program in `execSync` and the like
 * is reached by none of them: the program is ended. Windows has neither SIGINT nor, here, the last.
 */
function interrupt(): void {
  signal.request();
  tell({ kind: "interrupt" });
  const program = signal.blocked ? newestChild(process.pid) : undefined;
  if (program !== undefined) endTree(program);
  if (signal.computing && process.platform !== "win32") process.kill(process.pid, "SIGINT");
}

async function shutDown(name: "shell" | "control", message: Message): Promise<void> {
  const restart = message.content["restart"] === true;
  answer(name, message, "shutdown_reply", { status: "ok", restart });
  publish("shutdown_reply", { status: "ok", restart }, message.header);
  await Promise.all(Object.values(queues).map((queue) => queue.drained()));
  main.off("message", forward);
  for (const socket of Object.values(sockets)) socket.close();
  tell({ kind: "shutdown" });
  // The main thread may be inside a loop that never ends.
  setTimeout(() => process.kill(process.pid, "SIGKILL"), exitGraceMs);
}

function answer(name: "shell" | "control", request: Message, type: string, content: object): void {
  publish("status", { execution_state: "busy" }, request.header);
  const message = { type, content: JSON.stringify(content), metadata: "{}", buffers: [] };
  queues[name].push(
    codec.encode({ ...message, identities: request.identities, parent: request.header }),
  );
  publish("status", { execution_state: "idle" }, request.header);
}

function publish(type: string, content: object, parent: Header | null): void {
  const identities = [Buffer.from(type)];
  const json = JSON.stringify(content);
  queues.iopub.push(
    codec.encode({ identities, type, parent, content: json, metadata: "{}", buffers: [] }),
  );
}

function tell(order: FromWire): void {
  main.postMessage(order);
}

/** A kernel whose server died has nobody to serve, and a loop in a cell would burn on for ever. */
function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
  }, orphanCheckMs).unref();
}
