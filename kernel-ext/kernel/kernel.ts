/**
 * Answers the requests of the shell socket, one after the other: execution, completion, inspection.
 * Every request is bracketed by busy and idle, and everything a cell shows comes before its idle.
 */
import type { z } from "zod";
import { InputError } from "../../src/core/errors.ts";
import { log } from "./log.ts";
import type { Header, Message } from "./messages.ts";
import type { Notebook, Outcome, Show } from "./notebook.ts";
import { CellOutput, type StreamName } from "./output.ts";
import { codePointPosition, unitOffset } from "./positions.ts";
import * as requests from "./requests.ts";
import type { Wire } from "./wire.ts";

/** Loads the session, which is slow because of the compiler; `show` is where it displays. */
export type NotebookLoader = (show: Show) => Promise<Notebook>;

/** The part of a wire that the kernel speaks to. */
export type Clients = Pick<Wire, "publish" | "reply" | "takeArrived">;

type Answer = { readonly type: string; readonly content: object } | undefined;

/** The cell that output belongs to: the running one, or else the last that ran. */
interface CurrentCell {
  readonly header: Header;
  readonly output: CellOutput;
}

export class Kernel {
  readonly #clients: Clients;
  readonly #notebook: () => Promise<Notebook>;
  #queue: Message[] = [];
  #serving = false;
  #count = 0;
  #loaded: Notebook | undefined;
  #current: CurrentCell | undefined;

  constructor(clients: Clients, load: NotebookLoader) {
    this.#clients = clients;
    let loading: Promise<Notebook> | undefined;
    this.#notebook = async () => {
      loading ??= load((bundle, options) => {
        this.#show(bundle, options);
      });
      return (this.#loaded = await loading);
    };
  }

  /** Loads the session ahead of the first cell. */
  async prepare(): Promise<void> {
    const notebook = await this.#notebook();
    if (!this.#serving) notebook.warm();
  }

  /** Takes a request; it is answered when those before it are. */
  receive(request: Message): void {
    this.#queue.push(request);
    if (!this.#serving) void this.#serve();
  }

  /** Stops the running cell. */
  interrupt(): void {
    this.#loaded?.interrupt();
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

  async #answer(request: Message): Promise<Answer> {
    const { content } = request;
    switch (request.header.msg_type) {
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
        return { type: "history_reply", content: { status: "ok", history: [] } };
      case "comm_info_request":
        return { type: "comm_info_reply", content: { status: "ok", comms: {} } };
      case "comm_open": {
        // No target is registered here: the protocol wants such a comm closed at once.
        const { comm_id } = parse(requests.commOpen, content);
        this.#clients.publish(request.header, {
          type: "comm_close",
          content: { comm_id, data: {} },
        });
        return undefined;
      }
      default:
        return undefined;
    }
  }

  async #execute(request: Message, asked: requests.ExecuteRequest): Promise<Answer> {
    const notebook = await this.#notebook();
    if (asked.store_history && !asked.silent) this.#count++;
    const outcome = await this.#runCell(notebook, request.header, asked);
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
    header: Header,
    { code, silent }: requests.ExecuteRequest,
  ): Promise<Outcome> {
    const execution_count = this.#count;
    const publish = (type: string, content: object): void => {
      this.#clients.publish(header, { type, content });
    };
    const output = new CellOutput((name, text) => {
      publish("stream", { name, text });
    });
    this.#current = { header, output };
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
    const text = (await this.#notebook()).inspect(code, unitOffset(code, cursor_pos));
    const data = text === undefined ? {} : { "text/plain": text };
    return {
      type: "inspect_reply",
      content: { status: "ok", found: text !== undefined, data, metadata: {} },
    };
  }

  #show(...[bundle, { id, update }]: Parameters<Show>): void {
    if (!this.#current) return;
    const { header, output } = this.#current;
    output.flush();
    this.#clients.publish(header, {
      type: update ? "update_display_data" : "display_data",
      content: {
        data: bundle,
        metadata: {},
        transient: id === undefined ? {} : { display_id: id },
      },
    });
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
