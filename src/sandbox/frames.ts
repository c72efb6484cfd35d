/** Messages on a byte stream: a length in four bytes, little endian, then that many bytes. */
import { maxFrameBytes } from "./limits.ts";
import { CodecError } from "./value-format.ts";

/** `payload` with its length before it. */
export function frame(payload: Uint8Array): Uint8Array {
  const framed = new Uint8Array(4 + payload.length);
  new DataView(framed.buffer).setUint32(0, payload.length, true);
  framed.set(payload, 4);
  return framed;
}

/** The length that the four bytes of `head` announce. Throws CodecError where it is too large. */
export function frameLength(head: Uint8Array): number {
  const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true);
  if (length > maxFrameBytes) throw new CodecError(`a message of ${length} bytes`);
  return length;
}

/** Cuts a byte stream into payloads. It holds one frame and no chunks, however small they come. */
export class FrameReader {
  readonly #head = new Uint8Array(4);
  #part: Uint8Array = this.#head;
  #filled = 0;

  /** The payloads that `chunk` completes. Throws CodecError for a length that is too large. */
  push(chunk: Uint8Array): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    for (let rest = chunk; rest.length > 0;) {
      const taken = rest.subarray(0, this.#part.length - this.#filled);
      this.#part.set(taken, this.#filled);
      this.#filled += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#part === this.#head && this.#filled === 4) this.#begin(frameLength(this.#head));
      if (this.#part !== this.#head && this.#filled === this.#part.length) {
        payloads.push(this.#part);
        this.#part = this.#head;
        this.#filled = 0;
      }
    }
    return payloads;
  }

  #begin(length: number): void {
    this.#part = new Uint8Array(length);
    this.#filled = 0;
  }
}
