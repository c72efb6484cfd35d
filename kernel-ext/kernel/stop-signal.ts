/**
 * Stop, as both threads see it: the wire thread requests it, the main thread's cell ends by it. The
 * flags lie in shared memory, because a loop that never ends receives no message.
 */

/** What a cell that was stopped ends with. */
export class Interrupted extends Error {
  override readonly name: string = "Interrupted";

  constructor() {
    super("The cell was stopped.");
  }
}

const requestedFlag = 0;
const blockedFlag = 1;
const computingFlag = 2;

export class StopSignal {
  readonly buffer: SharedArrayBuffer;
  readonly #flags: Int32Array;

  /** `buffer` is that of the other thread's signal. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(12)) {
    this.buffer = buffer;
    this.#flags = new Int32Array(buffer);
  }

  /** Whether the running cell is to stop. */
  get requested(): boolean {
    return Atomics.load(this.#flags, requestedFlag) !== 0;
  }

  request(): void {
    Atomics.store(this.#flags, requestedFlag, 1);
  }

  /** Begins a new cell, which nobody has asked to stop yet. */
  clear(): void {
    Atomics.store(this.#flags, requestedFlag, 0);
  }

  /** Whether the main thread waits for a program that it started synchronously. */
  get blocked(): boolean {
    return Atomics.load(this.#flags, blockedFlag) !== 0;
  }

  set blocked(value: boolean) {
    Atomics.store(this.#flags, blockedFlag, Number(value));
  }

  /** Whether the main thread is where SIGINT ends what it computes; elsewhere the signal is not sent. */
  get computing(): boolean {
    return Atomics.load(this.#flags, computingFlag) !== 0;
  }

  set computing(value: boolean) {
    Atomics.store(this.#flags, computingFlag, Number(value));
  }

  /** A function for loops, to throw Interrupted once Stop is requested. */
  guard(): () => void {
    // A plain read is a tenth of an atomic one, and a function of one constant is inlined.
    const flags = this.#flags;
    return () => {
      if (flags[requestedFlag] !== 0) throw new Interrupted();
    };
  }
}
