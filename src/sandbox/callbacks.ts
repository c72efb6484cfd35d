/**
 * Functions of the host that a guest calls. A plain answer goes back at once, because the guest's
 * code waits for it; a promise goes back as a promise, and its end follows.
 */
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { Deadline } from "./deadline.ts";
import type { HostReferences } from "./host-references.ts";
import type { Encoded, HostMessage, HostReply } from "./messages.ts";

type Settlement = Extract<HostMessage, { kind: "settle" }>;

/** Where the answers go. */
export interface CallbackChannel {
  reply(reply: HostReply): void;
  settle(message: Settlement): void;
  /** The guest asked for what it was not given. */
  breach(found: string): void;
}

/** Runs the calls of one guest. */
export class Callbacks {
  readonly #references: HostReferences;
  readonly #deadlineMs: () => number;
  readonly #channel: CallbackChannel;
  #promises = 0;

  constructor(references: HostReferences, deadlineMs: () => number, channel: CallbackChannel) {
    this.#references = references;
    this.#deadlineMs = deadlineMs;
    this.#channel = channel;
  }

  /** Calls function `callback`; `done` is called once, when its answer is known. */
  invoke(callback: number, args: Encoded, done: () => void): void {
    const call = this.#prepare(callback, args);
    if (!call) {
      done();
      return;
    }
    try {
      const value = call();
      if (isThenable(value)) {
        const promise = this.#promises++;
        this.#channel.reply({ kind: "promise", promise });
        this.#follow(promise, value, done);
        return;
      }
      this.#channel.reply({ kind: "value", value: encode(value, this.#references) });
    } catch (error) {
      this.#channel.reply({ kind: "thrown", value: encode(asError(error)) });
    }
    done();
  }

  #prepare(callback: number, args: Encoded): (() => unknown) | null {
    try {
      const lent = this.#references.lent(callback);
      const given = decode(args, this.#references);
      return () => lent(...(given as unknown[]));
    } catch (error) {
      this.#channel.breach(asError(error).message);
      return null;
    }
  }

  /** Sends the promise's end when it comes, or a refusal when it has taken as long as a call may. */
  #follow(promise: number, value: PromiseLike<unknown>, done: () => void): void {
    let open = true;
    const settle = (ok: boolean, end: Encoded): void => {
      if (!open) return;
      this.#channel.settle({ kind: "settle", promise, ok, value: end });
      open = false;
      deadline.stop();
      done();
    };
    const refuse = (error: unknown): void => {
      settle(false, encode(asError(error)));
    };
    const ms = this.#deadlineMs();
    const deadline = new Deadline(ms, () => {
      refuse(new Error(`the test's function took more than ${ms / 1000} s`));
    });
    value
      .then((end) => {
        settle(true, encode(end, this.#references));
      })
      .then(undefined, refuse);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
