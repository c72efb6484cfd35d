/**
 * What cells print. Text is gathered and sent in pieces, because a message a line would drown the
 * client; nothing is dropped, and order within and between the two streams is kept.
 */
import { StringDecoder } from "node:string_decoder";

export type StreamName = "stdout" | "stderr";

/** Text is held back at most this long, and at most this many UTF-16 units of it. */
const holdMs = 50;
const maxHeld = 2 ** 16;

/** The text output of one cell. */
export class CellOutput {
  readonly #publish: (name: StreamName, text: string) => void;
  #name: StreamName = "stdout";
  #held: string[] = [];
  #numHeld = 0;
  #lastFlushMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(publish: (name: StreamName, text: string) => void) {
    this.#publish = publish;
  }

  write(name: StreamName, text: string): void {
    if (text === "") return;
    if (name !== this.#name) this.flush();
    this.#name = name;
    this.#held.push(text);
    this.#numHeld += text.length;
    // A synchronous loop lets no timer run, so the clock is read here as well.
    if (this.#numHeld >= maxHeld || performance.now() - this.#lastFlushMs > holdMs) this.flush();
    else
      this.#timer ??= setTimeout(() => {
        this.flush();
      }, holdMs);
  }

  /** Sends what is held back: before a display, and when the cell ends. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#numHeld === 0) return;
    const text = this.#held.join("");
    this.#held = [];
    this.#numHeld = 0;
    this.#lastFlushMs = performance.now();
    this.#publish(this.#name, text);
  }
}

/** Sends what this process writes to its two output streams to `write` instead. */
export function captureProcessOutput(write: (name: StreamName, text: string) => void): void {
  for (const name of ["stdout", "stderr"] as const) {
    const decoder = new StringDecoder("utf8");
    const capture = (
      chunk: string | Uint8Array,
      encoding?: BufferEncoding | ((error?: Error) => void),
      done?: (error?: Error) => void,
    ): boolean => {
      const text =
        typeof chunk !== "string"
          ? decoder.write(Buffer.from(chunk))
          : typeof encoding === "string" && !/^utf-?8$/i.test(encoding)
            ? Buffer.from(chunk, encoding).toString("utf8")
            : chunk;
      write(name, text);
      const called = typeof encoding === "function" ? encoding : done;
      if (called) process.nextTick(called);
      return true;
    };
    process[name].write = capture;
  }
}
