/** What the main thread and the wire thread say to each other. */
import type { MessagePort } from "node:worker_threads";
import type { Connection } from "./connection.ts";
import type { Message, OutgoingMessage } from "./messages.ts";

/** What the wire thread is started with. */
export interface WireData {
  readonly connection: Connection;
  /** Carries `ToWire` in and `FromWire` out. */
  readonly port: MessagePort;
  /** One Int32: the bytes handed to the wire thread that it has not yet passed to ZeroMQ. */
  readonly bytesInFlight: SharedArrayBuffer;
  /** The memory of the `StopSignal` that both threads share. */
  readonly stopSignal: SharedArrayBuffer;
}

/** From the wire thread: a request on the shell socket, an answer on stdin, or an order. */
export type FromWire =
  | { readonly kind: "request"; readonly message: Message }
  | { readonly kind: "input"; readonly message: Message }
  | { readonly kind: "interrupt" }
  | { readonly kind: "shutdown" };

/** To the wire thread: a message for one of the sockets. */
export interface ToWire {
  readonly socket: "shell" | "iopub" | "stdin";
  readonly message: OutgoingMessage;
  /** What `bytesInFlight` was raised by. */
  readonly numBytes: number;
}
