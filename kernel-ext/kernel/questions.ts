/** Questions of a cell to whoever runs it: `input("…")`, one at a time, over the stdin socket. */
import { randomUUID } from "node:crypto";

interface Question {
  /** The `msg_id` of its message. */
  readonly id: string;
  readonly send: (id: string) => void;
  readonly answer: (value: string) => void;
}

export class Questions {
  #waiting: Question[] = [];

  /** Asks with `send`, after the questions before it, and gives the answer. */
  ask(send: (id: string) => void): Promise<string> {
    return new Promise((answer) => {
      this.#waiting.push({ id: randomUUID(), send, answer });
      if (this.#waiting.length === 1) this.#send();
    });
  }

  /** Takes an answer to the question `id`, where the client names one; any other is dropped. */
  answer(value: string, id: string | undefined): void {
    const [asked] = this.#waiting;
    if (!asked || (id !== undefined && id !== asked.id)) return;
    this.#waiting.shift();
    asked.answer(value);
    this.#send();
  }

  /** Forgets the questions of a cell that has ended. */
  clear(): void {
    this.#waiting = [];
  }

  #send(): void {
    const [next] = this.#waiting;
    next?.send(next.id);
  }
}
