/** A Jupyter client for the kernel's tests: it starts the built kernel and speaks the wire format itself. */
import { spawn, type ChildProcess } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dealer, Request, Subscriber } from "zeromq";
import { buildKernel, builtKernel } from "./build.ts";

/** A message as a client sees it. */
export interface Received {
  readonly id: string;
  readonly type: string;
  /** The `msg_id` of the request that it answers. */
  readonly parent: string | undefined;
  readonly content: Record<string, unknown>;
  readonly buffers: readonly Buffer[];
}

/** All that one request brought: its reply, and what was published for it up to idle. */
export interface Exchange {
  readonly reply: Record<string, unknown>;
  readonly published: readonly Received[];
}

let built: Promise<void> | undefined;

/** Builds the kernel, once for all tests of this process. */
export function builtOnce(): Promise<void> {
  return (built ??= buildKernel());
}

/** Often, since the time of a kernel's first answer is measured with it. Milliseconds. */
const reconnectInterval = 5;

/** How long a kernel may take over anything a test asks. */
const patienceMs = 120_000;

export class JupyterClient {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #key: string;
  readonly #shell: Dealer;
  readonly #control = new Dealer();
  readonly #stdin: Dealer;
  readonly #iopub = new Subscriber();
  readonly #heartbeatAddress: string;
  readonly #startedAt = performance.now();
  readonly #received: { socket: string; message: Received }[] = [];
  readonly #waiting: (() => void)[] = [];
  #stopped = false;
  /** From the start of the process to its first `kernel_info_reply`. */
  infoMs: number = Infinity;
  /** What the kernel's process wrote to its own output, outside the protocol. */
  log = "";

  private constructor(folder: string, ports: readonly number[], spawnOptions: SpawnOptions) {
    this.#folder = folder;
    // A question goes to the stdin socket of the client whose shell socket sent the cell.
    const routingId = randomUUID();
    this.#shell = new Dealer({ routingId, reconnectInterval });
    this.#stdin = new Dealer({ routingId });
    this.#key = randomUUID();
    const [shell, iopub, stdin, control, hb] = ports;
    const file = join(folder, "connection.json");
    const addresses = {
      shell_port: shell,
      iopub_port: iopub,
      stdin_port: stdin,
      control_port: control,
    };
    const rest = {
      hb_port: hb,
      ip: "127.0.0.1",
      transport: "tcp",
      signature_scheme: "hmac-sha256",
    };
    writeFileSync(file, JSON.stringify({ ...addresses, ...rest, key: this.#key }));
    const [program, ...args] = spawnOptions.command ?? [
      process.execPath,
      join(builtKernel, "main.cjs"),
      "--connection-file",
      "{connection_file}",
    ];
    this.#process = spawn(
      program!,
      args.map((arg) => arg.replace("{connection_file}", file)),
      {
        cwd: spawnOptions.cwd,
        env: {
          ...process.env,
          INFINITY_HISTORY: join(folder, "history.jsonl"),
          ...spawnOptions.env,
        },
      },
    );
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.log += chunk.toString()));
    }
    this.#shell.connect(`tcp://127.0.0.1:${shell}`);
    this.#stdin.connect(`tcp://127.0.0.1:${stdin}`);
    this.#control.connect(`tcp://127.0.0.1:${control}`);
    this.#iopub.connect(`tcp://127.0.0.1:${iopub}`);
    this.#iopub.subscribe();
    this.#heartbeatAddress = `tcp://127.0.0.1:${hb}`;
    for (const [name, socket] of Object.entries({
      shell: this.#shell,
      control: this.#control,
      stdin: this.#stdin,
      iopub: this.#iopub,
    })) {
      this.#listen(name, socket).catch((error: unknown) => {
        // A socket that is closed while it is read may say so.
        if (!this.#stopped) throw error;
      });
    }
  }

  /** Time since the start of the kernel's process. */
  get ageMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** The kernel's process. */
  get pid(): number {
    return this.#process.pid!;
  }

  /** Starts a kernel and waits until its published messages arrive. */
  static async start(options: SpawnOptions = {}): Promise<JupyterClient> {
    if (!options.command) await builtOnce();
    const folder = mkdtempSync(join(tmpdir(), "infinity-kernel-"));
    const client = new JupyterClient(folder, await freePorts(5), options);
    for (let heard = false; !heard;) {
      const id = await client.send("kernel_info_request", {});
      await client.#next("shell", ({ parent }) => parent === id);
      client.infoMs = Math.min(client.infoMs, performance.now() - client.#startedAt);
      heard = await Promise.race([
        client.#next("iopub", ({ parent }) => parent === id).then(() => true),
        new Promise<boolean>((resolve) => setTimeout(resolve, 20, false)),
      ]);
    }
    return client;
  }

  /** Sends a request without waiting; gives its `msg_id`. */
  async send(
    type: string,
    content: object,
    { socket = "shell", key = this.#key, buffers = [], parent = {} }: SendOptions = {},
  ): Promise<string> {
    const id = randomUUID();
    const date = new Date().toISOString();
    const header = {
      msg_id: id,
      msg_type: type,
      session: "test",
      username: "test",
      date,
      version: "5.3",
    };
    const parts = [header, parent, {}, content].map((part) => JSON.stringify(part));
    const hmac = createHmac("sha256", key);
    for (const part of parts) hmac.update(part);
    const frames = ["<IDS|MSG>", hmac.digest("hex"), ...parts, ...buffers];
    await { shell: this.#shell, control: this.#control, stdin: this.#stdin }[socket].send(frames);
    return id;
  }

  /** The reply and the publications of a request that was sent. */
  async exchange(id: string, socket: "shell" | "control" = "shell"): Promise<Exchange> {
    const published: Received[] = [];
    for (let idle = false; !idle;) {
      const message = await this.#next("iopub", ({ parent }) => parent === id);
      published.push(message);
      idle = message.type === "status" && message.content["execution_state"] === "idle";
    }
    const { content } = await this.#next(socket, ({ parent }) => parent === id);
    return { reply: content, published };
  }

  /** Sends a request and waits for all that it brings. */
  async request(
    type: string,
    content: object,
    socket: "shell" | "control" = "shell",
  ): Promise<Exchange> {
    return this.exchange(await this.send(type, content, { socket }), socket);
  }

  /** Runs a cell. */
  execute(code: string, options: object = {}): Promise<Exchange> {
    return this.request("execute_request", { code, ...options });
  }

  /** The next publication of a running request that fits. */
  published(id: string, type: string): Promise<Received> {
    return this.#next("iopub", (message) => message.parent === id && message.type === type);
  }

  /** The question of a running cell. */
  question(id: string): Promise<Received> {
    return this.#next("stdin", ({ parent }) => parent === id);
  }

  /** Answers a question; some clients do not say which. */
  async answer(value: string, question?: Received): Promise<void> {
    const parent = question ? { msg_id: question.id } : {};
    await this.send("input_reply", { status: "ok", value }, { socket: "stdin", parent });
  }

  /** Sends one heartbeat and gives back what came. */
  async heartbeat(text: string): Promise<string> {
    const socket = new Request({ receiveTimeout: patienceMs });
    socket.connect(this.#heartbeatAddress);
    await socket.send(text);
    const [echo] = await socket.receive();
    socket.close();
    return String(echo);
  }

  /** Settles with the exit status once the process has ended. */
  async exited(): Promise<number | null> {
    if (this.#process.exitCode !== null) return this.#process.exitCode;
    return new Promise((resolve) => this.#process.once("exit", resolve));
  }

  /** Ends the kernel, however it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#process.kill("SIGKILL");
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.exited();
    for (const socket of [this.#shell, this.#control, this.#stdin, this.#iopub]) {
      socket.close();
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #listen(name: string, socket: Dealer | Subscriber): Promise<void> {
    for await (const frames of socket) {
      const start = frames.findIndex((frame) => frame.toString() === "<IDS|MSG>");
      const [header, parent, , content] = frames
        .slice(start + 2, start + 6)
        .map((frame) => JSON.parse(frame.toString()) as Record<string, unknown>);
      const message = {
        id: String(header!["msg_id"]),
        type: String(header!["msg_type"]),
        parent: parent!["msg_id"] as string | undefined,
        content: content!,
        buffers: frames.slice(start + 6),
      };
      this.#received.push({ socket: name, message });
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  /** Takes the first message of a socket that fits, now or when it comes. */
  async #next(socket: string, fits: (message: Received) => boolean): Promise<Received> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const i = this.#received.findIndex((item) => item.socket === socket && fits(item.message));
      if (i >= 0) return this.#received.splice(i, 1)[0]!.message;
      const left = deadline - Date.now();
      if (left <= 0 || this.#process.exitCode !== null) {
        throw new Error(`The kernel did not answer on ${socket}. Its log:\n${this.log}`);
      }
      await this.#arrival(left);
    }
  }

  #arrival(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

interface SendOptions {
  readonly socket?: "shell" | "control" | "stdin";
  readonly key?: string;
  readonly buffers?: readonly Uint8Array[];
  readonly parent?: object;
}

interface SpawnOptions {
  /** Another kernel; `{connection_file}` stands for the path of the file that it reads. */
  readonly command?: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** The text printed to one stream. */
export function printed({ published }: Exchange, name: "stdout" | "stderr" = "stdout"): string {
  return published
    .filter(({ type, content }) => type === "stream" && content["name"] === name)
    .map(({ content }) => content["text"] as string)
    .join("");
}

/** The contents of the publications of one type. */
export function contentsOf({ published }: Exchange, wanted: string): Record<string, unknown>[] {
  return published.filter(({ type }) => type === wanted).map(({ content }) => content);
}

/** The `text/plain` of the cell's result. */
export function resultText(exchange: Exchange): unknown {
  return (
    contentsOf(exchange, "execute_result")[0]?.["data"] as Record<string, unknown> | undefined
  )?.["text/plain"];
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer();
          server.listen(0, "127.0.0.1", () => {
            resolve(server);
          });
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
