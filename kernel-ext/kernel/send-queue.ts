/**
 * One ordered queue of outgoing messages per socket. ZeroMQ refuses a second send while one is
 * under way, so a send that is not awaited may be lost; here each waits for the one before it.
 */

/** The one thing that the queue needs of a socket. */
export interface Sender {
  send(frames: Uint8Array[]): Promise<void>;
}

/** Sends in the order of the calls; `sent` runs when ZeroMQ has taken the message. */
export class SendQueue {
  readonly #socket: Sender;
  readonly #waiting: { frames: Uint8Array[]; sent: (() => void) | undefined }[] = [];
  #running: Promise<void> | null = null;

  constructor(socket: Sender) {
    this.#socket = socket;
  }

  push(frames: Uint8Array[], sent?: () => void): void {
    this.#waiting.push({ frames, sent });
    this.#running ??= this.#run();
  }

  /** Settles when everything pushed so far is sent. */
  async drained(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      await this.#socket.send(next.frames);
      next.sent?.();
    }
    this.#running = null;
  }
}
