/** Numbers and strings one after the other in memory that grows: what `ByteCursor` reads. */

const firstCapacity = 2 ** 12;

/** Bytes with a position at their end. */
export class ByteWriter {
  readonly #littleEndian: boolean;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(firstCapacity);
  #view: DataView = new DataView(this.#bytes.buffer);
  #length = 0;

  constructor(littleEndian: boolean) {
    this.#littleEndian = littleEndian;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written so far, not copied. */
  written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  u8(value: number): void {
    this.#room(1).setUint8(this.#length - 1, value);
  }

  i8(value: number): void {
    this.#room(1).setInt8(this.#length - 1, value);
  }

  u16(value: number): void {
    this.#room(2).setUint16(this.#length - 2, value, this.#littleEndian);
  }

  i16(value: number): void {
    this.#room(2).setInt16(this.#length - 2, value, this.#littleEndian);
  }

  u32(value: number): void {
    this.#room(4).setUint32(this.#length - 4, value, this.#littleEndian);
  }

  i32(value: number): void {
    this.#room(4).setInt32(this.#length - 4, value, this.#littleEndian);
  }

  u64(value: bigint): void {
    this.#room(8).setBigUint64(this.#length - 8, value, this.#littleEndian);
  }

  i64(value: bigint): void {
    this.#room(8).setBigInt64(this.#length - 8, value, this.#littleEndian);
  }

  f32(value: number): void {
    this.#room(4).setFloat32(this.#length - 4, value, this.#littleEndian);
  }

  f64(value: number): void {
    this.#room(8).setFloat64(this.#length - 8, value, this.#littleEndian);
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length - bytes.length);
  }

  /** Counts `numBytes` more as written and returns the view that has room for them. */
  #room(numBytes: number): DataView {
    const start = this.#length;
    this.#length += numBytes;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return this.#view;
  }
}
