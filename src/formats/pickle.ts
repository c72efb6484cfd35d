/**
 * Python's pickle, as far as saved tensors need it, and nothing more: a stack machine that builds
 * texts, numbers, tuples, lists and dictionaries. It looks no name up and runs nothing; a name counts
 * only if the caller lists it, and every other one is refused with the name in the message.
 */
import { InputError } from "../core/errors.ts";
import { quoted } from "./byte-source.ts";
import { ByteCursor } from "./byte-cursor.ts";

/** What a pickle may refer to. */
export interface PickleHost {
  /** Values of names such as "torch.FloatStorage"; a function is what the pickle may call. */
  readonly globals: ReadonlyMap<string, unknown>;
  /** The value behind a persistent id, which PyTorch uses for the numbers outside the pickle. */
  persistent(id: unknown): unknown;
}

/** A function that a pickle may call with a tuple of arguments. */
export type PickleCallable = (args: readonly unknown[]) => unknown;

/**
 * The value that a pickle of protocol 2 to 5 builds: null, boolean, number, bigint, string, array (for
 * list and tuple), Map (for a dictionary), or what `host` gave. Throws InputError for everything else.
 */
export function unpickle(name: string, bytes: Uint8Array<ArrayBuffer>, host: PickleHost): unknown {
  return new Unpickler(name, bytes, host).run();
}

class Unpickler {
  readonly #name: string;
  readonly #cursor: ByteCursor;
  readonly #host: PickleHost;
  readonly #memo = new Map<number, unknown>();
  #stack: unknown[] = [];
  /** The stacks below each open mark. */
  readonly #below: unknown[][] = [];

  constructor(name: string, bytes: Uint8Array<ArrayBuffer>, host: PickleHost) {
    this.#name = name;
    this.#cursor = new ByteCursor(name, bytes);
    this.#host = host;
  }

  run(): unknown {
    for (;;) {
      const code = this.#cursor.u8("an opcode");
      if (code === opcodes.STOP) return this.#pop();
      this.#step(code);
    }
  }

  #step(code: number): void {
    const cursor = this.#cursor;
    const stack = this.#stack;
    switch (code) {
      case opcodes.PROTO:
        cursor.u8("the protocol");
        return;
      case opcodes.FRAME:
        cursor.u64("a frame's length");
        return;
      case opcodes.MARK:
        this.#below.push(stack);
        this.#stack = [];
        return;
      case opcodes.NONE:
        stack.push(null);
        return;
      case opcodes.NEWTRUE:
        stack.push(true);
        return;
      case opcodes.NEWFALSE:
        stack.push(false);
        return;
      case opcodes.BININT:
        stack.push(cursor.i32("an integer"));
        return;
      case opcodes.BININT1:
        stack.push(cursor.u8("an integer"));
        return;
      case opcodes.BININT2:
        stack.push(cursor.u16("an integer"));
        return;
      case opcodes.LONG1:
        stack.push(twosComplement(cursor.bytes(cursor.u8("an integer"), "an integer")));
        return;
      case opcodes.BINFLOAT:
        stack.push(this.#bigEndianDouble());
        return;
      case opcodes.BINUNICODE:
        stack.push(cursor.text(cursor.u32("a text"), "a text"));
        return;
      case opcodes.SHORT_BINUNICODE:
        stack.push(cursor.text(cursor.u8("a text"), "a text"));
        return;
      case opcodes.EMPTY_TUPLE:
      case opcodes.EMPTY_LIST:
        stack.push([]);
        return;
      case opcodes.EMPTY_DICT:
        stack.push(new Map());
        return;
      case opcodes.TUPLE:
        this.#push(this.#popMark());
        return;
      case opcodes.TUPLE1:
      case opcodes.TUPLE2:
      case opcodes.TUPLE3:
        stack.push(this.#popMany(code - opcodes.TUPLE1 + 1));
        return;
      case opcodes.APPEND:
        this.#append([this.#pop()]);
        return;
      case opcodes.APPENDS:
        this.#append(this.#popMark());
        return;
      case opcodes.SETITEM:
        this.#setItems(this.#popMany(2));
        return;
      case opcodes.SETITEMS:
        this.#setItems(this.#popMark());
        return;
      case opcodes.BINPUT:
        this.#memo.set(cursor.u8("a memo key"), this.#top());
        return;
      case opcodes.LONG_BINPUT:
        this.#memo.set(cursor.u32("a memo key"), this.#top());
        return;
      case opcodes.MEMOIZE:
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case opcodes.BINGET:
        stack.push(this.#remembered(cursor.u8("a memo key")));
        return;
      case opcodes.LONG_BINGET:
        stack.push(this.#remembered(cursor.u32("a memo key")));
        return;
      case opcodes.GLOBAL:
        stack.push(this.#global(this.#line(), this.#line()));
        return;
      case opcodes.STACK_GLOBAL:
        this.#push(this.#global(...(this.#popMany(2) as [unknown, unknown])));
        return;
      case opcodes.BINPERSID:
        this.#push(this.#host.persistent(this.#pop()));
        return;
      case opcodes.REDUCE:
        this.#push(this.#call(...(this.#popMany(2) as [unknown, unknown])));
        return;
      case opcodes.BUILD:
        this.#build();
        return;
      default:
        cursor.fail("an opcode", `0x${code.toString(16)} is not used by saved tensors`);
    }
  }

  #push(value: unknown): void {
    this.#stack.push(value);
  }

  #pop(): unknown {
    return this.#popMany(1)[0];
  }

  #popMany(count: number): unknown[] {
    if (this.#stack.length < count) this.#cursor.fail("an opcode", "the stack is empty");
    return this.#stack.splice(-count);
  }

  #top(): unknown {
    if (this.#stack.length === 0) this.#cursor.fail("an opcode", "the stack is empty");
    return this.#stack.at(-1);
  }

  #popMark(): unknown[] {
    const items = this.#stack;
    this.#stack = this.#below.pop() ?? this.#cursor.fail("an opcode", "there is no mark");
    return items;
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    if (!Array.isArray(list))
      return this.#cursor.fail("an opcode", "it appends to what is no list");
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly unknown[]): void {
    const dictionary = this.#top();
    if (!(dictionary instanceof Map) || items.length % 2 !== 0) {
      return this.#cursor.fail("an opcode", "it sets items of what is no dictionary");
    }
    for (let i = 0; i < items.length; i += 2) dictionary.set(items[i], items[i + 1]);
  }

  #remembered(key: number): unknown {
    if (!this.#memo.has(key)) this.#cursor.fail("a memo key", `nothing was stored as ${key}`);
    return this.#memo.get(key);
  }

  #global(module: unknown, name: unknown): unknown {
    const path = `${String(module)}.${String(name)}`;
    if (this.#host.globals.has(path)) return this.#host.globals.get(path);
    throw new InputError(
      `${this.#name} names ${quoted(path)}, which is neither a tensor nor a container of tensors, and to load other objects can mean to run their code: save the state_dict() alone.`,
    );
  }

  #call(callable: unknown, args: unknown): unknown {
    if (typeof callable !== "function" || !Array.isArray(args)) {
      return this.#cursor.fail("a call", "it is none of what may be called");
    }
    return (callable as PickleCallable)(args);
  }

  /** Attributes of a dictionary, such as the versions of a model's modules, are left out. */
  #build(): void {
    const [target] = this.#popMany(2);
    if (!(target instanceof Map)) {
      this.#cursor.fail("attributes", "only a dictionary may have them");
    }
    this.#push(target);
  }

  #bigEndianDouble(): number {
    this.#cursor.littleEndian = false;
    const value = this.#cursor.f64("a float");
    this.#cursor.littleEndian = true;
    return value;
  }

  /** The text up to the end of the line. */
  #line(): string {
    const letters: number[] = [];
    for (;;) {
      const letter = this.#cursor.u8("a name");
      if (letter === 0x0a) return String.fromCharCode(...letters);
      if (letters.length === maxNameBytes) this.#cursor.fail("a name", "it is too long");
      letters.push(letter);
    }
  }
}

/** Far above any dotted name of Python. */
const maxNameBytes = 1000;

/** The opcodes that `torch.save` writes with protocols 2 to 5 (Python's pickletools). */
const opcodes = {
  MARK: 0x28,
  EMPTY_TUPLE: 0x29,
  STOP: 0x2e,
  BINFLOAT: 0x47,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  APPENDS: 0x65,
  BINGET: 0x68,
  LONG_BINGET: 0x6a,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  PROTO: 0x80,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  SHORT_BINUNICODE: 0x8c,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
} as const;

/** A little-endian integer of any length; bigint where a double cannot hold it. */
function twosComplement(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (const byte of [...bytes].reverse()) value = (value << 8n) | BigInt(byte);
  const signed = BigInt.asIntN(8 * bytes.length, value);
  return BigInt.asIntN(53, signed) === signed ? Number(signed) : signed;
}
