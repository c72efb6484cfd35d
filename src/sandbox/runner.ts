/**
 * The guest: loads one module and answers calls on it. It runs inside the isolated process, as one
 * script without dependencies (`program.ts` makes it), beside code that may do anything: it
 * protects nothing, its host does. What it needs is taken before that code runs, so that a student
 * who patches a global breaks their own answers only.
 */
import { Console } from "node:console";
import { readSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { Writable } from "node:stream";
import { compileFunction } from "node:vm";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { FrameReader, frame, frameLength } from "./frames.ts";
import { maxErrorText, maxOutput, maxReferences } from "./limits.ts";
import { descriptors } from "./messages.ts";
import type { GuestMessage, HostMessage, HostReply } from "./messages.ts";
import { CodecError } from "./value-format.ts";
import type { Reference, References } from "./value-format.ts";

type Callable = (...args: unknown[]) => unknown;

const later = globalThis.setImmediate;
const exit = process.exit.bind(process);
const { toString: source } = Function.prototype as { toString: (this: unknown) => string };

/** Objects and functions that stay here, and the host's functions as seen from here. */
class GuestReferences implements References {
  readonly #held: object[] = [];
  readonly #references = new WeakMap<object, Reference>();
  readonly #callbacks = new Map<number, Callable>();

  known(value: object): Reference | undefined {
    return this.#references.get(value);
  }

  adopt(value: object): Reference | undefined {
    const callable = typeof value === "function";
    const kind = Object.prototype.toString.call(value);
    if (!callable && kind !== "[object Object]") return undefined;
    if (this.#held.length >= maxReferences)
      throw new CodecError(`more than ${maxReferences} objects`);
    const reference: Reference = { owner: "guest", id: this.#held.push(value) - 1, callable };
    this.#references.set(value, reference);
    return reference;
  }

  resolve({ owner, id }: Reference): unknown {
    return owner === "guest" ? this.held(id) : this.#callback(id);
  }

  held(id: number): object {
    const value = this.#held[id];
    if (!value) throw new CodecError("an object that does not exist");
    return value;
  }

  #callback(id: number): Callable {
    const known = this.#callbacks.get(id);
    if (known) return known;
    const callback: Callable = (...args) => invoke(id, args);
    this.#callbacks.set(id, callback);
    this.#references.set(callback, { owner: "host", id, callable: true });
    return callback;
  }
}

const references = new GuestReferences();
const promises = new Map<number, { resolve: Callable; reject: Callable }>();
let exported: Readonly<Record<string, unknown>> = {};

function say(message: GuestMessage): void {
  const bytes = frame(encode(message));
  for (let sent = 0; sent < bytes.length;) {
    sent += writeSync(descriptors.says, bytes, sent);
  }
}

/** Calls a function of the host and waits: the code that calls it may not be asynchronous. */
function invoke(callback: number, args: unknown[]): unknown {
  say({ kind: "invoke", callback, args: encode(args, references) });
  const reply = decode(readReply()) as HostReply;
  if (reply.kind === "value") return decode(reply.value, references);
  if (reply.kind === "thrown") throw decode(reply.value, references);
  return new Promise((resolve, reject) => promises.set(reply.promise, { resolve, reject }));
}

function readReply(): Uint8Array {
  return readExactly(frameLength(readExactly(4)));
}

function readExactly(bytes: number): Uint8Array {
  const part = new Uint8Array(bytes);
  for (let filled = 0; filled < bytes;) {
    const read = readSync(descriptors.replies, part, filled, bytes - filled, null);
    if (read === 0) exit(0);
    filled += read;
  }
  return part;
}

function handle(message: HostMessage): void {
  switch (message.kind) {
    case "load":
      void answer(message.id, [], () => load(message.code, message.file));
      break;
    case "call": {
      const args: unknown[] = [];
      const mutable = message.mutable.map((index) => () => args[index]);
      void answer(message.id, mutable, () => {
        args.push(...message.args.map((bytes) => decode(bytes, references)));
        return call(message.holder, message.name, args);
      });
      break;
    }
    case "settle": {
      const promise = promises.get(message.promise);
      promises.delete(message.promise);
      const value = decode(message.value, references);
      if (message.ok) promise?.resolve(value);
      else promise?.reject(value);
      break;
    }
    default:
      message satisfies never;
  }
}

/** The names that the module exports. */
function load(code: string, file: string): string[] {
  const module: { exports: Record<string, unknown> } = { exports: {} };
  const run = compileFunction(code, ["module", "exports"], { filename: file }) as Callable;
  run(module, module.exports);
  exported = module.exports;
  return Object.keys(exported);
}

class Missing extends Error {}

function call(holder: number | null, name: string | null, args: unknown[]): unknown {
  const object: object = holder === null ? exported : references.held(holder);
  const member: unknown = name === null ? object : (object as Record<string, unknown>)[name];
  if (typeof member === "function") {
    const isClass = Reflect.apply(source, member, []).startsWith("class");
    return isClass
      ? Reflect.construct(member, args)
      : Reflect.apply(member, holder === null ? undefined : object, args);
  }
  if (member === undefined && !(name! in object)) throw new Missing(name!);
  if (args.length > 0) throw new TypeError(`${name!} is not a function`);
  return member;
}

/** Runs `task` and says its answer, one turn later: a rejection that nobody handles comes first. */
async function answer(
  id: string,
  mutable: readonly (() => unknown)[],
  task: () => unknown,
): Promise<void> {
  try {
    const value = await task();
    later(() => {
      try {
        const mutated = mutable.map((argument) => encode(argument(), references));
        say({ kind: "answer", id, value: encode(value, references), mutated });
      } catch (error) {
        say({ kind: "failed", id, reason: "answer", error: asError(error) });
      }
    });
  } catch (error) {
    const reason = error instanceof Missing ? "missing" : "threw";
    later(() => {
      say({ kind: "failed", id, reason, error: asError(error) });
    });
  }
}

/** `thrown` as an error with text that can be sent; students throw strings and odder things. */
function asError(thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(String(thrown).slice(0, maxErrorText));
  const error = new Error(thrown.message.slice(0, maxErrorText));
  return Object.assign(error, { name: thrown.name, stack: thrown.stack });
}

function end(thrown: unknown): never {
  say({ kind: "fatal", error: asError(thrown) });
  return exit(1);
}

process.on("uncaughtException", end);
process.on("unhandledRejection", end);
const output = new Writable({
  decodeStrings: false,
  write: (text: string | Uint8Array, _encoding, done) => {
    say({ kind: "output", text: text.toString().slice(0, maxOutput + 1) });
    done();
  },
});
globalThis.console = new Console({ stdout: output, colorMode: false });
Object.defineProperties(process, { stdout: { value: output }, stderr: { value: output } });

const requests = new Socket({ fd: descriptors.asked, readable: true, writable: false });
const frames = new FrameReader();
requests.on("data", (chunk: Uint8Array) => {
  for (const payload of frames.push(chunk)) handle(decode(payload) as HostMessage);
});
// The host is gone: nothing that is still running here has anyone to answer.
requests.on("close", () => exit(0));
requests.on("error", () => exit(0));
say({ kind: "ready" });
