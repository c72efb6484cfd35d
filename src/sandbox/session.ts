/**
 * One guest process with one module in it, seen from the host. Everything that the guest says is
 * hostile until checked: the worst it can do is to fail the calls that wait for it, with a
 * SandboxFailure, and to lose its process.
 */
import { randomBytes } from "node:crypto";
import { InputError } from "../core/errors.ts";
import { Callbacks } from "./callbacks.ts";
import { copyInto } from "./copy-into.ts";
import { Deadline } from "./deadline.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { describeEnding, describeError, describeFailure } from "./failure-sentences.ts";
import type { ProcessEnd } from "./failure-sentences.ts";
import { SandboxFailure } from "./failure.ts";
import { parseGuestMessage } from "./guest-messages.ts";
import { HostReferences } from "./host-references.ts";
import { IsolatedProcess } from "./isolated-process.ts";
import type { Launcher } from "./isolated-process.ts";
import { callDeadlineMs, maxOutput, processDeadlineMs, startDeadlineMs } from "./limits.ts";
import type { Encoded, GuestMessage, HostMessage } from "./messages.ts";
import type { Program } from "./program.ts";
import { Mutable } from "./remote.ts";
import { CodecError } from "./value-format.ts";
import type { References } from "./value-format.ts";

/** What a session is made of; `deadlineMs` is asked anew for each call. */
export interface SessionOptions {
  readonly runner: string;
  readonly program: Program;
  readonly deadlineMs: () => number;
  readonly output: (text: string) => void;
  readonly launch?: Launcher;
}

interface PendingCall {
  readonly label: string;
  readonly mutable: readonly object[];
  readonly deadline: Deadline;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
}

interface Request {
  readonly message: HostMessage & { id: string };
  readonly label: string;
  readonly deadlineMs: number;
  readonly mutable?: readonly object[];
}

const lookFor = ": look for a loop that never ends, or a promise that nothing resolves";

/** A guest process. `failure` says why it is gone, once it is. */
export class Session {
  readonly #options: SessionOptions;
  readonly #process: IsolatedProcess;
  readonly #references: HostReferences;
  readonly #pending = new Map<string, PendingCall>();
  readonly #lifetime: Deadline;
  readonly #starting: Deadline;
  readonly #started = withResolvers();
  readonly #loaded: Promise<unknown>;
  readonly #callbacks: Callbacks;
  #outputSize = 0;
  #failure: SandboxFailure | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#references = new HostReferences((holder, name, args) => this.#call(holder, name, args));
    this.#process = new IsolatedProcess(
      options.runner,
      {
        message: (payload) => {
          this.#hear(payload);
        },
        output: (text) => {
          this.#print(text);
        },
        broken: (found) => {
          this.#breach(found);
        },
        ended: (ending) => {
          this.#fail(describeEnding(ending));
        },
      },
      options.launch,
    );
    this.#callbacks = new Callbacks(this.#references, options.deadlineMs, {
      reply: (reply) => {
        this.#process.reply(encode(reply));
      },
      settle: (message) => {
        if (!this.#failure) this.#process.send(encode(message));
      },
      breach: (found) => {
        this.#breach(found);
      },
    });
    this.#lifetime = this.#deadline(processDeadlineMs, "was still needed after");
    this.#starting = this.#deadline(startDeadlineMs, "had not started after");
    this.#loaded = this.#load();
    // Whoever calls hears of it; a process that nobody calls has nobody to tell.
    this.#loaded.catch(() => undefined);
  }

  #deadline(ms: number, before: string, after = ""): Deadline {
    return new Deadline(ms, () => {
      this.#fail({ category: "deadline", predicate: `${before} ${ms / 1000} s${after}` });
    });
  }

  get failure(): SandboxFailure | undefined {
    return this.#failure;
  }

  /** Resolves once the module's top level has run; rejects with the SandboxFailure of that. */
  async loaded(): Promise<void> {
    await this.#loaded;
  }

  /** Calls the module's export `name`. Rejects with SandboxFailure. */
  call(name: string, args: readonly unknown[]): Promise<unknown> {
    return this.#call(null, name, args);
  }

  /** Output counts anew towards the limit, for the next test. */
  forgetOutput(): void {
    this.#outputSize = 0;
  }

  dispose(): void {
    this.#fail({ category: "exit", predicate: "was ended" });
  }

  async #load(): Promise<unknown> {
    await this.#started.promise;
    const { code, file } = this.#options.program;
    return this.#request({
      message: { kind: "load", id: newId(), code, file },
      label: "the file's top level",
      deadlineMs: callDeadlineMs,
    });
  }

  #call(holder: number | null, name: string | null, args: readonly unknown[]): Promise<unknown> {
    const plain = args.map((arg): unknown => (arg instanceof Mutable ? arg.value : arg));
    const mutable = args.flatMap((arg, index) => (arg instanceof Mutable ? [index] : []));
    const label = name ?? "the function it answered with";
    return this.#request({
      message: {
        kind: "call",
        id: newId(),
        holder,
        name,
        mutable,
        args: plain.map((arg) => encodeFor(label, arg, this.#references)),
      },
      label,
      deadlineMs: this.#options.deadlineMs(),
      mutable: mutable.map((index) => plain[index] as object),
    });
  }

  #request({ message, label, deadlineMs, mutable = [] }: Request): Promise<unknown> {
    if (this.#failure) {
      const { category, message: why } = this.#failure;
      return Promise.reject(
        new SandboxFailure(category, `${label} cannot be called any more: ${why}`),
      );
    }
    const payload = encodeFor(label, message);
    const { promise, resolve, reject } = withResolvers();
    const deadline = this.#deadline(deadlineMs, "did not answer within", lookFor);
    this.#pending.set(message.id, { label, mutable, deadline, resolve, reject });
    this.#process.send(payload);
    return promise;
  }

  #hear(payload: Uint8Array): void {
    if (this.#failure) return;
    let message: GuestMessage;
    try {
      message = parseGuestMessage(payload);
    } catch (error) {
      this.#breach(error instanceof CodecError ? error.message : "a message that is not one");
      return;
    }
    this.#handle(message);
  }

  #handle(message: GuestMessage): void {
    const { program } = this.#options;
    switch (message.kind) {
      case "ready":
        this.#starting.stop();
        this.#started.resolve(undefined);
        break;
      case "answer":
        this.#settle(message.id, (call) => {
          this.#takeMutated(call, message.mutated);
          return decode(message.value, this.#references);
        });
        break;
      case "failed":
        this.#settle(message.id, ({ label }) => {
          throw describeFailure(label, message.reason, message.error, program);
        });
        break;
      case "invoke":
        this.#invoke(message.callback, message.args);
        break;
      case "output":
        this.#print(message.text);
        break;
      case "fatal": {
        const predicate = `left an error that nothing caught: ${describeError(message.error, program)}`;
        this.#fail({ category: "crash", predicate });
        break;
      }
      default:
        message satisfies never;
    }
  }

  #settle(id: string, result: (call: PendingCall) => unknown): void {
    const call = this.#pending.get(id);
    if (!call) {
      this.#breach("the answer to a question that was not asked");
      return;
    }
    this.#pending.delete(id);
    call.deadline.stop();
    try {
      call.resolve(result(call));
    } catch (error) {
      call.reject(asFailure(error, call.label));
    }
  }

  #takeMutated(call: PendingCall, mutated: readonly Uint8Array[]): void {
    if (mutated.length !== call.mutable.length) throw new CodecError("too few changed arguments");
    call.mutable.forEach((original, index) => {
      copyInto(original, decode(mutated[index]!, this.#references));
    });
  }

  /** Runs a function of ours for the guest, whose clock stands still meanwhile. */
  #invoke(callback: number, args: Encoded): void {
    const calls = [...this.#pending.values()];
    for (const call of calls) call.deadline.hold();
    this.#callbacks.invoke(callback, args, () => {
      for (const call of calls) call.deadline.resume();
    });
  }

  #print(text: string): void {
    this.#outputSize += text.length;
    this.#options.output(text);
    if (this.#outputSize <= maxOutput) return;
    this.#fail({ category: "flood", predicate: `printed more than ${maxOutput / 2 ** 20} MB` });
  }

  #breach(found: string): void {
    this.#fail({ category: "protocol", predicate: `sent ${found} in place of an answer` });
  }

  /** Ends the process, and with it every call that waits. */
  #fail({ category, predicate }: ProcessEnd): void {
    if (this.#failure) return;
    this.#failure = new SandboxFailure(category, `the process ${predicate}.`);
    this.#process.kill();
    this.#lifetime.stop();
    this.#starting.stop();
    this.#started.reject(this.#failure);
    for (const call of this.#pending.values()) {
      call.deadline.stop();
      call.reject(new SandboxFailure(category, `${call.label} ${predicate}.`));
    }
    this.#pending.clear();
  }
}

/** As `encode`, for what a call of `label` hands over. */
function encodeFor(label: string, value: unknown, references?: References): Encoded {
  try {
    return encode(value, references);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new InputError(`An argument of ${label} cannot be handed over: ${error.message}.`);
  }
}

function newId(): string {
  return randomBytes(12).toString("hex");
}

function asFailure(error: unknown, label: string): Error {
  if (error instanceof SandboxFailure) return error;
  return new SandboxFailure(
    "answer",
    `${label} handed back ${error instanceof Error ? error.message : String(error)}.`,
  );
}

interface Resolvers {
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
}

/** As Promise.withResolvers, which Node 20 lacks. */
function withResolvers(): Resolvers {
  let resolve: Resolvers["resolve"] = () => undefined;
  let reject: Resolvers["reject"] = () => undefined;
  const promise = new Promise<unknown>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  return { promise, resolve, reject };
}
