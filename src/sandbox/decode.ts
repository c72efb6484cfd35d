/** Bytes to values, in the form of `value-format.ts`. The bytes may come from a hostile process. */
import { maxBigintDigits, maxDepth, maxErrorText, maxValues } from "./limits.ts";
import { CodecError, noReferences, tag, viewNames } from "./value-format.ts";
import type { References } from "./value-format.ts";

/** What a map or set, and an error with its stack, count for in `maxValues`: empty ones take memory too. */
const collectionCost = 8;
const errorCost = 256;

/** The value of `bytes`, which may be hostile. Throws nothing but CodecError. */
export function decode(bytes: Uint8Array, references: References = noReferences): unknown {
  const decoder = new Decoder(bytes, references);
  const value = decoder.value(0);
  decoder.end();
  return value;
}

class Decoder {
  readonly #references: References;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array, references: References) {
    this.#references = references;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new CodecError("bytes after the value");
  }

  value(depth: number): unknown {
    this.#spend(1);
    if (depth > maxDepth) throw new CodecError(`a value nested deeper than ${maxDepth} levels`);
    const kind = this.#byte();
    switch (kind) {
      case tag.undefined:
        return undefined;
      case tag.null:
        return null;
      case tag.false:
        return false;
      case tag.true:
        return true;
      case tag.number:
        return this.#number();
      case tag.string:
        return this.#text();
      case tag.bigint:
        return this.#bigint();
      case tag.view:
        return this.#arrayView();
      case tag.buffer:
        return this.#raw().slice().buffer;
      case tag.array:
        return this.#list(depth);
      case tag.object:
        return this.#record(depth);
      case tag.map:
        return this.#map(depth);
      case tag.set:
        this.#spend(collectionCost);
        return new Set(this.#list(depth));
      case tag.error:
        return this.#error();
      case tag.reference:
        return this.#reference();
      default:
        throw new CodecError(`a value of unknown kind ${kind}`);
    }
  }

  #list(depth: number): unknown[] {
    const length = this.#count(1);
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  #record(depth: number): object {
    const size = this.#count(5);
    const record = {};
    for (let i = 0; i < size; i++) {
      const key = this.#text();
      // Not by assignment: the key may be `__proto__`.
      const value = this.value(depth + 1);
      Object.defineProperty(record, key, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return record;
  }

  #map(depth: number): Map<unknown, unknown> {
    this.#spend(collectionCost);
    const items = this.#list(depth);
    if (items.length % 2 !== 0) throw new CodecError("a map with a key and no value");
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
    return map;
  }

  #number(): number {
    this.#need(8);
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  #bigint(): bigint {
    const negative = this.#byte() === 1;
    const digits = this.#text();
    if (digits.length > maxBigintDigits || !/^[0-9a-f]+$/.test(digits)) {
      throw new CodecError("a bigint that is not one");
    }
    const magnitude = BigInt(`0x${digits}`);
    return negative ? -magnitude : magnitude;
  }

  #arrayView(): ArrayBufferView {
    const name = viewNames[this.#byte()];
    const bytes = this.#raw();
    const View = viewConstructor(name ?? "view");
    if (bytes.length % View.BYTES_PER_ELEMENT !== 0)
      throw new CodecError(`a ${name} that ends inside an element`);
    return new View(bytes.slice().buffer);
  }

  #error(): Error {
    this.#spend(errorCost);
    const [name, message, stack] = [this.#text(), this.#text(), this.#text()];
    if (Math.max(name.length, message.length, stack.length) > maxErrorText) {
      throw new CodecError(`an error with more than ${maxErrorText} characters of text`);
    }
    return Object.defineProperties(new Error(message), {
      name: { value: name, configurable: true, writable: true },
      stack: { value: stack, configurable: true, writable: true },
    });
  }

  #reference(): unknown {
    const flags = this.#byte();
    this.#need(4);
    const id = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return this.#references.resolve({
      owner: flags & 1 ? "guest" : "host",
      callable: (flags & 2) !== 0,
      id,
    });
  }

  #text(): string {
    const length = this.#count(2);
    const units = new Uint16Array(length);
    for (let i = 0; i < length; i++, this.#at += 2) units[i] = this.#view.getUint16(this.#at, true);
    // In pieces, because `apply` puts every unit on the stack.
    const pieces: string[] = [];
    for (let i = 0; i < length; i += 8192) {
      pieces.push(String.fromCharCode(...units.subarray(i, i + 8192)));
    }
    return pieces.join("");
  }

  #raw(): Uint8Array {
    const length = this.#count(1);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A count of things of at least `bytesEach` bytes, which must still lie ahead. */
  #count(bytesEach: number): number {
    this.#need(4);
    const count = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    this.#need(count * bytesEach);
    return count;
  }

  #spend(values: number): void {
    this.#values += values;
    if (this.#values > maxValues) throw new CodecError(`more than ${maxValues} values at once`);
  }

  #byte(): number {
    this.#need(1);
    return this.#bytes[this.#at++]!;
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw new CodecError("a value that ends too early");
  }
}

interface ViewConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike): ArrayBufferView;
}

function viewConstructor(name: string): ViewConstructor {
  const found = (globalThis as unknown as Record<string, ViewConstructor | undefined>)[name];
  if (!found) throw new CodecError(`a ${name}, which this version of Node does not have`);
  return found;
}
