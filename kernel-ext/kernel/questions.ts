/** Questions of a cell to whoever runs it: `input("…")`, one at a time, over the stdin socket. */

interface Question {
  readonly send: () => void;
  readonly answer: (value: string) => void;
}

export class Questions {
  #waiting: Question[] = [];

  /** Asks with `send`, after the questions before it, and gives the answer. */
  ask(send: () => void): Promise<string> {
    return new Promise((answer) => {
      this.#waiting.push({ send, answer });
      if (this.#waiting.length === 1) send();
    });
  }

  /** Takes an answer; one that nobody waits for is dropped. */
  answer(value: string): void {
    this.#waiting.shift()?.answer(value);
    this.#waiting[0]?.send();
  }

  /** Forgets the questions of a cell that has ended. */
  clear(): void {
    this.#waiting = [];
  }
}
