/**
 * Answers the requests of the shell socket, one after the other: execution, completion, inspection.
 * Every request is bracketed by busy and idle, and everything a cell shows comes before its idle.
 * Messages of open comms alone do not wait for the cell before them.
 */
import type { z } from "zod";
import { InputError } from "../../src/core/errors.ts";
import type { CommExtras, CommType } from "./comms.ts";
import { historyRequest, type History } from "./history.ts";
import { log } from "./log.ts";
import type { Message } from "./messages.ts";
import type { FrontEnd, Notebook, Outcome, Show } from "./notebook.ts";
import { CellOutput, type StreamName } from "./output.ts";
import { codePointPosition, unitOffset } from "./positions.ts";
import { Questions } from "./questions.ts";
import * as requests from "./requests.ts";
import type { StopSignal } from "./stop-signal.ts";
import type { Wire } from "./wire.ts";

/** What a kernel is made of. */
export interface KernelParts {
  readonly clients: Pick<Wire, "ask" | "publish" | "reply" | "takeArrived">;
  readonly signal: StopSignal;
  /** Reads the cells of earlier sessions, on demand. */
  readonly history: () => History;
  /** Loads the session, which is slow because of the compiler. */
  readonly load: (frontEnd: FrontEnd) => Promise<Notebook>;
}

interface Answer {
  readonly type: string;
  readonly content: object;
}

/** The request that output belongs to: the running one, or else the last that ran. */
interface Current {
  readonly request: Message;
  readonly output: CellOutput;
  readonly allowsInput: boolean;
}

export class Kernel {
  readonly #parts: KernelParts;
  readonly #clients: KernelParts["clients"];
  readonly #questions = new Questions();
  #loading: Promise<Notebook> | undefined;
  #loaded: Notebook | undefined;
  #history: History | undefined;
  #queue: Message[] = [];
  #serving = false;
  #count = 0;
  #current: Current | undefined;

  constructor(parts: KernelParts) {
    this.#parts = parts;
    this.#clients = parts.clients;
  }

  /** Loads the session ahead of the first cell. */
  async prepare(): Promise<void> {
    const notebook = await this.#notebook();
    if (!this.#serving) notebook.warm();
  }

  /** Takes a request; it is answered when those before it are. */
  receive(request: Message): void {
    if (this.#isForOpenComm(request)) {
      this.#serveComm(request);
      return;
    }
    this.#queue.push(request);
    if (!this.#serving) void this.#serve();
  }

  /** Takes an answer to a cell's question. */
  receiveInput({ content, parent }: Message): void {
    const parsed = requests.inputReply.safeParse(content);
    if (parsed.success) this.#questions.answer(parsed.data.value, parent.msg_id);
    else log("An answer without a value was dropped.");
  }

  /** Stops the running cell, if it is the one that Stop was meant for. */
  interrupt(): void {
    if (this.#parts.signal.requested) this.#loaded?.interrupt();
  }

  /** Prints below the current cell; before the first cell there is nobody to read it. */
  print(name: StreamName, text: string): void {
    this.#current?.output.write(name, text);
  }

  /** Shows an error that no cell waits for, such as one thrown by a timer. */
  printStray(error: unknown): void {
    if (!this.#loaded || !this.#current) log(error);
    else this.print("stderr", `${this.#loaded.describe(error).traceback.join("\n")}\n`);
  }

  async #notebook(): Promise<Notebook> {
    this.#loading ??= this.#parts.load({
      show: (...shown) => {
        this.#show(...shown);
      },
      clear: (wait) => {
        this.#publishCurrent("clear_output", { wait });
      },
      ask: (prompt, password) => this.#ask(prompt, password),
      sendComm: (...sent) => {
        this.#publishCurrent(...sent);
      },
    });
    return (this.#loaded = await this.#loading);
  }

  async #serve(): Promise<void> {
    this.#serving = true;
    for (let request = this.#queue.shift(); request; request = this.#queue.shift()) {
      this.#status("busy", request);
      try {
        const answer = await this.#answer(request);
        if (answer) this.#clients.reply(request, answer);
      } catch (error) {
        log(error);
        this.#replyFailure(request, error);
      }
      this.#current?.output.flush();
      this.#status("idle", request);
    }
    this.#serving = false;
  }

  async #answer(request: Message): Promise<Answer | undefined> {
    const { content } = request;
    const type = request.header.msg_type;
    switch (type) {
      case "execute_request":
        return await this.#execute(request, parse(requests.executeRequest, content));
      case "complete_request":
        return await this.#complete(parse(requests.cursorRequest, content));
      case "inspect_request":
        return await this.#inspect(parse(requests.cursorRequest, content));
      case "is_complete_request": {
        const { code } = parse(requests.codeRequest, content);
        return { type: "is_complete_reply", content: (await this.#notebook()).isComplete(code) };
      }
      case "history_request":
        return this.#findInHistory(content);
      case "comm_info_request": {
        const { target_name } = parse(requests.commInfoRequest, content);
        const comms = (await this.#notebook()).comms.info(target_name);
        return { type: "comm_info_reply", content: { status: "ok", comms } };
      }
      case "comm_open":
      case "comm_msg":
      case "comm_close":
        this.#dispatchComm(await this.#notebook(), type, request);
        return undefined;
      default:
        return undefined;
    }
  }

  async #execute(request: Message, asked: requests.ExecuteRequest): Promise<Answer> {
    this.#parts.signal.clear();
    const notebook = await this.#notebook();
    if (asked.store_history && !asked.silent) {
      this.#count++;
      this.#openHistory().add(this.#count, asked.code);
    }
    const outcome = await this.#runCell(notebook, request, asked);
    this.#questions.clear();
    const execution_count = this.#count;
    if (outcome.status === "error") {
      this.#clients.publish(request.header, { type: "error", content: outcome.error });
      if (asked.stop_on_error && !asked.silent) this.#abortWaiting();
      const content = { status: "error", execution_count, ...outcome.error };
      return { type: "execute_reply", content };
    }
    const user_expressions = await evaluateAll(notebook, asked.user_expressions);
    const content = { status: "ok", execution_count, user_expressions, payload: [] };
    return { type: "execute_reply", content };
  }

  /** Runs a cell and publishes its input, what it prints, and its result. */
  async #runCell(
    notebook: Notebook,
    request: Message,
    { code, silent, allow_stdin }: requests.ExecuteRequest,
  ): Promise<Outcome> {
    const execution_count = this.#count;
    const publish = (type: string, content: object): void => {
      this.#clients.publish(request.header, { type, content });
    };
    const { output } = (this.#current = this.#outputOf(request, allow_stdin));
    if (!silent) publish("execute_input", { code, execution_count });
    const outcome = await notebook.execute(code, `cell ${execution_count}`);
    output.flush();
    if (outcome.status === "error" || !outcome.result || silent) return outcome;
    try {
      publish("execute_result", { execution_count, data: outcome.result, metadata: {} });
      return outcome;
    } catch (error) {
      // A value may describe itself by something that is not JSON.
      return { status: "error", error: notebook.describe(error) };
    }
  }

  #outputOf(request: Message, allowsInput: boolean): Current {
    const output = new CellOutput((name, text) => {
      this.#clients.publish(request.header, { type: "stream", content: { name, text } });
    });
    return { request, output, allowsInput };
  }

  /** Gives up the cells that were sent to run after the one that failed; no others. */
  #abortWaiting(): void {
    this.#clients.takeArrived();
    const waiting = this.#queue.filter(({ header }) => header.msg_type === "execute_request");
    this.#queue = this.#queue.filter((request) => !waiting.includes(request));
    for (const request of waiting) {
      this.#status("busy", request);
      this.#clients.reply(request, {
        type: "execute_reply",
        content: { status: "aborted", execution_count: this.#count },
      });
      this.#status("idle", request);
    }
  }

  async #complete({ code, cursor_pos }: requests.CursorRequest): Promise<Answer> {
    const { names, start, end } = (await this.#notebook()).complete(
      code,
      unitOffset(code, cursor_pos),
    );
    const content = {
      status: "ok",
      matches: names,
      cursor_start: codePointPosition(code, start),
      cursor_end: codePointPosition(code, end),
      metadata: {},
    };
    return { type: "complete_reply", content };
  }

  async #inspect({ code, cursor_pos }: requests.CursorRequest): Promise<Answer> {
    const data = (await this.#notebook()).inspect(code, unitOffset(code, cursor_pos));
    return {
      type: "inspect_reply",
      content: { status: "ok", found: data !== undefined, data: data ?? {}, metadata: {} },
    };
  }

  #findInHistory(content: object): Answer {
    const request = parse(historyRequest, content);
    const history = this.#openHistory()
      .find(request)
      // Results are not kept: with them a file could hold what a cell only meant to show.
      .map(([session, line, input]) => [session, line, request.output ? [input, null] : input]);
    return { type: "history_reply", content: { status: "ok", history } };
  }

  #openHistory(): History {
    return (this.#history ??= this.#parts.history());
  }

  #isForOpenComm({ header, content }: Message): boolean {
    if (header.msg_type !== "comm_msg" && header.msg_type !== "comm_close") return false;
    const { comm_id } = content;
    return typeof comm_id === "string" && this.#loaded?.comms.has(comm_id) === true;
  }

  /** Serves a message of a comm at once, so that a cell can wait for it. */
  #serveComm(request: Message): void {
    const running = this.#current;
    this.#status("busy", request);
    this.#dispatchComm(this.#loaded!, request.header.msg_type as CommType, request);
    this.#status("idle", request);
    if (this.#serving) this.#current = running;
  }

  #dispatchComm(notebook: Notebook, type: CommType, request: Message): void {
    const { content, metadata, buffers } = request;
    const current = (this.#current = this.#outputOf(request, false));
    try {
      notebook.comms.receive(type, content, { metadata, buffers });
    } catch (error) {
      this.printStray(error);
    }
    current.output.flush();
  }

  #ask(prompt: string, password: boolean): Promise<string> {
    const asking = this.#current;
    if (!asking?.allowsInput) {
      throw new InputError("Nobody answers: this client runs cells without asking for input.");
    }
    return this.#questions.ask((id) => {
      asking.output.flush();
      const content = { prompt, password };
      this.#clients.ask(asking.request, { id, type: "input_request", content });
    });
  }

  #show(...[bundle, { id, update }]: Parameters<Show>): void {
    this.#publishCurrent(update ? "update_display_data" : "display_data", {
      data: bundle,
      metadata: {},
      transient: id === undefined ? {} : { display_id: id },
    });
  }

  /** Publishes for the current request, after what it has printed. */
  #publishCurrent(type: string, content: object, extras: CommExtras = {}): void {
    this.#current?.output.flush();
    this.#clients.publish(this.#current?.request.header ?? null, { type, content, ...extras });
  }

  #replyFailure(request: Message, error: unknown): void {
    const type = request.header.msg_type.replace(/_request$/, "_reply");
    const evalue = error instanceof Error ? error.message : String(error);
    const ename = error instanceof Error ? error.name : "Error";
    this.#clients.reply(request, {
      type,
      content: { status: "error", ename, evalue, traceback: [evalue] },
    });
  }

  #status(state: "busy" | "idle", { header }: Message): void {
    this.#clients.publish(header, { type: "status", content: { execution_state: state } });
  }
}

/** The user's expressions, each with its value or its error. */
async function evaluateAll(
  notebook: Notebook,
  expressions: Readonly<Record<string, string>>,
): Promise<Record<string, object>> {
  const values: Record<string, object> = {};
  for (const [name, expression] of Object.entries(expressions)) {
    values[name] = expressionContent(
      await notebook.execute(`(${expression})`, `expression ${name}`),
    );
  }
  return values;
}

function expressionContent(outcome: Outcome): object {
  return outcome.status === "error"
    ? { status: "error", ...outcome.error }
    : { status: "ok", data: outcome.result ?? { "text/plain": "undefined" }, metadata: {} };
}

function parse<T>(schema: z.ZodType<T>, content: object): T {
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new InputError(
    `The request's content is not valid at "${issue.path.join(".")}": ${issue.message}.`,
  );
}
