/** Values to bytes, in the form of `value-format.ts`. */
import { maxBigintDigits, maxDepth, maxErrorText, maxFrameBytes, maxValues } from "./limits.ts";
import { CodecError, noReferences, tag, viewNames } from "./value-format.ts";
import type { Reference, References } from "./value-format.ts";

/** The bytes of `value`. Throws CodecError for a value that cannot be handed over. */
export function encode(value: unknown, references: References = noReferences): Uint8Array {
  const encoder = new Encoder(references);
  encoder.value(value, 0);
  return encoder.bytes();
}

class Encoder {
  readonly #references: References;
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #values = 0;

  constructor(references: References) {
    this.#references = references;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  value(value: unknown, depth: number): void {
    if (++this.#values > maxValues) throw new CodecError(`more than ${maxValues} values at once`);
    if (depth > maxDepth)
      throw new CodecError(`a value nested deeper than ${maxDepth} levels, or in a cycle`);
    if (typeof value === "object" && value !== null) this.#object(value, depth);
    else if (typeof value === "function") this.#reference(this.#adopted(value), value);
    else this.#primitive(value);
  }

  #primitive(value: unknown): void {
    if (value === undefined) this.#byte(tag.undefined);
    else if (value === null) this.#byte(tag.null);
    else if (typeof value === "boolean") this.#byte(value ? tag.true : tag.false);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "bigint") this.#bigint(value);
    else if (typeof value === "string") {
      this.#byte(tag.string);
      this.#text(value);
    } else throw new CodecError(`a ${typeof value}`);
  }

  /** Identity first: a handle is a proxy, and asking it anything else would be a call. */
  #object(value: object, depth: number): void {
    const known = this.#references.known(value);
    const prototype: unknown = known ? null : Object.getPrototypeOf(value);
    if (known) this.#reference(known, value);
    else if (Array.isArray(value)) this.#list(tag.array, value, depth);
    else if (ArrayBuffer.isView(value)) this.#arrayView(value);
    else if (value instanceof ArrayBuffer) this.#buffer(new Uint8Array(value));
    else if (value instanceof Error) this.#error(value);
    else if (value instanceof Map && prototype === Map.prototype) {
      this.#list(tag.map, [...value].flat(1), depth);
    } else if (value instanceof Set && prototype === Set.prototype) {
      this.#list(tag.set, [...value], depth);
    } else if (prototype === Object.prototype || prototype === null) this.#record(value, depth);
    else this.#reference(this.#references.adopt(value), value);
  }

  #record(value: object, depth: number): void {
    const entries: [string, unknown][] = Object.entries(value);
    const own = entries.some(
      ([, member]) => typeof member === "function" && !this.#references.known(member),
    );
    const reference = own ? this.#references.adopt(value) : undefined;
    if (reference) {
      this.#reference(reference, value);
      return;
    }
    this.#byte(tag.object);
    this.#count(entries.length);
    for (const [key, member] of entries) {
      this.#text(key);
      if (typeof member === "function") this.#reference(this.#adopted(member, value), member);
      else this.value(member, depth + 1);
    }
  }

  #adopted(value: object, owner?: object): Reference | undefined {
    return this.#references.known(value) ?? this.#references.adopt(value, owner);
  }

  #list(kind: number, items: readonly unknown[], depth: number): void {
    this.#byte(kind);
    this.#count(items.length);
    for (let i = 0; i < items.length; i++) this.value(items[i], depth + 1);
  }

  #number(value: number): void {
    this.#byte(tag.number);
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  #bigint(value: bigint): void {
    const digits = (value < 0n ? -value : value).toString(16);
    if (digits.length > maxBigintDigits)
      throw new CodecError(`a bigint of more than ${maxBigintDigits} hexadecimal digits`);
    this.#byte(tag.bigint);
    this.#byte(value < 0n ? 1 : 0);
    this.#text(digits);
  }

  #arrayView(value: ArrayBufferView): void {
    const kind = viewNames.indexOf(kindOf(value));
    if (kind < 0) throw new CodecError(`a ${kindOf(value)}`);
    this.#byte(tag.view);
    this.#byte(kind);
    this.#raw(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }

  #buffer(bytes: Uint8Array): void {
    this.#byte(tag.buffer);
    this.#raw(bytes);
  }

  #error(value: Error): void {
    this.#byte(tag.error);
    for (const text of [value.name, value.message, value.stack]) {
      this.#text(typeof text === "string" ? text.slice(0, maxErrorText) : "");
    }
  }

  #reference(reference: Reference | undefined, value: object): void {
    if (!reference) throw new CodecError(describe(value));
    this.#byte(tag.reference);
    this.#byte((reference.owner === "guest" ? 1 : 0) | (reference.callable ? 2 : 0));
    this.#count(reference.id);
  }

  /** UTF-16, so that lone surrogates survive. */
  #text(text: string): void {
    this.#count(text.length);
    this.#reserve(text.length * 2);
    for (let i = 0; i < text.length; i++, this.#length += 2) {
      this.#view.setUint16(this.#length, text.charCodeAt(i), true);
    }
  }

  #raw(bytes: Uint8Array): void {
    this.#count(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #count(count: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, count, true);
    this.#length += 4;
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed > maxFrameBytes)
      throw new CodecError(`more than ${maxFrameBytes / 2 ** 20} MB at once`);
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.min(maxFrameBytes, Math.max(needed, this.#bytes.length * 2)));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

function describe(value: object): string {
  if (typeof value === "function") return "a function";
  const kind = kindOf(value);
  return kind === "Object" ? "an object of a class" : `a ${kind}`;
}

/** The kind of an object in words, as `Float32Array` or `Date`; never its own code. */
function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
