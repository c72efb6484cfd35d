/**
 * Comms: named channels between a cell and its front end, in both directions, as in "Custom
 * messages" of Jupyter's protocol. Widgets stand on them.
 */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { UsageError } from "../../src/core/errors.ts";

/** What travels on a comm besides its JSON. */
export interface CommExtras {
  readonly metadata?: object;
  readonly buffers?: readonly Uint8Array[];
}

/** What arrives on a comm. */
export interface CommMessage {
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly buffers: readonly Uint8Array[];
}

export type CommType = "comm_open" | "comm_msg" | "comm_close";

/** Sends one message of a comm to every client. */
export type SendComm = (type: CommType, content: object, extras: CommExtras) => void;

/** Takes a comm that the front end opens. */
export type CommTarget = (comm: Comm, opening: CommMessage) => void;

export const commContent: z.ZodType<{
  readonly comm_id: string;
  readonly target_name: string;
  readonly data: Record<string, unknown>;
}> = z.object({
  comm_id: z.string().min(1),
  target_name: z.string().default(""),
  data: z.record(z.string(), z.unknown()).default({}),
});

/** One open channel. */
export class Comm {
  readonly id: string;
  readonly target: string;
  readonly #send: SendComm;
  readonly #forget: () => void;
  #open = true;
  #onMessage: (message: CommMessage) => void = () => undefined;
  #onClose: (message: CommMessage) => void = () => undefined;

  constructor(id: string, target: string, send: SendComm, forget: () => void) {
    this.id = id;
    this.target = target;
    this.#send = send;
    this.#forget = forget;
  }

  /** Calls `handle` with every message; it replaces the handler before it. */
  onMessage(handle: (message: CommMessage) => void): void {
    this.#onMessage = handle;
  }

  /** Calls `handle` when the front end closes the comm. */
  onClose(handle: (message: CommMessage) => void): void {
    this.#onClose = handle;
  }

  /** Throws UsageError where the comm is closed. */
  send(data: object, extras: CommExtras = {}): void {
    if (!this.#open) throw new UsageError("The comm is closed; open another to send on.");
    this.#send("comm_msg", { comm_id: this.id, data }, extras);
  }

  close(data: object = {}, extras: CommExtras = {}): void {
    if (!this.#open) return;
    this.#send("comm_close", { comm_id: this.id, data }, extras);
    this.#end();
  }

  /** For the registry alone: what the front end sent. */
  deliver(type: "comm_msg" | "comm_close", message: CommMessage): void {
    if (type === "comm_msg") this.#onMessage(message);
    else {
      this.#end();
      this.#onClose(message);
    }
  }

  #end(): void {
    this.#open = false;
    this.#forget();
  }
}

/** The comms of one notebook, and the targets that its front end may open. */
export class Comms {
  readonly #send: SendComm;
  readonly #targets = new Map<string, CommTarget>();
  readonly #open = new Map<string, Comm>();

  constructor(send: SendComm) {
    this.#send = send;
  }

  /** Lets the front end open comms of this name; a later registration replaces it. */
  register(target: string, handle: CommTarget): void {
    this.#targets.set(target, handle);
  }

  /** Opens a comm of a target that the front end has registered. */
  open(
    target: string,
    data: object = {},
    extras: CommExtras & { readonly id?: string } = {},
  ): Comm {
    const { id = randomUUID(), ...rest } = extras;
    const comm = this.#add(id, target);
    this.#send("comm_open", { comm_id: id, target_name: target, data }, rest);
    return comm;
  }

  /** Whether the comm is open. */
  has(id: string): boolean {
    return this.#open.has(id);
  }

  /** The content of `comm_info_reply`, of one target or of all. */
  info(target?: string): Record<string, { target_name: string }> {
    const wanted = [...this.#open.values()].filter(
      (comm) => target === undefined || comm.target === target,
    );
    return Object.fromEntries(wanted.map((comm) => [comm.id, { target_name: comm.target }]));
  }

  /** Takes a message of the front end. Throws what a handler throws. */
  receive(type: CommType, content: object, extras: Omit<CommMessage, "data">): void {
    const { comm_id, target_name, data } = commContent.parse(content);
    const message = { ...extras, data };
    if (type !== "comm_open") {
      this.#open.get(comm_id)?.deliver(type, message);
      return;
    }
    const handle = this.#targets.get(target_name);
    // The protocol wants a comm that nobody takes to be closed at once.
    if (!handle) this.#send("comm_close", { comm_id, data: {} }, {});
    else handle(this.#add(comm_id, target_name), message);
  }

  #add(id: string, target: string): Comm {
    const comm = new Comm(id, target, this.#send, () => this.#open.delete(id));
    this.#open.set(id, comm);
    return comm;
  }
}
