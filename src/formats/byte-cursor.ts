/**
 * Reads numbers and strings one after the other from the start of a file, and knows the file's whole
 * size: what cannot be there is refused before memory is taken for it, and what was not loaded yet is
 * asked for.
 */
import { InputError } from "../core/errors.ts";

/** Thrown where the file goes on but the loaded bytes end; `length` bytes from the start are needed. */
export class NeedMoreBytes extends Error {
  readonly length: number;
  constructor(length: number) {
    super(`${length} bytes needed`);
    this.length = length;
  }
}

/** Tokens of a vocabulary are this short, and calling the decoder costs more than they do. */
const maxShortText = 24;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A position in the first `bytes` of a file of `fileSize` bytes. Each read names its field. */
export class ByteCursor {
  /** Byte order of the numbers that follow. */
  littleEndian = true;
  readonly #name: string;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #fileSize: number;
  #offset = 0;

  constructor(name: string, bytes: Uint8Array<ArrayBuffer>, fileSize: number = bytes.length) {
    this.#name = name;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#fileSize = fileSize;
  }

  /** Bytes from the start of the file. */
  get offset(): number {
    return this.#offset;
  }

  u8(field: string): number {
    return this.#view.getUint8(this.#take(1, field));
  }

  i8(field: string): number {
    return this.#view.getInt8(this.#take(1, field));
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(2, field), this.littleEndian);
  }

  i16(field: string): number {
    return this.#view.getInt16(this.#take(2, field), this.littleEndian);
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(4, field), this.littleEndian);
  }

  i32(field: string): number {
    return this.#view.getInt32(this.#take(4, field), this.littleEndian);
  }

  u64(field: string): bigint {
    return this.#view.getBigUint64(this.#take(8, field), this.littleEndian);
  }

  i64(field: string): bigint {
    return this.#view.getBigInt64(this.#take(8, field), this.littleEndian);
  }

  f32(field: string): number {
    return this.#view.getFloat32(this.#take(4, field), this.littleEndian);
  }

  f64(field: string): number {
    return this.#view.getFloat64(this.#take(8, field), this.littleEndian);
  }

  /** A u64 that counts or places bytes: refused where a double could not hold it exactly. */
  size(field: string): number {
    const start = this.#take(8, field);
    const low = this.#view.getUint32(this.littleEndian ? start : start + 4, this.littleEndian);
    const high = this.#view.getUint32(this.littleEndian ? start + 4 : start, this.littleEndian);
    // Vocabularies hold hundreds of thousands of sizes, and a bigint for each would be slow.
    const value = high * 2 ** 32 + low;
    if (value > Number.MAX_SAFE_INTEGER) {
      const exact = this.#view.getBigUint64(start, this.littleEndian);
      this.fail(field, `${exact.toString()} is too large`);
    }
    return value;
  }

  /** A u64 count of items of at least `itemBytes` each, which must fit into the rest of the file. */
  count(field: string, itemBytes: number, limit: number): number {
    const count = this.size(field);
    if (count > limit) this.fail(field, `${count} is above the limit of ${limit}`);
    if (count * itemBytes > this.#fileSize - this.#offset) {
      this.fail(field, `${count} items cannot fit into the rest of the file`);
    }
    return count;
  }

  /** The next `length` bytes, not copied. */
  bytes(length: number, field: string): Uint8Array<ArrayBuffer> {
    const start = this.#take(length, field);
    return this.#bytes.subarray(start, start + length);
  }

  /** The next `length` bytes as UTF-8. */
  text(length: number, field: string): string {
    const start = this.#take(length, field);
    const end = start + length;
    const ascii = length > maxShortText ? undefined : shortAscii(this.#bytes, start, end);
    if (ascii !== undefined) return ascii;
    try {
      return utf8.decode(this.#bytes.subarray(start, end));
    } catch {
      return this.fail(field, "the text is not UTF-8");
    }
  }

  /** Throws the InputError for what was just read. */
  fail(field: string, reason: string): never {
    throw new InputError(
      `${this.#name} is damaged: ${field}, before byte ${this.#offset}: ${reason}.`,
    );
  }

  #take(length: number, field: string): number {
    const start = this.#offset;
    const end = start + length;
    if (end > this.#fileSize) {
      throw new InputError(
        `${this.#name} is truncated: ${field} takes bytes ${start} to ${end}, and it has ${this.#fileSize}.`,
      );
    }
    if (end > this.#bytes.length) throw new NeedMoreBytes(end);
    this.#offset = end;
    return start;
  }
}

/** The text of bytes below 128; undefined where there are others. */
function shortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte > 127) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
