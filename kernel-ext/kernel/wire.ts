/** The main thread's end of the wire: requests come in, replies and output go out. */
import { join } from "node:path";
import {
  MessageChannel,
  type MessagePort,
  Worker,
  receiveMessageOnPort,
} from "node:worker_threads";
import type { Connection } from "./connection.ts";
import { log } from "./log.ts";
import type { Header, Message } from "./messages.ts";
import type { StopSignal } from "./stop-signal.ts";
import type { FromWire, ToWire, WireData } from "./wire-protocol.ts";

/** What arrives on the wire. */
export interface WireEvents {
  request(message: Message): void;
  /** An answer to `ask`. */
  input(message: Message): void;
  interrupt(): void;
  shutdown(): void;
}

/** A message of the kernel; `content` and `metadata` must be JSON. */
export interface Reply {
  /** Its `msg_id`, where the sender must know it. */
  readonly id?: string;
  readonly type: string;
  readonly content: object;
  readonly metadata?: object;
  readonly buffers?: readonly Uint8Array[];
}

/** A cell that prints faster than the wire thread sends waits once so much is under way. */
const maxBytesInFlight = 64 * 2 ** 20;

/** Starts the wire thread and passes messages to and from it. */
export class Wire {
  readonly #port: MessagePort;
  #events: WireEvents | undefined;
  readonly #bytesInFlight: Int32Array;

  /** What arrives waits for `listen`. */
  constructor(connection: Connection, signal: StopSignal) {
    const { port1, port2 } = new MessageChannel();
    const bytesInFlight = new SharedArrayBuffer(4);
    this.#port = port1;
    this.#bytesInFlight = new Int32Array(bytesInFlight);
    const stopSignal = signal.buffer;
    const workerData: WireData = { connection, port: port2, bytesInFlight, stopSignal };
    const worker = new Worker(join(import.meta.dirname, "wire-thread.cjs"), {
      workerData,
      transferList: [port2],
    });
    worker.on("error", (error) => {
      log(error);
      process.exit(1);
    });
  }

  /** Passes on what has arrived and what arrives from now on. */
  listen(events: WireEvents): void {
    this.#events = events;
    this.#port.on("message", (event: FromWire) => {
      this.#dispatch(event);
    });
  }

  /** Answers `request` on its own socket. */
  reply(request: Message, reply: Reply): void {
    this.#post("shell", request.identities, request.header, reply);
  }

  /** Asks the client that sent `request`; its answer is an `input` event. */
  ask(request: Message, question: Reply): void {
    this.#post("stdin", request.identities, request.header, question);
  }

  /** Publishes to every client; `parent` is the request that caused it. */
  publish(parent: Header | null, message: Reply): void {
    this.#post("iopub", [Buffer.from(message.type)], parent, message);
  }

  /** Dispatches now what has arrived already and would be dispatched in later turns. */
  takeArrived(): void {
    for (
      let next = receiveMessageOnPort(this.#port);
      next;
      next = receiveMessageOnPort(this.#port)
    ) {
      this.#dispatch(next.message as FromWire);
    }
  }

  #dispatch(event: FromWire): void {
    const events = this.#events!;
    switch (event.kind) {
      case "request":
      case "input":
        events[event.kind](event.message);
        break;
      case "interrupt":
      case "shutdown":
        events[event.kind]();
        break;
      default:
        event satisfies never;
    }
  }

  #post(
    socket: ToWire["socket"],
    identities: readonly Uint8Array[],
    parent: Header | null,
    { id, type, content, metadata = {}, buffers = [] }: Reply,
  ): void {
    const text = JSON.stringify(content);
    const numBytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, text.length);
    this.#waitForRoom();
    Atomics.add(this.#bytesInFlight, 0, numBytes);
    const order: ToWire = {
      socket,
      message: {
        ...(id !== undefined && { id }),
        identities,
        parent,
        type,
        content: text,
        metadata: JSON.stringify(metadata),
        buffers,
      },
      numBytes,
    };
    this.#port.postMessage(order);
  }

  #waitForRoom(): void {
    for (;;) {
      const bytes = Atomics.load(this.#bytesInFlight, 0);
      if (bytes <= maxBytesInFlight) return;
      // A bounded wait, so that Stop can end a loop that prints for ever.
      Atomics.wait(this.#bytesInFlight, 0, bytes, 100);
    }
  }
}
