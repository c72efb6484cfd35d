/**
 * Reads numbers and strings one after the other from the start of a file, and knows the file's whole
 * size: what cannot be there is refused before memory is taken for it, and what was not loaded yet is
 * asked for.
 */
import { InputError } from "../core/errors.ts";
import { isUtf8, textOfUtf8 } from "./utf8.ts";

/** Thrown where the file goes on but the loaded bytes end; those up to `end` are needed. */
export class NeedMoreBytes extends Error {
  readonly end: number;
  constructor(end: number) {
    super(`bytes up to ${end} are needed`);
    this.end = end;
  }
}

/**
 * A position in a file of `fileSize` bytes, of which `bytes` are loaded, the first ones at the start.
 * Each read names its field.
 */
export class ByteCursor {
  /** Byte order of the numbers that follow. */
  littleEndian = true;
  readonly #name: string;
  readonly #fileSize: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  /** Where `#bytes` and the next read begin: in the file, and in `#bytes`. */
  #loadedFrom = 0;
  #at = 0;
  #mark = 0;

  constructor(name: string, bytes: Uint8Array<ArrayBuffer>, fileSize: number = bytes.length) {
    this.#name = name;
    this.#fileSize = fileSize;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** Bytes from the start of the file. */
  get offset(): number {
    return this.#loadedFrom + this.#at;
  }

  /** What lies before the position is done with. */
  mark(): void {
    this.#mark = this.offset;
  }

  /** Where the last mark is, in bytes from the start of the file. */
  get reloadStart(): number {
    return this.#mark;
  }

  /** Goes back to `reloadStart`, from where `bytes` are the file's; they replace what was loaded. */
  reload(bytes: Uint8Array<ArrayBuffer>): void {
    this.#loadedFrom = this.#mark;
    this.#at = 0;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
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
    const value = high === 0 ? low : high * 2 ** 32 + low;
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
    if (count * itemBytes > this.#fileSize - this.offset) {
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
    this.#checkText(start, this.#at, field);
    return textOfUtf8(this.#bytes, start, this.#at);
  }

  /**
   * The bytes of the next `count` texts, not copied: each is its length as u64, then UTF-8, which is
   * checked here and may be decoded later.
   */
  texts(count: number, field: string): Uint8Array<ArrayBuffer> {
    const start = this.#at;
    let unchecked = start;
    let rest = count;
    while ((rest -= this.#passShortTexts(rest)) > 0) {
      const length = this.count(field, 1, Number.MAX_SAFE_INTEGER);
      const from = this.#take(length, field);
      this.#checkText(unchecked, from - 8, field);
      unchecked = from;
      rest--;
    }
    this.#checkText(unchecked, this.#at, field);
    return this.#bytes.subarray(start, this.#at);
  }

  /**
   * Goes over texts as long as they are loaded and shorter than 128 bytes: a length like that is eight
   * letters of ASCII, so such texts are UTF-8 if they are so together. Returns their number.
   */
  #passShortTexts(most: number): number {
    const [view, littleEndian] = [this.#view, this.littleEndian];
    const [lowAt, highAt] = littleEndian ? [0, 4] : [4, 0];
    const lastStart = view.byteLength - 8 - 127;
    let [at, passed] = [this.#at, 0];
    for (; passed < most && at <= lastStart; passed++) {
      const length = view.getUint32(at + lowAt, littleEndian);
      if (length > 127 || view.getUint32(at + highAt, littleEndian) !== 0) break;
      at += 8 + length;
    }
    this.#at = at;
    return passed;
  }

  /** Throws the InputError for what was just read. */
  fail(field: string, reason: string): never {
    throw new InputError(
      `${this.#name} is damaged: ${field}, before byte ${this.offset}: ${reason}.`,
    );
  }

  #checkText(start: number, end: number, field: string): void {
    if (!isUtf8(this.#view, start, end)) this.fail(field, "the text is not UTF-8");
  }

  /** Goes over `length` bytes; returns where they start in `#bytes`. */
  #take(length: number, field: string): number {
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) this.#refuse(end, field);
    this.#at = end;
    return start;
  }

  #refuse(end: number, field: string): never {
    const endInFile = this.#loadedFrom + end;
    if (endInFile <= this.#fileSize) throw new NeedMoreBytes(endInFile);
    throw new InputError(
      `${this.#name} is truncated: ${field} takes bytes ${this.offset} to ${endInFile}, and it has ${this.#fileSize}.`,
    );
  }
}

function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
